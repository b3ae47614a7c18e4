"""A physical board with an NPU as an emulated one plays it.

The emulated board gives core, start-up, console and the link to the NPU's model; the part gives the
code's instruction set where the core runs it, the NPU's configuration, both clocks, its memories'
timing and sizes. The image is not the part's own.
"""

from __future__ import annotations

from npubench.boards import Board, MemoryRegion, load_board
from npubench.core.errors import ConfigError


def stood_in(board: Board) -> Board:
    """``board`` as its stand-in plays it. Raises ConfigError when its file says too little."""
    assert board.stand_in is not None
    base = load_board(board.stand_in.board)
    if board.npu is None or base.npu is None:
        raise ConfigError(f"board {board.id}: a stand-in needs [npu] in both files")
    config = {**base.npu.config, **board.npu.config, **board.stand_in.config}
    return base.model_copy(
        update={
            "id": board.id,
            "name": board.name,
            "part": board.part,
            "stand_in": board.stand_in,
            "cpu": base.cpu.model_copy(
                update={
                    "hz": board.cpu.hz,
                    "flags": board.cpu.flags if board.stand_in.own_code else base.cpu.flags,
                    "kernels": board.cpu.kernels,
                    "cpi_low": board.cpu.cpi_low,
                    "cpi_high": board.cpu.cpi_high,
                }
            ),
            "memory": tuple(_limited(region, board) for region in base.memory),
            "npu": base.npu.model_copy(update={"name": board.npu.name, "config": config}),
            "power": board.power,
            "part_power": board.part_power,
            "sources": (*board.sources, *base.sources),
            "notes": (board.stand_in.note, *board.notes),
        }
    )


def _limited(region: MemoryRegion, board: Board) -> MemoryRegion:
    """A region of the emulated board, no larger than the part's for the same content."""
    sizes = [r.size_bytes for r in board.memory if set(r.roles) & set(region.roles)]
    return region.model_copy(update={"size_bytes": min([region.size_bytes, *sizes])})
