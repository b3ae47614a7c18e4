"""`npubench audit`: results of MLPerf Tiny submissions, computed again from their raw data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npubench.cli.output import JsonOption, LiveReporter, PlainReporter, console, print_json
from npubench.core.errors import NpubenchError, StorageError
from npubench.core.format import printable

if TYPE_CHECKING:
    from npubench.audit.check import Audit
    from npubench.audit.verdict import Judged

LINE_LIMIT = 1000
FEW_RESULTS = 20
"""So many results are all listed; of more, those that are confirmed only with --all."""

HELP = """Compute MLPerf Tiny results again from their raw data: one verdict for each.

Throughput, energy, accuracy and detections are computed and held against what was published; the
benchmark's rules run on what there is. Reads folders of EEMBC's EnergyRunner and of MLCommons'
runner: a whole repository of results, a submitter, a system or one run. Name several rounds to see
results that were repeated. Ends with 0 when every result is confirmed or partly checked, else
with 1.

Example: npubench audit tiny_results_v1.2/closed/ACME --html audit.html
"""


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command("audit", help=HELP)(audit)


def audit(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    as_json: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write one HTML page.")
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            metavar="PATH",
            help="Classes of other accuracy files: y_labels.csv, or a folder above it.",
        ),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="List confirmed results too, however many.")
    ] = False,
) -> int:
    """Verdicts, then every result with its findings, what moves a number most first."""
    from npubench.audit.document import document

    try:
        found = _run(folders, labels or [])
        if html is not None:
            _write_page(found, html)
    except NpubenchError as error:
        if not as_json:
            raise
        _print_refusal(error)
        return error.exit_code
    if as_json:
        print_json(document(found))
    else:
        _print_lines(found, show_all=show_all)
    return 0 if found.passes else 1


def _print_refusal(error: NpubenchError) -> None:
    from npubench.audit.document import document

    console(stderr=True).print(f"npubench: {error.message}", markup=False, soft_wrap=True)
    said = {"kind": error.kind, "message": error.message, "hint": error.hint}
    print_json(document(None, said))


def _run(folders: list[Path], labels: list[Path]) -> Audit:
    from npubench.audit.check import audit as run_audit

    if console(stderr=True).is_terminal:
        with LiveReporter() as live:
            return run_audit(folders, live, labels=labels)
    return run_audit(folders, PlainReporter(), labels=labels)


def _write_page(found: Audit, path: Path) -> None:
    from npubench.audit.page import render

    try:
        path.write_text(render(found), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="name a file in a folder that can be written to",
        ) from error


def _print_lines(found: Audit, *, show_all: bool) -> None:
    from npubench.audit.verdict import Verdict

    counts = Counter(item.verdict for item in found.judged)
    for verdict in (item for item in Verdict if counts[item]):
        hidden = verdict is Verdict.CONFIRMED and len(found.judged) > FEW_RESULTS and not show_all
        _print(f"{verdict}: {counts[verdict]}" + (" (listed with --all)" if hidden else ""))
        if not hidden:
            for item in _ranked(found, verdict):
                _print_result(item)
    for finding in found.elsewhere:
        _print(f"{finding.rule}: {finding.folder}: {finding.detail}")
    lines = [f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    _print(f"{len(found.judged)} results: {', '.join(lines)}; {len(found.findings)} findings")


def _ranked(found: Audit, verdict: str) -> list[Judged]:
    items = [item for item in found.judged if item.verdict == verdict]
    return sorted(items, key=lambda item: -item.moves_pct)


def _print_result(item: Judged) -> None:
    from npubench.audit.words import figures_words, name_of

    _print(f"  {name_of(item)}: {figures_words(item) or 'no figure'}")
    for finding in item.findings:
        _print(f"    {finding.rule} ({finding.effect}): {finding.detail}")
    said = tuple(finding.detail for finding in item.findings)
    for reason in item.open_reasons:
        if not (said and reason.endswith(said)):
            _print(f"    {reason}")


def _print(line: str) -> None:
    console().print(printable(line, LINE_LIMIT), markup=False, soft_wrap=True)
