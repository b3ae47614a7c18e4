"""How cost grows: a sweep's points, the law that explains them, and the steps that it does not."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.report.charts import points
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Column, Grid, columns, number, size, text
from npubench.report.library import Library, run_page
from npubench.report.view import View
from npubench.report.views.stages import unit_of
from npubench.runs.sweeps import LawRecord, PointRecord, StepRecord, SweepRecord

TITLE = "How cost grows"
ORDER = 10

SEEDED = (
    "The networks were made for their cost alone: their weights are seeded and their answers mean "
    "nothing."
)


def of_sweep(subject: SweepRecord, library: Library) -> View | None:
    """A figure for each numeric axis and unit, then laws, steps and points."""
    known = [point for point in subject.points if point.cost is not None]
    figures = []
    for axis, values in subject.axes.items():
        if len(values) > 2 and not any(isinstance(value, str) for value in values):
            for unit in dict.fromkeys(point.unit or "" for point in known):
                same = [point for point in known if (point.unit or "") == unit]
                figures += _figures(subject, axis, unit, same)
    grids = [_laws(subject.laws)] if subject.laws else []
    grids += [_steps(subject.steps)] if subject.steps else []
    grids.append(_points(subject, library))
    return View(
        claim=" ".join(
            f"{law.series}: {law.text}." for law in subject.laws if law.metric == "infer"
        )
        or "",
        lead="Each point is a run of its own. A law is fitted to them, its error is the typical "
        "distance of a point; where a point leaves it, the step is named with what the records "
        "differ in.",
        figures=tuple(figures),
        grids=tuple(grids),
        notes=(SEEDED,) if subject.weights == "seeded" else (),
    )


def _figures(sweep: SweepRecord, axis: str, unit: str, same: Sequence[PointRecord]) -> list[Figure]:
    factor, words = unit_of(unit, max(float(point.cost or 0) for point in same))
    after = {(step.series, step.after) for step in sweep.steps if step.axis == axis}
    rows: list[Row] = [
        {
            "series": point.series,
            "axis": value,
            "cost": float(point.cost or 0) / factor,
            "utilization": point.utilization_ratio,
            "label": ", ".join(f"{name} {item}" for name, item in point.values.items()),
            "text": fmt.stage(point.cost, unit, low=point.cost_low, high=point.cost_high)
            + (", a step" if (point.series, value) in after else ""),
        }
        for point in same
        if isinstance(value := point.values.get(axis), int | float)
    ]
    if len(rows) < 3:
        return []
    series = list(dict.fromkeys(str(row["series"]) for row in rows))
    laws = "; ".join(f"{law.series}: {law.text}" for law in sweep.laws if law.unit == unit)
    figures = [
        Figure(
            name=f"cost-{axis}-{unit}".replace("_", "-"),
            title=f"infer over {axis}",
            words=laws or f"{len(rows)} points",
            rows=tuple(rows),
            spec=points(
                x="axis", y="cost", x_title=axis, y_title=f"infer, {words}", colour="series",
                label="label", names=series,
            ),
            note=laws,
        )
    ]  # fmt: skip
    if any(row["utilization"] is not None for row in rows):
        figures.append(
            Figure(
                name=f"utilization-{axis}-{unit}".replace("_", "-"),
                title=f"Utilization over {axis}",
                words="executed MACs per unit of cost over the most that the engine can do",
                rows=tuple(row for row in rows if row["utilization"] is not None),
                spec=points(
                    x="axis", y="utilization", x_title=axis, y_title="utilization",
                    colour="series", label="label", names=series,
                ),
            )
        )  # fmt: skip
    return figures


def _laws(laws: Sequence[LawRecord]) -> Grid:
    return Grid(
        name="laws",
        caption="Laws",
        columns=columns("Target", "Metric", "~Law", "#Error", "#Points", "#Steps beside it"),
        rows=tuple(
            (
                text(law.series),
                text(law.metric),
                text(law.text),
                Cell(text=f"± {law.error_pct:.2g} %", value=law.error_pct),
                number(law.points),
                number(law.steps_excluded),
            )
            for law in laws
        ),
    )


def _steps(steps: Sequence[StepRecord]) -> Grid:
    return Grid(
        name="steps",
        caption="Steps: where cost leaves its law",
        columns=columns("Target", "Between", "#Beyond the law", "Layer", "~Cause"),
        rows=tuple(
            (
                text(step.series),
                text(f"{step.axis} {step.before} and {step.after}"),
                Cell(
                    text=fmt.signed(fmt.percent(step.change_ratio), step.change_ratio),
                    value=step.change_ratio,
                ),
                text("" if step.layer is None else f"{step.layer} {step.layer_op}"),
                text(fmt.printable(step.cause or "the records show no cause", 300)),
            )
            for step in steps
        ),
    )


def _points(sweep: SweepRecord, library: Library) -> Grid:
    rows = []
    for point in sweep.points:
        unit = point.unit or ""
        run = point.run_id or ""
        page = library.page(run_page(run)) if run else ""
        rows.append(
            (
                Cell(text=point.series, page=page),
                *(
                    Cell(text=str(value), value=value if isinstance(value, int | float) else None)
                    for value in (point.values.get(axis, "") for axis in sweep.axes)
                ),
                number(point.macs),
                Cell(text=fmt.stage(point.cost, unit), value=point.cost),
                number(point.utilization_ratio, fmt.percent),
                size(point.flash_bytes),
                size(point.ram_bytes),
                number(point.energy_uj, lambda value: fmt.micro(value, "J")),
                text(fmt.printable(point.reason or "", 160)),
            )
        )
    return Grid(
        name="points",
        caption="Points",
        columns=(
            Column(title="Target"),
            *(Column(title=axis, number=True) for axis in sweep.axes),
            *columns("#MACs", "#Infer", "#Utilization", "#Flash", "#RAM", "#Energy", "~Why not"),
        ),
        rows=tuple(rows),
        dense=True,
    ).without_empty()
