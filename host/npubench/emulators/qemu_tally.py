"""The tally on QEMU: a plugin that writes down what runs between any two reads of the counter.

Built with the host's compiler on first use; QEMU loads it into its own process. The windows are
read by board_model/counting.py (read_windows), like those of the board models.
"""

from __future__ import annotations

import os
from pathlib import Path

from npubench.boards import Board
from npubench.core.errors import ConfigError
from npubench.emulators.board_model.counting import TALLY_HEADERS
from npubench.emulators.host_library import host_library

_SOURCE = Path(__file__).with_suffix(".c")


def tally_arguments(board: Board, windows: Path) -> tuple[str, ...]:
    """QEMU's arguments for a tally of ``board`` into ``windows``.

    Raises ConfigError when the counter's address is not in the board's file, ToolMissing without a
    C compiler.
    """
    if board.counter.address is None:
        raise ConfigError(
            f"board {board.id}: counter.address is needed to tell what runs in a window"
        )
    code = board.region("code")
    library = host_library(_SOURCE, TALLY_HEADERS, what="a tally on QEMU")
    words = (
        os.fspath(library),
        f"windows={_escaped(windows)}",
        f"counter={board.counter.address:#x}",
        f"flash={code.base:#x}",
        f"bytes={code.size_bytes:#x}",
    )
    return ("-plugin", ",".join(words))


def _escaped(path: Path) -> str:
    """A path in QEMU's lists: a comma is doubled."""
    return os.fspath(path.resolve()).replace(",", ",,")
