"""A physical board with an NPU, as an emulated one plays it."""

from __future__ import annotations

import pytest

from npubench.boards import Board, board_ids, load_board
from npubench.compiler.backends.ethos_u import memory_system_of
from npubench.compiler.backends.ethos_u.options import settings_of
from npubench.emulators.board_model.description import on_model
from npubench.emulators.virtual_npu import configuration_of, needs_virtual_npu
from npubench.target import Place, own_place

PLAYED = tuple(name for name in board_ids() if load_board(name).stand_in is not None)


def test_the_parts_with_an_ethos_u_have_a_stand_in() -> None:
    assert {
        "grove-vision-ai-v2",
        "alif-e7-devkit",
        "psoc-edge-e84",
        "ek-ra8p1",
        "imx93-evk",
    } <= set(PLAYED)


@pytest.mark.parametrize("name", PLAYED)
def test_a_stand_in_has_the_parts_npu_clocks_and_sizes(name: str) -> None:
    part = load_board(name)
    board = on_model(part)
    assert (board.id, board.kind) == (name, "emulated")
    assert board.is_stood_in
    assert not board.is_model
    assert own_place(board) is Place.MODEL
    assert own_place(part) is Place.PHYSICAL
    assert board.cpu.hz == part.cpu.hz
    assert board.cpu.cpi_low is not None
    assert board.cpu.cpi_high is not None
    assert board.npu is not None
    assert part.npu is not None
    assert board.npu.config["accelerator"] == part.npu.config["accelerator"]
    assert board.status.npu == "modelled"
    assert part.stand_in is not None
    assert board.notes[0] == part.stand_in.note
    own = f"-mcpu={part.cpu.core}" in board.cpu.flags
    assert own == (part.stand_in.own_code or part.cpu.core == board.cpu.core)
    for role in ("code", "weights", "ram", "arena"):
        assert _bytes(board, role) <= _bytes(part, role)


def _bytes(board: Board, role: str) -> int:
    return sum(region.size_bytes for region in board.memory if role in region.roles)


@pytest.mark.parametrize("name", PLAYED)
def test_its_memories_are_those_that_vela_and_the_timing_read(name: str) -> None:
    board = on_model(load_board(name))
    settings = settings_of(board)
    system = memory_system_of(settings)
    assert needs_virtual_npu(board)
    told = configuration_of(board, memory_fd=3)
    assert (told.system_config, told.memory_mode) == (settings.system_config, settings.memory_mode)
    assert board.npu is not None
    assert system.clock_hz == board.npu.config.get("hz", board.cpu.hz)
    if settings.system_config_high:
        assert board.npu.config["system_config_high"] == settings.system_config_high
