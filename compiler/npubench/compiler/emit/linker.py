"""From a board's memory to linker regions."""

from __future__ import annotations

from npubench.boards import Board
from npubench.compiler.emit.context import Linker, Region
from npubench.core.errors import ConfigError

STACK_REGION = "nb_stack"
HARNESS_BYTES = 8192
"""What the harness and the libraries may want of the RAM beside the stack and the input."""


def linker_of(board: Board, *, input_bytes: int = 0) -> Linker:
    """The regions of a board. The stack takes the end of the RAM and is a region of its own, so
    that an overflow is the linker's own error, with its size. An uploaded input of
    ``input_bytes`` that the RAM cannot hold lies with the arena, where that has a larger region."""
    ram = board.region("ram")
    arena = board.region("arena")
    if board.stack_bytes % 8 or not 0 < board.stack_bytes < ram.size_bytes:
        raise ConfigError(
            f"board {board.id}: stack_bytes is {board.stack_bytes}, the region {ram.name} has "
            f"{ram.size_bytes} bytes",
            hint="it must be a multiple of 8 and smaller than the region",
        )
    regions = [
        Region(
            name=region.name,
            attributes="rwx" if _writable(region.roles) else "rx",
            base=f"0x{region.base:08X}",
            size=f"0x{region.size_bytes - (board.stack_bytes if region == ram else 0):X}",
        )
        for region in board.memory
    ]
    top = ram.base + ram.size_bytes
    regions.append(
        Region(
            name=STACK_REGION,
            attributes="rw",
            base=f"0x{top - board.stack_bytes:08X}",
            size=f"0x{board.stack_bytes:X}",
        )
    )
    apart = (
        arena.size_bytes > ram.size_bytes
        and input_bytes + HARNESS_BYTES > ram.size_bytes - board.stack_bytes
    )
    return Linker(
        regions=tuple(regions),
        code=board.region("code").name,
        weights=board.region("weights").name,
        ram=ram.name,
        arena=arena.name,
        fixture=arena.name if apart else ram.name,
        cleared="output" if apart else "arena" if arena == ram else "fixture",
        stack=STACK_REGION,
    )


def _writable(roles: tuple[str, ...]) -> bool:
    return "ram" in roles or "arena" in roles
