"""A target over time: every run of it, and where its cost changes."""

from __future__ import annotations

from collections.abc import Callable

from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.core.stages import Stage
from npubench.report.charts import course
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Grid, columns, number, text
from npubench.report.library import Library, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.report.views.stages import unit_of
from npubench.runs.history import Series, history

TITLE = "History"
ORDER = 85

FEWEST = 3


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every target that was run three times or more."""
    mine = [run for shown in network.runs for run in (*library.earlier(shown), library.of(shown))]
    if len(mine) < FEWEST:
        return None
    try:
        found = history(mine, Stage.INFER.value)
    except NpubenchError:
        return None
    series = [item for item in found.series if len(item.points) >= FEWEST]
    if not series:
        return None
    changes = [(item, change) for item in series for change in item.changes]
    claim = f"{len(changes)} change{'s' if len(changes) != 1 else ''} of level" if changes else (
        "No change of level."
    )  # fmt: skip
    return View(
        claim=claim if not changes else f"{claim}.",
        lead="Runs of one network and target in the order in which they were made; a ring marks "
        "the run with which the level changes.",
        figures=tuple(_figure(item, at) for at, item in enumerate(series)),
        grids=(
            Grid(
                name="changes-of-level",
                columns=columns("Target", "#Change", "#Before", "#After", "Run", "~Version"),
                rows=tuple(
                    (
                        text(item.target),
                        Cell(text=fmt.signed(fmt.percent(change.growth), change.growth),
                             value=change.growth),
                        number(change.before, _stage(item.unit)),
                        number(change.after, _stage(item.unit)),
                        Cell(text=change.run_id, page=library.page(run_page(change.run_id))),
                        text(f"{change.version_before}, then {change.version_after}"),
                    )
                    for item, change in changes
                ),
            ),
        )
        if changes
        else (),
    )  # fmt: skip


def _stage(unit: str) -> Callable[[float | int | None], str]:
    return lambda value: fmt.stage(value, unit)


def _figure(series: Series, at: int) -> Figure:
    factor, words = unit_of(series.unit, max(point.value for point in series.points))
    changed = {change.run_id for change in series.changes}
    rows: list[Row] = [
        {
            "run": f"{number_} {point.created[:10]}",
            "value": point.value / factor,
            "label": point.run_id,
            "change": "yes" if point.run_id in changed else "no",
            "text": f"{fmt.stage(point.value, series.unit)}, {point.version}",
        }
        for number_, point in enumerate(series.points, start=1)
    ]
    return Figure(
        name=f"history-{at}",
        title=f"infer of {series.target} over time",
        words=f"{len(rows)} runs, last {rows[-1]['text']}; {len(changed)} changes of level",
        rows=tuple(rows),
        spec=course(
            x="run", y="value", x_title="runs, oldest first", y_title=f"infer, {words}", time=True
        ),
    )
