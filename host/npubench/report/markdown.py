"""Tables in Markdown, for documents that are generated from the data."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.boards import Board
from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.catalog import memory_size, status_words


def boards_table(boards: Sequence[Board]) -> str:
    """Every board as a Markdown table, with a newline at its end."""
    head = ("board", "name", "kind", "core", "clock", "code and weights", "RAM", "NPU", "verified")
    rows = [
        (
            f"`{board.id}`",
            board.name,
            board.kind,
            board.cpu.core,
            fmt.si(board.cpu.hz, "Hz"),
            memory_size(board, "code"),
            memory_size(board, "ram"),
            fmt.NONE if board.npu is None else board.npu.name,
            status_words(board),
        )
        for board in boards
    ]
    return table(head, rows)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table, with a newline at its end."""
    lines = [_line(head), _line(tuple("---" for _ in head)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(printable(cell, 200).replace("|", "\\|") for cell in cells) + " |"
