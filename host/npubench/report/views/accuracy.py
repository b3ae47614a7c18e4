"""How well a network answers, where that was measured."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.report.grid import Cell, Grid, columns, number, text
from npubench.report.library import Library, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import AccuracyRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Accuracy"
ORDER = 66


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every form of the network on every data set."""
    return _view(network.runs, library)


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's accuracy."""
    return _view([stored.record], library)


def _view(runs: Sequence[RunRecord], library: Library) -> View | None:
    found = [(run, item) for run in runs for item in run.accuracy]
    if not found:
        return None
    return View(
        grids=(
            Grid(
                name="accuracy",
                columns=columns(
                    "Target",
                    "Form",
                    "Metric",
                    "#Value",
                    "95 % interval",
                    "#Samples",
                    "Data",
                    "#Agrees",
                ),
                rows=tuple(_row(run, item, library) for run, item in found),
            ).without_empty(),
        )
    )


def _row(run: RunRecord, item: AccuracyRecord, library: Library) -> tuple[Cell, ...]:
    interval = ""
    if item.low is not None and item.high is not None:
        interval = f"{item.low:.4g} to {item.high:.4g}"
    return (
        Cell(text=run.target, page=library.page(run_page(run.run_id))),
        text(item.form),
        text(item.metric),
        number(item.value, lambda value: f"{value:.4g}"),
        text(interval, hint=item.interval or ""),
        number(item.samples),
        text(item.data),
        number(item.agreement_ratio, fmt.percent),
    )
