"""`npu run` and `npu disasm`: the NPU's model without a board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, print_json

app = typer.Typer(
    help="Run or read what Vela compiled, without a board.\n\n"
    "Example: npubench npu disasm runs/RUN/artifact.tflite",
    no_args_is_help=True,
)

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A .tflite that Vela wrote (a run's artifact).")
]


@app.command("run")
def run(
    file: FileArgument,
    stimulus: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="The quantized input: .npy or .npz of its type and shape, or the raw bytes.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the (first) output as .npy.")
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", "-b", help="Board whose memories the timing assumes.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a network on the NPU's model: outputs, and modelled cycles.

    Example: npubench npu run artifact.tflite input.npy --output answer.npy
    """
    from npubench.compiler.backends.ethos_u.run_file import MEMORY_BOARD, run_file

    result = run_file(file, stimulus, board_id=board or MEMORY_BOARD)
    if output is not None:
        _save(output, result.outputs[0][1])
    document = {
        "file": str(file),
        "accelerator": result.accelerator,
        "evidence": "modelled",
        "npu_cycles": result.cycles,
        "macs": result.macs,
        "config_sha256": result.config_sha256,
        "memory_board": result.memory_board,
        "outputs": [
            {
                "name": name,
                "shape": list(values.shape),
                "dtype": str(values.dtype),
                "values": values.reshape(-1).tolist(),
            }
            for name, values in result.outputs
        ],
    }
    if as_json:
        print_json(document)
        return
    typer.echo(
        f"{result.accelerator}: {result.cycles} cycles, modelled with the memories of "
        f"{result.memory_board} (configuration {result.config_sha256[:12]}); {result.macs} MACs"
    )
    for name, values in result.outputs:
        flat = values.reshape(-1).tolist()
        shown = " ".join(str(value) for value in flat[:16])
        more = f" ... {len(flat)} values" if len(flat) > 16 else ""
        typer.echo(f"{name} {list(values.shape)} {values.dtype}: {shown}{more}")


@app.command("disasm")
def disasm(file: FileArgument) -> None:
    """Print the command streams, a line per command.

    Example: npubench npu disasm artifact.tflite
    """
    from npubench.compiler.backends.ethos_u.run_file import disassemble_file

    for line in disassemble_file(file):
        sys.stdout.write(line + "\n")


def _save(path: Path, values: object) -> None:
    import numpy as np

    from npubench.core.errors import StorageError

    try:
        with path.open("wb") as file:
            np.save(file, np.asarray(values))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
