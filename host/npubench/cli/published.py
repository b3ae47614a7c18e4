"""`npubench published`: what others published, and a run of yours beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.runs import RunsDirOption

if TYPE_CHECKING:
    from npubench.published import Choice


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "published",
        help="Results that others published, each with its source; a run of yours beside them.\n\n"
        "Example: npubench published --model kws --board nucleo-l4r5zi --against latest",
    )(published_results)


def published_results(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Network: kws, vww, ic, ad, ...")
    ] = None,
    board: Annotated[
        str | None, typer.Option("--board", "-b", help="Part of a board's name.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Id of a source.")] = None,
    submitter: Annotated[str | None, typer.Option("--submitter", help="Who submitted it.")] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="RUN", help="A run to set beside the results."),
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Print the chosen results."""
    from npubench.published import Choice, published_table

    choice = Choice(network=model, board=board, source=source, submitter=submitter)
    if against is not None:
        _print_against(runs_dir, against, choice, as_json=as_json)
        return
    found = published_table(choice)
    if as_json:
        print_json(found.document())
        return
    from npubench.report.published import published_view

    console().print(published_view(found.rows, found.sources))


def _print_against(runs_dir: Path, run: str, choice: Choice, *, as_json: bool) -> None:
    from npubench.runs.against import against_published
    from npubench.runs.store import find_run

    view = against_published(find_run(runs_dir, run), choice)
    if as_json:
        print_json(view.document())
        return
    from npubench.report.published import against_view

    console().print(against_view(view))
