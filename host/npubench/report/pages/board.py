"""A page for each board that was run: its results, and what it is."""

from __future__ import annotations

from collections.abc import Iterator

from npubench.report.library import Library, board_of, board_page
from npubench.report.page import Page
from npubench.report.sections import sections

ORDER = 20


def pages(library: Library) -> Iterator[Page]:
    """In order of their ids."""
    for name in library.boards:
        board = board_of(name)
        yield Page(
            path=board_page(name),
            kind="board",
            title=name,
            key=f"board-{name}",
            sections=sections("board", name, library),
            values={"words": "" if board is None else board.name},
        )
