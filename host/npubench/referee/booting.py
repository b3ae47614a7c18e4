"""Boots an image that somebody else built on its board's model."""

from __future__ import annotations

from pathlib import Path

from npubench.bench.booting import converse_with
from npubench.boards import load_board
from npubench.core.progress import Reporter
from npubench.referee.identify import identify


def boot_image(image: Path, *, board_id: str | None, pty: Path | None, reporter: Reporter) -> None:
    """Boot ``image`` and talk to it until the user leaves. The board is found from the image where
    none is named; raises UsageError when it cannot be."""
    board = load_board(board_id or identify(image))
    converse_with(board, image, title=image.name, pty=pty, reporter=reporter, foreign=True)
