"""`npubench report`: stored runs as a site, one HTML file, figures, or tables for a text."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, console, print_json
from npubench.cli.runs import RunsDirOption
from npubench.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from npubench.runs.store import StoredRun

HELP = """Write the report of stored runs; of all of them if none is named.

A folder becomes a site that opens without a network, a name that ends in .html one file. --format
md, latex, csv or json prints tables instead; --figures writes each picture into a folder.

Example: npubench report -o site/
"""
DEFAULT = Path("npubench-report.html")


class Form(StrEnum):
    """What --format takes: of tables, and of figures."""

    MD = "md"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    TEXT = "text"
    SVG = "svg"
    PNG = "png"
    PDF = "pdf"


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("report", help=HELP)(report)


def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Ids, starts of ids, paths, folders or archives of runs."
        ),
    ] = None,
    runs_dir: RunsDirOption = Path("runs"),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=f"The site's folder, or a file .html [default: {DEFAULT}]."
        ),
    ] = None,
    single: Annotated[
        Path | None, typer.Option("--single", metavar="FILE", help="Write one HTML file.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="RUNS", help="A folder or archive of earlier runs: what changed."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="DIR", help="Write every figure, and its data as CSV."),
    ] = None,
    overlays: Annotated[
        Path | None,
        typer.Option(
            "--overlays", metavar="DIR", help="Write per-layer costs for Model Explorer as JSON."
        ),
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format",
            help="md, latex, csv, json or text: print tables. With --figures: svg, png or pdf.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The same answers in the form that is asked for."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        chosen, before = _chosen(stack, runs, runs_dir, against)
        if form is not None and figures is None:
            _print(chosen, form)
            return
        written: list[Path] = []
        if figures is not None:
            from npubench.report.figure import KINDS
            from npubench.report.figures import write_figures

            wanted = "svg" if form is None else form.value
            kind = next((kind for kind in KINDS if kind == wanted), None)
            if kind is None:
                raise UsageError(f"figures cannot be {wanted}", hint=f"one of {', '.join(KINDS)}")
            written += write_figures(chosen, figures, kind)
        if overlays is not None:
            from npubench.report.overlay import write_overlays

            written += write_overlays(chosen, overlays)
        if single is not None or output is not None or not written:
            from npubench.report.html import is_single, write_single, write_site

            place = single or output or DEFAULT
            if single is not None or is_single(place):
                written.append(write_single(chosen, place, before=before))
            else:
                written.append(write_site(chosen, place, before=before))
        if as_json:
            print_json(
                {
                    "report": str(written[-1].resolve()),
                    "files": [str(path.resolve()) for path in written],
                    "runs": [stored.record.run_id for stored in chosen],
                }
            )
            return
        shown = written[-1] if len(written) == 1 else written[-1].parent
        words = "Report:" if len(written) == 1 else f"{len(written)} files:"
        console().print(f"{words} {shown.resolve()}", markup=False, soft_wrap=True)


def _chosen(
    stack: ExitStack, runs: list[str] | None, runs_dir: Path, against: str | None
) -> tuple[list[StoredRun], list[StoredRun]]:
    from npubench.core.errors import ResultError
    from npubench.runs.sets import named_runs
    from npubench.runs.store import list_runs

    found: dict[str, StoredRun] = {}
    for name in runs or ():
        for stored in stack.enter_context(named_runs(name, runs_dir))[0]:
            found[stored.record.run_id] = stored
    chosen = list(found.values()) if runs else list(list_runs(runs_dir).runs)
    if not chosen:
        raise ResultError(f"there are no runs in {runs_dir}", hint="npubench bench kws makes one")
    before: list[StoredRun] = []
    if against is not None:
        before = list(stack.enter_context(named_runs(against, runs_dir))[0])
    return chosen, before


def _print(chosen: Sequence[StoredRun], form: Form) -> None:
    from npubench.report.tables import FORMS, document

    if form is Form.JSON:
        print_json(document(chosen))
        return
    if form.value not in FORMS:
        raise UsageError(
            f"{form} is a form of figures", hint="name a folder for them: --figures DIR"
        )
    sys.stdout.write(FORMS[form.value](chosen))
