"""`npubench import`: a network of another framework as an int8 .tflite, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, PlainReporter, console, print_json
from npubench.cli.wishes import CalibrationOption, QuantizationOption, ShapeOption, said

HELP = """Convert and quantize a network of another framework.

FILE is a Keras file (.keras, .h5), a SavedModel folder, ONNX, PyTorch (module.py:Model, .pt2) or a
float .tflite. Every verb that takes MODEL does the same by itself; this keeps the file and says
what was lost.

Example: npubench import my.onnx --calibration images/ -o my.tflite
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("import", help=HELP)(import_network)


def import_network(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The network.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The int8 .tflite to write.")
    ] = None,
    shape: ShapeOption = None,
    calibration: CalibrationOption = None,
    quantization: QuantizationOption = None,
    weights: Annotated[
        Path | None, typer.Option(help="A state dict for a PyTorch class (.pt).")
    ] = None,
    min_snr_db: Annotated[
        float | None,
        typer.Option(help="The least signal to noise of the quantized outputs [default: 10]."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a file that runs code when it is loaded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Import, analyse, and say what was lost on the way."""
    from npubench.compiler.compiled import read_network
    from npubench.compiler.importers.load import import_source, remarks, source_of
    from npubench.compiler.quantize.saved import write_replacing
    from npubench.core.errors import UsageError
    from npubench.report.imports import import_document, import_view

    found = source_of(file)
    if found is None:
        raise UsageError(
            f"{file} is nothing that can be imported"
            if Path(file).exists()
            else f"there is no file {file}",
            hint="an int8 .tflite and a zoo id need no import; see npubench import --help",
        )
    if output is not None and output.suffix != ".tflite":
        raise UsageError(f"the output {output} must end in .tflite")
    wishes = said(
        shape, calibration, quantization, weights=weights, min_snr_db=min_snr_db, trust=trust
    )
    imported = import_source(*found, wishes, reporter=PlainReporter())
    network = read_network(imported.model)
    if output is not None:
        write_replacing(output, network.data)
    document = import_document(imported.kept.meta, network, output)
    document["remarks"] = list(remarks(imported.kept))
    if as_json:
        print_json({"import": document})
        return
    out = console()
    out.print(import_view(document))
    named = output if output is not None else file
    out.print(f"Next: npubench bench {named}", markup=False, soft_wrap=True)
