"""`npubench runs`: what has been run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json

app = typer.Typer(
    no_args_is_help=True,
    help="Stored runs: list, show, recheck, export, import. A RUN is the short id of the list, "
    "the start of an id, a path, or last.\n\nExample: npubench runs show last",
)
RunsDirOption = Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")]


@app.command("list", help="List the stored runs.\n\nExample: npubench runs list")
def list_command(runs_dir: RunsDirOption = Path("runs"), as_json: JsonOption = False) -> None:
    """Every run of a folder, with its short id; a broken folder is said, and the others shown."""
    from npubench.core.errors import ResultError
    from npubench.runs.store import list_runs

    if not runs_dir.is_dir():
        raise ResultError(
            f"there is no folder {runs_dir}",
            hint="npubench bench kws makes one here; --runs-dir names another",
        )

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
    from npubench.report.terminal import runs_table

    out = console()
    if listing.runs:
        out.print(runs_table(listing.runs))
    else:
        out.print(f"There are no runs in {runs_dir} yet: npubench bench kws makes some.")
    for path, why in listing.unreadable:
        out.print(f"cannot be read: {path}: {why}", markup=False, soft_wrap=True)


@app.command(
    "show",
    help="Show one run: its short id or the start of its id, a path, or last.\n\n"
    "Example: npubench runs show last",
)
def show(run: str, runs_dir: RunsDirOption = Path("runs"), as_json: JsonOption = False) -> None:
    """One run with its stages, layers, memory and provenance."""
    from npubench.runs.store import find_run

    stored = find_run(runs_dir, run)
    if as_json:
        print_json({"run": stored.document()})
        return
    from npubench.report.run_view import run_view

    console().print(run_view(stored))


@app.command(
    "recheck",
    help="The same as `npubench verify`.\n\nExample: npubench runs recheck latest",
)
def recheck(run: str, runs_dir: RunsDirOption = Path("runs"), as_json: JsonOption = False) -> int:
    """The older name of `npubench verify`."""
    from npubench.cli.verify import verify

    return verify(run, runs_dir, as_json=as_json)


@app.command(
    "export",
    help="Write runs into one archive that anybody can verify.\n\n"
    "Example: npubench runs export latest -o mine.npubench.tar.gz",
)
def export(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Runs, as for show.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="The archive, ending in .tar.gz.")],
    runs_dir: RunsDirOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """One archive, equal bytes for equal runs."""
    import hashlib

    from npubench.runs.archive import export_runs
    from npubench.runs.store import find_run

    found = [find_run(runs_dir, name) for name in dict.fromkeys(runs)]
    path = export_runs(found, out)
    document = {
        "archive": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "runs": [stored.record.run_id for stored in found],
    }
    if as_json:
        print_json(document)
        return
    console().print(
        f"{path}: {len(found)} runs, SHA-256 {document['sha256']}", markup=False, soft_wrap=True
    )


@app.command(
    "import",
    help="Bring the runs of an archive into the runs folder, all or none.\n\n"
    "Example: npubench runs import theirs.npubench.tar.gz",
)
def import_command(
    archive: Annotated[Path, typer.Argument(help="An archive of `runs export`.")],
    runs_dir: RunsDirOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Refuses what is no plain run, and what its manifest does not say."""
    from npubench.runs.archive import import_runs

    runs = import_runs(archive, runs_dir)
    if as_json:
        print_json({"runs": [stored.document() for stored in runs]})
        return
    for stored in runs:
        console().print(f"{stored.path}", markup=False, soft_wrap=True)
    console().print("the files are what their manifests say; npubench verify checks the numbers")
