"""The empty firmware of a board, built once: what a board costs before it does anything."""

from __future__ import annotations

from npubench.boards import Board
from npubench.build.firmware import Firmware, build_firmware
from npubench.compiler.emit.baseline import render_baseline
from npubench.core.progress import Reporter


def build_baseline(board: Board, reporter: Reporter) -> Firmware:
    """The empty firmware: start-up and an endless loop. Errors as build_firmware."""
    return build_firmware(
        render_baseline(board), board, reporter=reporter, job=f"empty firmware on {board.id}"
    )
