"""`npubench cite`: a number in one line that a stranger can check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from npubench.cli.output import JsonOption, print_json


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "cite",
        help="One line that says a run's number so that a stranger can find and check it "
        "(npubench verify takes it apart).\n\nExample: npubench cite latest --metric infer",
    )(cite_run)


def cite_run(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run; with --bibtex also a folder of runs.")
    ],
    metric: Annotated[str, typer.Option("--metric", "-m", help="As in docs/gates.md.")] = "infer",
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Entries for a bibliography.")] = False,
    runs_dir: Annotated[Path, typer.Option("--runs-dir", help="Where runs are kept.")] = Path(
        "runs"
    ),
    as_json: JsonOption = False,
) -> None:
    """Print the line, or BibTeX."""
    from npubench.runs.sets import citations_named

    found = citations_named(run, runs_dir, metric)
    if as_json:
        print_json({"citations": [citation.document() for citation in found]})
        return
    for citation in found:
        typer.echo(citation.bibtex() if bibtex else citation.line())
