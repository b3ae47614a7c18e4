"""Where it breaks, on a terminal: one sentence for each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core.format import printable


def limits_view(limits: Sequence[Mapping[str, Any]]) -> RenderableType:
    """``limits`` as documents of ``sweep.limit.Limit``."""
    lines: list[Text] = []
    for limit in limits:
        axis, held = limit["axis"], "fits"
        if limit["budgets"]:
            held = f"fits and meets {', '.join(limit['budgets'])}"
        if limit["breaks"] is None:
            text = f"{axis} up to {limit['holds']:g}, the largest that was asked for, {held}"
        elif limit["holds"] is None:
            text = f"not even {axis} {limit['breaks']:g} {held}"
        else:
            text = f"{axis} {limit['holds']:g} is the largest that {held}"
        lines.append(Text(f"{limit['series']}: {text}", style="bold"))
        if limit["breaks"] is not None:
            reason = printable(str(limit["reason"]), 400)
            lines.append(Text(f"  {axis} {limit['breaks']:g}: {reason}"))
        if not limit["monotonic"]:
            lines.append(
                Text("  a larger value that was tried holds, too: cost does not only grow")
            )
        lines.append(
            Text(f"  {limit['tried']} of {limit['values_count']} values were tried", style="dim")
        )
    return Group(*lines)
