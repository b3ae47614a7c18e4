"""A history as Rich text: a line of bars per target, then its changes."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.table import heading
from npubench.runs.history import History, Series

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60


def history_view(found: History) -> RenderableType:
    """Every series: its last value, its course, each change with its run."""
    parts: list[RenderableType] = []
    for series in found.series:
        last = series.points[-1]
        parts += [
            heading(printable(series.target)),
            Text(
                f"{found.metric} {fmt.quantity(last.value, series.unit)} ({series.evidence}), "
                f"{len(series.points)} runs  {_bars(series)}"
            ),
        ]
        for change in series.changes:
            sure = "" if change.p_value is None else f", p = {change.p_value:.3f}"
            parts.append(
                Text(
                    f"  {change.growth * 100:+.2f} % with {change.run_id}: "
                    f"{fmt.quantity(change.before, series.unit)} to "
                    f"{fmt.quantity(change.after, series.unit)}{sure}; "
                    f"{printable(change.version_before)} before, "
                    f"{printable(change.version_after)} after"
                )
            )
        if not series.changes:
            parts.append(Text("  no change", style="dim"))
    if found.left_out:
        parts.append(Text(f"\n{found.left_out} runs without it are left out", style="dim"))
    return Group(*parts)


def _bars(series: Series) -> str:
    values = [point.value for point in series.points[-WIDTH:]]
    low, high = min(values), max(values)
    if high == low:
        return BARS[3] * len(values)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values)
