"""Skips that are alike everywhere: what a board's tests need, found as the build finds it."""

from __future__ import annotations

import pytest

from npubench.boards import load_board
from npubench.build.compiler import find_compiler
from npubench.core.errors import ToolMissing


def need_compiler(board: str) -> None:
    """Skip the test where the board's compiler or its C library is not installed."""
    try:
        find_compiler(load_board(board))
    except ToolMissing as error:
        pytest.skip(f"the compiler of {board} is not installed: {error.message}")
