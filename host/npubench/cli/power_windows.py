"""`npubench power windows`: energy in windows of any capture."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json

if TYPE_CHECKING:
    from npubench.power.capture.gated import Gated

SHOWN = 20
HELP = """Add up the energy of a capture in windows: where a digital input is active, or between
times. For captures of other programs (power import), which have no marks of a bench.

Example: npubench power windows my-capture --input 0
"""


def register(app: typer.Typer) -> None:
    """Add the verb to its group."""
    app.command("windows", help=HELP)(windows)


def windows(
    folder: Annotated[Path, typer.Argument(help="A capture's folder, or a run's.")],
    number: Annotated[
        int | None, typer.Option("--input", min=0, max=7, help="The digital input, from 0.")
    ] = None,
    active: Annotated[str, typer.Option(help="Its level in a window: high or low.")] = "high",
    between: Annotated[
        list[str] | None,
        typer.Option(metavar="BEGIN:END", help="Seconds; repeatable, instead of an input."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """One line for each window, and their median."""
    from npubench.core.errors import UsageError
    from npubench.power.capture.gated import read_gated

    if active not in ("high", "low"):
        raise UsageError(f"a level is high or low, not {active[:40]!r}")
    spans_s = [_span(text) for text in between or ()]
    found = read_gated(folder, bit=number, active_low=active == "low", spans_s=spans_s)
    whole = [window.energy_uj for window in found if window.energy_uj is not None]
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "windows": [asdict(window) for window in found],
                "median_energy_uj": median(whole) if whole else None,
            }
        )
    else:
        out = console()
        for window in found[:SHOWN]:
            out.print(_line(window), markup=False, soft_wrap=True)
        if len(found) > SHOWN:
            out.print(f"... {len(found)} windows in all (--json lists them)", markup=False)
        if whole:
            out.print(
                f"Median energy: {median(whole):.6g} uJ over {len(whole)} of {len(found)} windows",
                markup=False,
                soft_wrap=True,
            )
    return 0 if len(whole) == len(found) else 1


def _line(window: Gated) -> str:
    energy = window.reason if window.energy_uj is None else f"{window.energy_uj:.6g} uJ"
    return (
        f"{window.begin_s:.6f} s: {window.seconds:.6f} s, mean {window.mean_ua:.6g} uA at "
        f"{window.mean_mv:.6g} mV: {energy}"
    )


def _span(text: str) -> tuple[float, float]:
    from npubench.core.errors import UsageError

    begin, colon, end = text.partition(":")
    try:
        if colon:
            return float(begin), float(end)
    except ValueError:
        pass
    raise UsageError(f"{text[:40]!r} is no span of seconds", hint="for instance 1.5:2.5")
