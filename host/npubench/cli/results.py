"""`npubench results`: a repository of results that others can cite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json

app = typer.Typer(
    no_args_is_help=True,
    help="A folder of results for git: init, add, check, site.\n\n"
    "Example: npubench results add runs/latest --repository results-repo",
)
RepositoryOption = Annotated[
    Path, typer.Option("--repository", "-R", help="The repository's folder.")
]
WRONG = 1
"""Exit code when a result may not stand there."""


@app.command("init", help="Make an empty repository.\n\nExample: npubench results init .")
def init(
    folder: Annotated[Path, typer.Argument(help="Its folder.")] = Path(),
    title: Annotated[str, typer.Option("--title", help="What it holds.")] = "npubench results",
    as_json: JsonOption = False,
) -> None:
    """Write results.toml."""
    from npubench.results.repository import init_repository

    path = init_repository(folder, title)
    if as_json:
        print_json({"file": str(path)})
        return
    console().print(f"{path}: edit title, licence and contact", markup=False, soft_wrap=True)


@app.command("add", help="Add a run.\n\nExample: npubench results add latest -R results-repo")
def add(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, as for `runs show`.")],
    repository: RepositoryOption = Path(),
    runs_dir: Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")] = Path(
        "runs"
    ),
    as_json: JsonOption = False,
) -> None:
    """One archive; refuses what failed or tells of its maker."""
    from npubench.results.repository import add_run
    from npubench.runs.store import find_run

    added = add_run(repository, find_run(runs_dir, run))
    if as_json:
        print_json(
            {
                "run_id": added.run_id,
                "archive": str(added.archive),
                "licence_missing": added.licence_missing,
            }
        )
        return
    out = console()
    out.print(f"{added.archive}", markup=False, soft_wrap=True)
    if added.licence_missing is not None:
        out.print(
            f"name the network's licence in results.toml: [models.{added.licence_missing}]",
            markup=False,
            soft_wrap=True,
        )


@app.command("check", help="Check every result.\n\nExample: npubench results check -R repo")
def check(repository: RepositoryOption = Path(), as_json: JsonOption = False) -> int:
    """Exit code 1 when one may not stand there."""
    from npubench.results.check import check_repository

    outcome = check_repository(repository)
    if as_json:
        print_json(outcome.document())
    else:
        out = console()
        for mistake in outcome.mistakes:
            out.print(f"{mistake.archive}: {mistake.what}", markup=False, soft_wrap=True)
        for item in outcome.partial:
            out.print(f"{item.archive}: not derived: {item.what}", markup=False, soft_wrap=True)
        out.print(f"{outcome.count} results, {len(outcome.mistakes)} mistakes")
    return 0 if outcome.ok else WRONG


@app.command("site", help="Write the table of results.\n\nExample: npubench results site -R repo")
def site(repository: RepositoryOption = Path(), as_json: JsonOption = False) -> None:
    """README.md, index.html and results.bib of the repository."""
    from npubench.results.leaderboard import write_leaderboard

    paths = write_leaderboard(repository)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
        return
    for path in paths:
        console().print(str(path), markup=False, soft_wrap=True)
