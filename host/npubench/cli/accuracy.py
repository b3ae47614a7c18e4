"""`npubench accuracy`: how well a network answers on labelled samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.wishes import CalibrationOption, QuantizationOption, ShapeOption, said

HELP = """Say how well a network answers, as float and as int8, on the host.

DATA is an .npz with an array per input and `labels`, the first axis the samples.

Example: npubench accuracy my.keras --data test.npz --calibration train.npz
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("accuracy", help=HELP)(accuracy)


def accuracy(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Zoo id, or a file of a network.")],
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Samples and labels.")],
    metric: Annotated[str, typer.Option(help="top1 or auc.")] = "top1",
    samples: Annotated[
        int | None, typer.Option(min=1, help="Use so many samples, evenly spread; else all.")
    ] = None,
    shape: ShapeOption = None,
    calibration: CalibrationOption = None,
    quantization: QuantizationOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scores of every form of the network, with 95 % intervals."""
    from dataclasses import asdict

    from npubench.compiler.importers.answers import METRICS, score
    from npubench.compiler.importers.load import load_model
    from npubench.core.errors import UsageError

    chosen = next((known for known in METRICS if known == metric), None)
    if chosen is None:
        raise UsageError(f"there is no metric {metric[:40]!r}", hint=f"known: {', '.join(METRICS)}")
    resolved = load_model(model, said(shape, calibration, quantization))
    found = score(resolved, data, metric=chosen, samples=samples)
    if as_json:
        print_json({"model": resolved.id, **asdict(found)})
        return
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
