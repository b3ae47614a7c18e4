"""A sweep on a terminal: for each series its points, a small plot, the law, the steps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.report.table import cell, new_table, number
from npubench.runs.sweeps import LawRecord, PointRecord, StepRecord, SweepRecord

PLOT_COLUMNS = 60
PLOT_ROWS = 12
MOST_ROWS = 24


def sweep_view(sweep: SweepRecord) -> RenderableType:
    """The whole sweep."""
    parts: list[RenderableType] = []
    for series in sweep.series:
        own = [point for point in sweep.points if point.series == series]
        parts += [Text(f"{sweep.model} on {series}", style="bold"), _table(sweep, own)]
        axis = _plot_axis(sweep)
        steps = [step for step in sweep.steps if step.series == series]
        if axis is not None:
            drawn = plot(own, axis, steps)
            if drawn:
                parts.append(Text(drawn))
        laws = [law for law in sweep.laws if law.series == series]
        parts += [law_line(law) for law in laws]
        if not laws:
            parts.append(Text(f"law: none, too few points have a cost ({_known(own)})", "dim"))
        parts += [step_line(step) for step in steps]
        if not steps and laws:
            parts.append(Text("steps: none beyond the law", "dim"))
        parts.append(Text(""))
    if sweep.weights == "seeded":
        parts.append(
            Text(
                "Weights are seeded: for cost and bit-exactness; the networks answer nothing.",
                "dim",
            )
        )
    return Group(*parts)


def law_line(law: LawRecord) -> Text:
    """One law, with what spoke for it."""
    others = sorted((value, name) for name, value in law.aicc.items() if name != law.form)
    own = law.aicc.get(law.form)
    margin = ""
    if others and own is not None:
        margin = f"; next best {others[0][1]}, AICc +{others[0][0] - own:.1f}"
    beside = (
        f"; {law.steps_excluded} step{'' if law.steps_excluded == 1 else 's'} fitted beside"
        if law.steps_excluded
        else ""
    )
    return Text(
        f"law ({law.metric}): {law.text}; ±{law.error_pct:.2g} % over {law.points} points"
        f"{margin}{beside}"
    )


def step_line(step: StepRecord) -> Text:
    """One step, with its layer and cause."""
    return Text(fmt.printable(f"step: {step.text}", 600), style="yellow")


def _known(points: Sequence[PointRecord]) -> int:
    return sum(point.cost is not None for point in points)


def _plot_axis(sweep: SweepRecord) -> str | None:
    numeric = [
        name
        for name, values in sweep.axes.items()
        if len(values) > 2 and not any(isinstance(value, str) for value in values)
    ]
    return numeric[0] if numeric else None


def _table(sweep: SweepRecord, points: Sequence[PointRecord]) -> RenderableType:
    table = new_table(tight=True)
    for axis in sweep.axes:
        table.add_column(axis, justify="right", no_wrap=True)
    for title in ("MACs", "Infer", "/MAC", "Util", "Flash", "RAM", "Energy"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    shown = list(points)
    left_out = 0
    if len(shown) > MOST_ROWS:
        stride = -(-len(shown) // MOST_ROWS)
        kept = [point for index, point in enumerate(shown) if index % stride == 0 or point.reason]
        left_out, shown = len(shown) - len(kept), kept
    for point in shown:
        per_mac = point.cost / point.macs if point.cost is not None and point.macs else None
        table.add_row(
            *(number(f"{point.values.get(axis, '-')}") for axis in sweep.axes),
            number(fmt.count(point.macs)),
            number(_cost(point)),
            number(_per_mac(per_mac, point.unit)),
            number(fmt.percent(point.utilization_ratio)),
            number(fmt.size(point.flash_bytes)),
            number(fmt.size(point.ram_bytes)),
            number(fmt.micro(point.energy_uj, "J")),
            cell(fmt.printable(point.reason or "", 160)),
        )
    if not left_out:
        return table
    return Group(table, Text(f"{left_out} points not shown; --json has them all", style="dim"))


def _cost(point: PointRecord) -> str:
    """With its range, where that shows in three digits."""
    if point.cost is None:
        return fmt.NONE
    unit = point.unit or ""
    low, high = fmt.stage(point.cost_low, unit), fmt.stage(point.cost_high, unit)
    if point.cost_low is None or low == high:
        return fmt.stage(point.cost, unit)
    return fmt.stage(point.cost, unit, low=point.cost_low, high=point.cost_high)


def _per_mac(value: float | None, unit: str | None) -> str:
    if value is None or unit not in ("us", "us_modelled"):
        return fmt.per_mac(value)
    return fmt.micro(value, "s")


def plot(points: Sequence[PointRecord], axis: str, steps: Sequence[StepRecord]) -> str:
    """Cost over the axis in characters; a step's point is drawn as ``#``."""
    known = [
        (float(value), float(point.cost))
        for point in points
        if point.cost is not None and isinstance(value := point.values.get(axis), int | float)
    ]
    if len(known) < 3:
        return ""
    after = {
        float(step.after)
        for step in steps
        if step.axis == axis and isinstance(step.after, int | float)
    }
    low_x, high_x = min(x for x, _ in known), max(x for x, _ in known)
    top = max(y for _, y in known)
    rows = [[" "] * PLOT_COLUMNS for _ in range(PLOT_ROWS)]
    for x, y in known:
        column = round((x - low_x) / (high_x - low_x or 1) * (PLOT_COLUMNS - 1))
        row = PLOT_ROWS - 1 - round(y / top * (PLOT_ROWS - 1))
        rows[row][column] = "#" if x in after else "o" if rows[row][column] != "#" else "#"
    unit = next((point.unit for point in points if point.unit), "") or ""
    lines = [fmt.stage(top, unit)]
    lines += ["│" + "".join(row).rstrip() for row in rows]
    lines.append("└" + "─" * PLOT_COLUMNS)
    right = f"{high_x:g}"
    lines.append(f" {axis} {low_x:g}".ljust(PLOT_COLUMNS + 1 - len(right)) + right)
    return "\n".join(lines)
