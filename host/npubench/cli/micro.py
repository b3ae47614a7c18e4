"""`npubench micro`: the suite of operator shapes, and what it predicts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.farm import InsecureOption, OnOption
from npubench.cli.output import JsonOption, command_line, console, print_json, reporter
from npubench.cli.target import OnModelOption, SetOption, place_of

HELP = """Run a fixed suite of some hundred operator shapes in one image; predict whole networks.

The table is kept as a run; the next one of the same target is compared with it. --predict MODEL
needs no run of MODEL; the zoo runs for the error that stands beside.

Example: npubench micro --board qemu-m4 --predict kws --predict vww
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("micro", help=HELP)(micro)


def micro(
    board: Annotated[list[str], typer.Option("--board", "-b", help="Board id; repeatable.")],
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="Backend instead of the board's default; repeatable."),
    ] = None,
    options: SetOption = None,
    predict: Annotated[
        list[str] | None,
        typer.Option("--predict", metavar="MODEL", help="A network to predict; repeatable."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            "--network",
            metavar="MODEL",
            help="Networks that run for the error (default: those of the zoo that are there); "
            "repeatable.",
        ),
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("runs"),
    port: Annotated[str | None, typer.Option(help="Serial port of a physical board.")] = None,
    on_model: OnModelOption = False,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="Exit 1 when a shape costs more.")
    ] = False,
    on: OnOption = None,
    insecure: InsecureOption = False,
    as_json: JsonOption = False,
) -> int:
    """Run the suite and tell what it found."""
    from npubench import api

    with reporter(live=True) as progress:
        results = api.micro(
            boards=board,
            backends=backend or (),
            options=options or (),
            place=place_of(on_model=on_model, port=port),
            predict=predict or (),
            networks=network,
            settings=api.Settings(port=port, command=command_line()),
            runs_dir=runs_dir,
            progress=progress,
            on=on,
            insecure=insecure,
        )
    if as_json:
        print_json({"targets": [result.document() for result in results]})
    else:
        from npubench.report.micro_view import micro_view

        out = console()
        for result in results:
            out.print(micro_view(result.document()))
    slower = any(result.regressions for result in results)
    return 1 if fail_on_regression and slower else 0
