"""What each option of an NPU's compiler costs, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.report.table import cell, heading, new_table

AS_IS = "as it is"


def costs_view(costs: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A line for each way, memory and cycles against the first one's. ``costs``: documents."""
    table = new_table(tight=True)
    table.add_column("--set", overflow="fold")
    for title in ("Arena", "Constants", "NPU cycles", "against", "on the CPU"):
        table.add_column(title, justify="right", no_wrap=True)
    reasons = []
    base = costs[0]["npu_cycles"]
    for cost in costs:
        name, cycles = cost["changed"], cost["npu_cycles"]
        if cost["reason"]:
            table.add_row(cell(name, 60), "none", "", "", "", "")
            reasons.append(Text(f"{name}: {cost['reason']}"[:500], style="yellow"))
            continue
        high = cost["npu_cycles_high"]
        words = fmt.count(cycles)
        table.add_row(
            cell(name or AS_IS, 60),
            fmt.size(cost["ram_bytes"]),
            fmt.size(cost["constants_bytes"]),
            words if high == cycles else f"{words} to {fmt.count(high)}",
            fmt.ratio(cycles / base) if name and base else "",
            str(cost["on_cpu"]),
        )
    note = Text(
        "Nothing ran: memory as planned, cycles by the timing model; one option changed at a time.",
        style="dim",
    )
    return Group(heading("What each option costs"), table, *reasons, note)
