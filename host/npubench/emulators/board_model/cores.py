"""From a board's core to the class that plays it."""

from __future__ import annotations

from pathlib import Path

from npubench.boards import Board
from npubench.core.errors import ConfigError
from npubench.emulators.board_model.description import RegisterModel
from npubench.emulators.board_model.machine import BoardModel
from npubench.emulators.board_model.powered import PoweredBoard
from npubench.emulators.board_model.riscv import RiscvModel

MODELS: tuple[type[PoweredBoard], ...] = (BoardModel, RiscvModel)


def power_up(board: Board, elf: Path, *, registers: RegisterModel | None = None) -> PoweredBoard:
    """A powered model of ``board`` with an image. Raises what PoweredBoard raises, ConfigError when
    no model has its core."""
    for model in MODELS:
        if board.cpu.core in model.CPU_MODELS:
            return model(board, elf, registers=registers)
    known = sorted(core for model in MODELS for core in model.CPU_MODELS)
    raise ConfigError(
        f"{board.id}: Unicorn has no {board.cpu.core}",
        hint=f"board models serve {', '.join(known)}",
    )
