"""The C compiler as a dimension of a target: gcc, or clang with gcc's libraries and linker."""

from __future__ import annotations

from typing import Final

from npubench.boards import Board
from npubench.compiler.backends import Option
from npubench.compiler.plan import Toolchain
from npubench.core.errors import UsageError

TOOLCHAIN: Final = Option(
    name="toolchain",
    help="the C compiler; clang (Arm boards) links with gcc's libraries",
    default="gcc",
    choices=("gcc", "clang"),
)


LEVEL: Final = Option(
    name="level",
    help="how the C compiler optimises the kernels",
    default="O2",
    choices=("Os", "O2", "O3"),
)


def require_toolchain(toolchain: Toolchain, board: Board, level: str = "O2") -> None:
    """Raise UsageError where clang, or another level, cannot build for a board."""
    if level != LEVEL.default and board.sdk is not None:
        raise UsageError(
            f"level={level} is for boards that this project builds itself, and {board.id} is built "
            f"by {board.sdk.framework}",
            hint="leave the option out",
        )
    if toolchain == "clang" and not board.toolchain.prefix.startswith("arm-none-eabi-"):
        raise UsageError(
            f"toolchain=clang builds for Arm Cortex-M alone, and {board.id} is none",
            hint="leave the option out",
        )
