"""The table of foreign tools' environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npubench.report.table import cell, name, new_table, number

if TYPE_CHECKING:
    from rich.table import Table

    from npubench.toolenv.environment import State


def tools_table(states: tuple[State, ...]) -> Table:
    """One row for each tool: how it stands, its size in MB (expected, where it is not there)."""
    table = new_table()
    for heading in ("tool", "status", "version", "MB", "licence", "what it does"):
        table.add_column(heading, justify="right" if heading == "MB" else "left")
    for state in states:
        table.add_row(
            name(state.id),
            name(state.status),
            name(state.version or "-"),
            number(str(state.mb)),
            cell(state.licence),
            cell(f"{state.title}; {state.purpose}"),
        )
    return table
