"""What is said about a run's numbers, each with its meaning and what to do."""

from __future__ import annotations

from npubench.core.finding import aliases, findings
from npubench.report.grid import Cell, Grid, columns, text
from npubench.report.library import Library
from npubench.report.view import View
from npubench.runs.schema import FindingRecord
from npubench.runs.store import StoredRun

TITLE = "Findings"
ORDER = 12

BADGE = {"remark": "", "warning": "warn", "refusal": "bad"}


def of_run(stored: StoredRun, library: Library) -> View | None:
    """The run's findings; its error, where it has one."""
    run = stored.record
    if not run.findings and run.error is None and not run.notes:
        return None
    grids: tuple[Grid, ...] = ()
    if run.findings:
        grids = (
            Grid(
                name="findings",
                columns=columns("Finding", "What it is", "~What was found", "About", "~What to do"),
                rows=tuple(_row(item) for item in run.findings),
            ).without_empty(),
        )
    error: tuple[str, ...] = ()
    if run.error is not None:
        error = tuple(
            filter(None, (f"{run.error.kind}: {run.error.message}",
                          run.error.hint and f"What to do: {run.error.hint}"))
        )  # fmt: skip
    return View(grids=grids, notes=(*error, *run.notes))


def _row(item: FindingRecord) -> tuple[Cell, ...]:
    known = findings().get(aliases().get(item.id, item.id))
    return (
        Cell(text=item.id, code=True, hint="" if known is None else known.meaning),
        Cell(text=item.severity, badge=BADGE[item.severity]),
        text(item.text),
        text(item.where),
        text("" if known is None else known.remedy),
    )
