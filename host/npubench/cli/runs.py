"""`npubench runs`: what has been run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json

app = typer.Typer(
    no_args_is_help=True, help="Stored runs: list, show.\n\nExample: npubench runs show latest"
)
RunsDirOption = Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")]


@app.command("list", help="List the stored runs.\n\nExample: npubench runs list")
def list_command(runs_dir: RunsDirOption = Path("runs"), as_json: JsonOption = False) -> None:
    """Every run of a folder; a broken folder is said, and the others shown."""
    from npubench.runs.store import list_runs

    listing = list_runs(runs_dir)
    if as_json:
        print_json(
            {
                "runs": [stored.document() for stored in listing.runs],
                "unreadable": [
                    {"path": str(path), "reason": why} for path, why in listing.unreadable
                ],
            }
        )
        return
    from npubench.report.terminal import results_table

    out = console()
    out.print(results_table(listing.runs))
    for path, why in listing.unreadable:
        out.print(f"cannot be read: {path}: {why}", markup=False, soft_wrap=True)


@app.command(
    "show",
    help="Show one run: an id, the start of one, a path, or latest.\n\n"
    "Example: npubench runs show latest",
)
def show(run: str, runs_dir: RunsDirOption = Path("runs"), as_json: JsonOption = False) -> None:
    """One run with its stages, layers, memory and provenance."""
    from npubench.runs.store import find_run

    stored = find_run(runs_dir, run)
    if as_json:
        print_json({"run": stored.document()})
        return
    from npubench.report.terminal import run_view

    console().print(run_view(stored))


@app.command(
    "recheck",
    help="Collect and judge a stored run again from its own bytes; no board is needed.\n\n"
    "Example: npubench runs recheck latest",
)
def recheck(run: str, runs_dir: RunsDirOption = Path("runs"), as_json: JsonOption = False) -> int:
    """Exit code 1 when a number is not the stored one."""
    from npubench.bench.recheck import recheck_run
    from npubench.runs.store import find_run

    outcome = recheck_run(find_run(runs_dir, run))
    if as_json:
        print_json({"recheck": outcome.document()})
    else:
        out = console()
        out.print(
            f"{outcome.run_id}: golden {outcome.golden}, {outcome.stages_compared} stages compared",
            markup=False,
            soft_wrap=True,
        )
        for line in outcome.differences:
            out.print(f"  differs: {line}", markup=False, soft_wrap=True)
        if not outcome.differences:
            out.print("  all numbers are the stored ones")
    return 1 if outcome.differences else 0
