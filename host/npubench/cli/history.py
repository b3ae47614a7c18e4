"""`npubench history`: a metric over the stored runs."""

from __future__ import annotations

from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "history",
        help="A metric over the runs of a folder or an archive, and where it changed.\n\n"
        "Example: npubench history runs --metric infer",
    )(show_history)


def show_history(
    runs: Annotated[
        str, typer.Argument(metavar="RUNS", help="A folder or an archive of runs.")
    ] = "runs",
    metric: Annotated[
        str, typer.Option("--metric", "-m", help="A stage, a memory, energy.STAGE: docs/gates.md.")
    ] = "infer",
    as_json: JsonOption = False,
) -> None:
    """Every network on every target, oldest first."""
    from npubench.runs.sets import history_named

    found = history_named(runs, metric)
    if as_json:
        print_json(found.document())
        return
    from npubench.report.history import history_view

    console().print(history_view(found))
