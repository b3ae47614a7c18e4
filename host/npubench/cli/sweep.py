"""`npubench sweep`: how cost grows with size, or with a target's settings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npubench.cli.farm import InsecureOption, OnOption
from npubench.cli.output import INTERRUPTED, JsonOption, command_line, console, print_json, reporter
from npubench.cli.target import OnModelOption, SetOption, place_of

if TYPE_CHECKING:
    from npubench.api import SweepOutcome

HELP = """Vary a network's size or a target's settings; fit the law of growth, name its steps.

MODEL is a family (mobilenetv2, dscnn, mlp, convs, sequence), a builder of your own (file.py:build,
called with the varied values), or, to vary options of a target, any model. What is done already is
not done again: start an interrupted sweep once more.

Example: npubench sweep mobilenetv2 --vary input=32:96:16 --board qemu-m4 --board qemu-m55-u55
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("sweep", help=HELP)(sweep)


def sweep(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Family, builder or model.")],
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="AXIS",
            help="input=32:96:16, width=0.25,0.5, ethos-u.arena_cache=16384,65536 or backend=cpu,"
            "ethos-u; repeatable.",
        ),
    ],
    board: Annotated[
        list[str] | None, typer.Option("--board", "-b", help="Board id; repeatable.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="Backend instead of the board's default; repeatable."),
    ] = None,
    options: SetOption = None,
    where_it_breaks: Annotated[
        bool,
        typer.Option(
            "--where-it-breaks",
            help="Find the largest value of the one axis that fits and meets the budgets.",
        ),
    ] = False,
    latency: Annotated[
        str | None, typer.Option(help="Budget of an inference, e.g. 50ms, 300us; 2Minstr.")
    ] = None,
    ram: Annotated[str | None, typer.Option(help="Budget of RAM, e.g. 256KiB.")] = None,
    flash: Annotated[str | None, typer.Option(help="Budget of flash, e.g. 1MiB.")] = None,
    energy: Annotated[str | None, typer.Option(help="Budget of an inference, e.g. 2mJ.")] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    repetitions: Annotated[
        int | None, typer.Option("--repetitions", "-n", min=1, help="Timed repetitions.")
    ] = None,
    port: Annotated[str | None, typer.Option(help="Serial port of a physical board.")] = None,
    power: Annotated[str | None, typer.Option(help="Power instrument, as for bench.")] = None,
    on_model: OnModelOption = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Points at once (default: one per processor).")
    ] = None,
    on: OnOption = None,
    insecure: InsecureOption = False,
    as_json: JsonOption = False,
) -> int:
    """Run a sweep and tell what it found."""
    from npubench import api
    from npubench.core.errors import UsageError

    settings = api.Settings(repetitions=repetitions, port=port, power=power, command=command_line())
    place = place_of(on_model=on_model, port=port)
    budgets = {
        name: text
        for name, text in (
            ("latency", latency),
            ("ram", ram),
            ("flash", flash),
            ("energy", energy),
        )
        if text is not None
    }
    chosen: dict[str, Any] = {
        "vary": vary,
        "boards": board or (),
        "backends": backend or (),
        "options": options or (),
        "place": place,
        "settings": settings,
        "runs_dir": runs_dir,
    }
    if where_it_breaks:
        if on is not None:
            raise UsageError(
                "--where-it-breaks asks one point after the other: it runs here",
                hint="leave --on out",
            )
        return _limits(model, budgets, chosen, as_json=as_json)
    if budgets:
        raise UsageError(
            f"--{next(iter(budgets))} is a budget of --where-it-breaks",
            hint="add --where-it-breaks, or leave the budget out",
        )
    with reporter(live=True) as progress:
        outcome = api.sweep(
            model, **chosen, workers=workers, progress=progress, on=on, insecure=insecure
        )
    return _tell(outcome, runs_dir, as_json=as_json)


def _limits(model: str, budgets: dict[str, str], chosen: dict[str, Any], *, as_json: bool) -> int:
    from npubench import api

    with reporter(live=True) as progress:
        limits = api.where_it_breaks(model, budgets=budgets, **chosen, progress=progress)
    if as_json:
        print_json({"limits": [limit.document() for limit in limits]})
    else:
        from npubench.report.limit_view import limits_view

        console().print(limits_view([limit.document() for limit in limits]))
    return 0


def _tell(outcome: SweepOutcome, runs_dir: Path, *, as_json: bool) -> int:
    sweep = outcome.sweep
    if as_json:
        print_json(sweep.model_dump(mode="json"))
    else:
        from npubench.report.sweep_view import sweep_view

        out = console()
        out.print(sweep_view(sweep))
        out.print(f"Sweep:  {outcome.path.resolve()}", markup=False, soft_wrap=True)
        out.print(f"Runs:   {runs_dir.resolve()}", markup=False, soft_wrap=True)
    if outcome.error is not None:
        sys.stderr.write(f"npubench: {outcome.error.message}\n")
        if outcome.error.hint:
            sys.stderr.write(f"  hint: {outcome.error.hint}\n")
    if outcome.interrupted:
        sys.stderr.write(
            f"npubench: interrupted: {len(sweep.points)} points are finished and kept; the same "
            "command goes on from there\n"
        )
        return INTERRUPTED
    return outcome.exit_code
