"""`analyze`, `build`, `boot` and `flash`: the way of one network up to a live board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import (
    BaudOption,
    JsonOption,
    MlperfOption,
    PlainReporter,
    console,
    print_json,
)
from npubench.cli.target import BackendOption, BoardOption, OnModelOption, SetOption, one_job

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Zoo id, or a file of a network.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    app.command(
        "analyze",
        help="Say what a network needs, without running it.\n\n"
        "Example: npubench analyze my.tflite --board qemu-m55",
    )(analyze)
    app.command(
        "build",
        help="Emit and build the firmware of a network for a board.\n\n"
        "Example: npubench build kws --board nucleo-l4r5zi --output kws-l4r5",
    )(build)
    app.command(
        "boot",
        help="Boot an emulated board, or the model of a physical one, with a network and talk to "
        "it.\n\n"
        "Type commands ended by %, e.g. name% or bench 2 1%. Leave with Ctrl-]. With --image, an "
        "image that somebody else built.\n\n"
        "Example: npubench boot kws --board qemu-m4",
    )(boot)
    app.command(
        "flash",
        help="Build, flash, and check that the right firmware answers.\n\n"
        "Example: npubench flash my.tflite --board nucleo-l4r5zi",
    )(flash)


def analyze(
    model: ModelArgument,
    board: Annotated[str | None, typer.Option("--board", "-b", help="Board id.")] = None,
    backend: BackendOption = None,
    settings: SetOption = None,
    costs: Annotated[
        bool,
        typer.Option(
            "--costs",
            help="Also compile with each option of the NPU's compiler changed, and say what it "
            "costs in memory and cycles.",
        ),
    ] = False,
    on_model: OnModelOption = False,
    as_json: JsonOption = False,
) -> int:
    """Per-layer costs of a network, what of it runs nowhere here, and its fit on a board."""
    from npubench import api
    from npubench.report.coverage import missing_lines, uses_document
    from npubench.report.describe import analysis_document

    found = api.analyze(
        model,
        board=board,
        backend=backend,
        options=settings or (),
        costs=costs,
        on_model=on_model,
    )
    document = analysis_document(found.network, found.compiled)
    document["missing"] = uses_document(found.missing)
    document["error"] = found.error_document()
    if costs:
        document["options"] = [cost.document() for cost in found.costs]
    if as_json:
        print_json(document)
    else:
        from npubench.report.option_costs import costs_view
        from npubench.report.terminal import analysis_view

        out = console()
        out.print(analysis_view(document))
        if found.costs:
            out.print(costs_view([cost.document() for cost in found.costs]))
        if found.missing:
            out.print("Without a kernel on the CPU:" if board is None else "Runs nowhere there:")
            for line in missing_lines(found.missing):
                out.print(f"- {line}", markup=False, soft_wrap=True)
    found.tell(sys.stderr)
    return 0 if found.error is None else found.error.exit_code


def build(
    model: ModelArgument,
    board: BoardOption,
    backend: BackendOption = None,
    settings: SetOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the project and the image.")
    ] = None,
    mlperf: MlperfOption = None,
    baud: BaudOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build one image and say where it is and what memory it takes."""
    from npubench import api

    document = api.build(
        model,
        board=board,
        backend=backend,
        options=settings or (),
        mlperf=mlperf,
        baud=baud,
        output=output,
        progress=PlainReporter(),
    ).document()
    if as_json:
        print_json(document)
        return
    from npubench.report.terminal import build_view

    console().print(build_view(document))


def boot(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Zoo id, or a file of a network.")
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", "-b", help="Board id [default: qemu-m4].")
    ] = None,
    backend: BackendOption = None,
    settings: SetOption = None,
    pty: Annotated[
        Path | None,
        typer.Option(
            help="Offer the console as a pty under this name instead of here, so that "
            "another program can open it."
        ),
    ] = None,
    mlperf: MlperfOption = None,
    baud: BaudOption = None,
    image: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Instead of a network: a firmware image (.bin, .hex, .elf) that somebody else "
            "built, on the model of its board.",
        ),
    ] = None,
) -> None:
    """Boot an emulated board, or a board's model, and connect the terminal or a pty with it."""
    from npubench.core.errors import UsageError

    if (model is None) == (image is None):
        raise UsageError(
            "boot needs a network or --image, one of them",
            hint="npubench boot kws --board qemu-m4, or npubench boot --image firmware.bin",
        )
    if image is not None:
        _boot_image(image, board, pty)
        return
    from npubench.bench.booting import boot_network

    assert model is not None
    job = one_job(model, board or "qemu-m4", backend, settings, mlperf=mlperf, baud=baud)
    boot_network(job, pty=pty, reporter=PlainReporter())


def _boot_image(image: Path, board: str | None, pty: Path | None) -> None:
    from npubench.referee.booting import boot_image

    boot_image(image, board_id=board, pty=pty, reporter=PlainReporter())


def flash(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="Zoo id or .tflite path.")
    ] = "kws",
    board: BoardOption = "",
    backend: BackendOption = None,
    settings: SetOption = None,
    port: Annotated[str | None, typer.Option(help="Serial port of the board.")] = None,
    probe: Annotated[str | None, typer.Option(help="Serial number of the debug probe.")] = None,
    mlperf: MlperfOption = None,
    baud: BaudOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build, flash, check the firmware's identity, and print the bench command that follows."""
    from npubench.bench.flashing import flash_board
    from npubench.core.errors import UsageError

    if not board:
        raise UsageError("no board is named", hint="npubench flash MODEL --board BOARD")
    job = one_job(model, board, backend, settings, mlperf=mlperf, baud=baud)
    outcome = flash_board(job, port=port, probe_serial=probe, reporter=PlainReporter())
    if as_json:
        print_json(outcome.document())
        return
    out = console()
    out.print(f"{board} runs {job.model.id} ({outcome.firmware}).", markup=False, soft_wrap=True)
    out.print(f"Next: {outcome.next_command}", markup=False, soft_wrap=True)
