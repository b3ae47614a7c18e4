"""`npubench reproduce`: a stored run, made once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, PlainReporter, console, print_json

DIFFERS = 1
"""Exit code when the image or a number is another one."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "reproduce",
        help="Build a stored run's project again in an empty place, and run it again.\n\n"
        "Example: npubench reproduce latest",
    )(reproduce)


def reproduce(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, as for `runs show`.")],
    build_only: Annotated[
        bool, typer.Option("--build-only", help="Compare the image, run nothing.")
    ] = False,
    port: Annotated[
        str | None, typer.Option("--port", help="The console of a physical board.")
    ] = None,
    runs_dir: Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")] = Path(
        "runs"
    ),
    as_json: JsonOption = False,
) -> int:
    """Exit code 1 when the image or a number is another one."""
    from npubench.bench.reproduce import reproduce_run
    from npubench.runs.store import find_run

    outcome = reproduce_run(
        find_run(runs_dir, run), reporter=PlainReporter(), port=port, build_only=build_only
    )
    if as_json:
        print_json(outcome.document())
    else:
        from npubench.report.verification import reproduction_view

        console().print(reproduction_view(outcome))
    return DIFFERS if outcome.status == "differs" else 0
