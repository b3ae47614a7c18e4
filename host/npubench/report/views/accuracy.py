"""How well each target answers on labelled samples, beside what the network reaches on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npubench.core import format as fmt
from npubench.report.accuracy import interval_words, value_words
from npubench.report.charts import bars
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Grid, columns, number, text
from npubench.report.library import Library, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import AccuracyRecord
from npubench.runs.store import StoredRun

TITLE = "Accuracy"
ORDER = 66

Asked = Mapping[str, Sequence[AccuracyRecord]]


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every target that was asked, with the forms on the host."""
    pages = {run.target: library.page(run_page(run.run_id)) for run in network.runs}
    return _view(network.accuracy, pages)


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's answers."""
    run = stored.record
    return _view({run.target: run.accuracy} if run.accuracy else {}, {})


def _view(asked: Asked, pages: Mapping[str, str]) -> View | None:
    rows = [
        _row(target, item, {other.form: other for other in found}, pages)
        for target, found in asked.items()
        for item in found
        if item.form == "target" or not any(other.form == "target" for other in found)
    ]
    if not rows:
        return None
    return View(
        lead="Answers to labelled samples, sent through the line one by one. Intervals are 95 %. "
        "Beside it the float and the int8 network on the host, on the same samples.",
        figures=(_figure(asked),),
        grids=(
            Grid(
                name="accuracy",
                columns=columns(
                    "Target",
                    "#Answers",
                    "#95 %",
                    "#Samples",
                    "of",
                    "Interval",
                    "#as TFLM, bit by bit",
                    "#float, host",
                    "#int8, host",
                ),
                rows=tuple(rows),
            ).without_empty(),
        ),
    )


def _row(
    target: str,
    item: AccuracyRecord,
    forms: Mapping[str, AccuracyRecord],
    pages: Mapping[str, str],
) -> tuple[Cell, ...]:
    return (
        Cell(text=target, page=pages.get(target, "")),
        Cell(text=value_words(item), value=item.value, strong=True),
        text(interval_words(item)),
        number(item.samples),
        text(fmt.printable(item.data, 60)),
        text(item.interval),
        number(item.agreement_ratio, fmt.percent),
        _host(forms.get("float")),
        _host(forms.get("int8")),
    )


def _host(record: AccuracyRecord | None) -> Cell:
    return Cell(text=value_words(record), value=None if record is None else record.value)


def _figure(asked: Asked) -> Figure:
    rows: list[Row] = [
        {
            "target": target,
            "form": item.form,
            "value": item.value,
            "low": item.low,
            "high": item.high,
            "text": f"{value_words(item)} ({interval_words(item)}), {fmt.count(item.samples)} "
            "samples",
        }
        for target, found in asked.items()
        for item in found
    ]
    metrics = sorted({item.metric for found in asked.values() for item in found})
    return Figure(
        name="accuracy",
        title="How well it answers",
        words="; ".join(f"{row['target']} {row['form']}: {row['text']}" for row in rows),
        rows=tuple(rows),
        spec=bars(
            category="target",
            value="value",
            title=", ".join(metrics),
            colour="form",
            names=("float", "int8", "target"),
            offset=True,
            ranges=any(row["low"] is not None for row in rows),
            step=16,
        ),
    )
