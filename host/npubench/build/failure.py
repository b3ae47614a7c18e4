"""What a failed build means: from the output of compiler and linker to an error of ours."""

from __future__ import annotations

import re

from npubench.boards import Board
from npubench.core.errors import DoesNotFit, NpubenchError, ToolError
from npubench.core.tool import TAIL_CHARS, ToolResult

_OVERFLOW = re.compile(r"region [`'\"]?(\w+)[`'\"]? overflowed by (\d+) bytes")
_ERROR = re.compile(
    r"^.*?(?:\berror: |\bfatal error: |undefined reference to |multiple definition of "
    r"|\bld: |^Error: ).*$",
    re.MULTILINE,
)
MAX_ERRORS = 5


def build_failure(result: ToolResult, board: Board) -> NpubenchError:
    """The error that a failed PlatformIO build stands for.

    DoesNotFit when the linker found a region too small (the region that lacks most; the figure
    leaves out gaps between sections that were no longer placed), else ToolError with the first
    error lines.
    """
    output = f"{result.stdout}\n{result.stderr}"
    overflows = {name: int(size) for name, size in _OVERFLOW.findall(output)}
    if overflows:
        name = max(overflows, key=overflows.__getitem__)
        free = _region_bytes(board, name)
        return DoesNotFit(
            needed_bytes=free + overflows[name],
            free_bytes=free,
            region=name,
            what=f"the firmware for {board.id}",
        )
    lines = list(dict.fromkeys(line.strip() for line in _ERROR.findall(output)))
    detail = "; ".join(lines[:MAX_ERRORS]) or f"PlatformIO ended with exit code {result.code}"
    return ToolError(
        f"the firmware for {board.id} does not build: {detail}",
        argv=result.argv,
        code=result.code,
        tail=output[-TAIL_CHARS:],
    )


def _region_bytes(board: Board, name: str) -> int:
    for region in board.memory:
        if region.name == name:
            stack = board.stack_bytes if region == board.region("ram") else 0
            return region.size_bytes - stack
    return board.stack_bytes
