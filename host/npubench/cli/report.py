"""`npubench report`: the HTML report of stored runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.runs import RunsDirOption


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(
        "report",
        help="Write the HTML report of stored runs; all of them if none is "
        "named.\n\nExample: npubench report --output report.html",
    )(report)


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Ids, starts of ids, paths.")
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "npubench-report.html"
    ),
    as_json: JsonOption = False,
) -> None:
    """One self-contained file that opens offline."""
    from npubench.core.errors import ResultError
    from npubench.report.html import write_report
    from npubench.runs.store import find_run, list_runs

    chosen = [find_run(runs_dir, run) for run in runs] if runs else list(list_runs(runs_dir).runs)
    if not chosen:
        raise ResultError(f"there are no runs in {runs_dir}", hint="npubench bench kws makes one")
    path = write_report(chosen, output)
    if as_json:
        print_json(
            {"report": str(path.resolve()), "runs": [stored.record.run_id for stored in chosen]}
        )
    else:
        console().print(f"Report: {path.resolve()}", markup=False, soft_wrap=True)
