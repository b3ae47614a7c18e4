"""`npubench accuracy`: how well a network answers on labelled samples, here and on boards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npubench.cli.farm import InsecureOption, OnOption, ResumeOption
from npubench.cli.output import JsonOption, command_line, console, print_json, reporter
from npubench.cli.target import OnModelOption, OnSimulatorOption, SetOption, place_of
from npubench.cli.wishes import CalibrationOption, QuantizationOption, ShapeOption, said

if TYPE_CHECKING:
    from npubench.bench.job import Sampling

HELP = """Say how well a network answers on labelled samples: float and int8 on the host, int8 on
boards.

DATA is an .npz with an array per input and `labels` (class numbers, next tokens, or 0 and 1) or
`boxes`; or a folder with a folder of images or wav files for each class. With --board the samples
go through the line one by one, every answer is held against TFLM's, and the run is kept.

Example: npubench accuracy my.keras --data test.npz --calibration train.npz --board qemu-m55-u55
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("accuracy", help=HELP)(accuracy)


def accuracy(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Zoo id, or a file of a network.")],
    data: Annotated[Path, typer.Option(exists=True, help="Samples and labels.")],
    metric: Annotated[
        str | None,
        typer.Option(help="top1, auc, map or perplexity [default: what suits the data]."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Use so many samples, evenly spread [default: all; 100 on boards]."
        ),
    ] = None,
    board: Annotated[
        list[str] | None,
        typer.Option("--board", "-b", help="Ask this board, too; repeat for several."),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="Backend instead of the board's default; repeatable."),
    ] = None,
    options: SetOption = None,
    port: Annotated[str | None, typer.Option(help="Serial port of a physical board.")] = None,
    on_model: OnModelOption = False,
    on_simulator: OnSimulatorOption = False,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    shape: ShapeOption = None,
    calibration: CalibrationOption = None,
    quantization: QuantizationOption = None,
    on: OnOption = None,
    resume: ResumeOption = False,
    insecure: InsecureOption = False,
    as_json: JsonOption = False,
) -> int:
    """Scores of every form of the network, with 95 % intervals."""
    wishes = said(shape, calibration, quantization)
    if board:
        from npubench.bench.job import DEVICE_SAMPLES, Sampling

        return _on_boards(
            model,
            Sampling(data=data, samples=samples or DEVICE_SAMPLES, metric=metric),
            wishes,
            as_json=as_json,
            boards=board,
            backends=backend or (),
            options=options or (),
            place=place_of(on_model=on_model, on_simulator=on_simulator, port=port),
            port=port,
            runs_dir=runs_dir,
            on=on,
            resume=resume,
            insecure=insecure,
        )
    from dataclasses import asdict

    from npubench.compiler.importers.answers import score_model
    from npubench.core.errors import UsageError

    if backend or options or port or on_model or on_simulator or on:
        raise UsageError("a backend and a place need a board", hint="name one with --board")
    resolved, found = score_model(model, wishes, data, metric=metric, samples=samples)
    if as_json:
        print_json({"model": resolved.id, **asdict(found)})
        return 0
    out = console()
    for item in found.scores:
        out.print(
            f"{item.form}: {item.metric} {item.value:.4f} "
            f"({item.low:.4f} to {item.high:.4f}, {item.interval}), {item.samples} samples",
            markup=False,
            soft_wrap=True,
        )
    if found.agreement_ratio is not None:
        out.print(
            f"int8 answers as float does: {found.agreement_ratio:.2%}", markup=False, soft_wrap=True
        )
    return 0


def _on_boards(
    model: str,
    sampling: Sampling,
    wishes: dict[str, Any],
    *,
    as_json: bool,
    port: str | None,
    runs_dir: Path,
    **targets: Any,
) -> int:
    from npubench import api

    with reporter(live=True) as progress:
        outcome = api.bench(
            [model],
            settings=api.Settings(accuracy=sampling, port=port, command=command_line()),
            wishes=wishes,
            runs_dir=runs_dir,
            progress=progress,
            **targets,
        )
    if as_json:
        print_json({"runs": outcome.documents(), "error": outcome.error_document()})
        return outcome.exit_code
    from npubench.report.terminal import outcome_view

    out = console()
    out.print(outcome_view(outcome.stored))
    out.print(f"Runs:   {runs_dir.resolve()}", markup=False, soft_wrap=True)
    for line in outcome.complaints():
        console(stderr=True).print(line, markup=False, soft_wrap=True)
    return outcome.exit_code
