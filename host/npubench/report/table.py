"""The look of our terminal tables, in one place."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from npubench.core.format import printable


def new_table(*, tight: bool = False) -> Table:
    """An empty table: a rule under the head, no frame. ``tight`` saves a column of each gap."""
    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        header_style="bold",
        padding=0 if tight else (0, 1),
        collapse_padding=True,
    )


def cell(text: str, limit: int = 60) -> Text:
    """Text that came from a file: printable, limited, never markup."""
    return Text(printable(text, limit), overflow="fold")


def name(text: str, limit: int = 24) -> Text:
    """An identifier: as ``cell``, but kept on one line."""
    return Text(printable(text, limit), no_wrap=True)


def number(text: str) -> Text:
    """A formatted value, kept on one line."""
    return Text(text, justify="right", no_wrap=True)


def heading(text: str) -> Text:
    """A section's head, with an empty line above."""
    return Text(f"\n{text}", style="bold")


def key_values(rows: Sequence[tuple[str, str]]) -> Table:
    """Names and values, without a head."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table
