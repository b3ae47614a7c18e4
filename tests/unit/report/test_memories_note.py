"""An analysis for a physical board says with which memories its NPU's cycles are told."""

from __future__ import annotations

from npubench.boards import load_board
from npubench.emulators.stand_in import stood_in
from npubench.report.describe import memories_note


def test_a_part_compiled_with_other_memories_says_how_to_see_its_own() -> None:
    board = load_board("alif-e7-devkit")
    note = memories_note(board)
    assert note is not None
    assert "Alif_E7_HP, All_On_Port_0" in note
    assert note.endswith("(Alif_E7_HP_Sram_Mram, Shared_Sram): --on-model")
    assert memories_note(stood_in(board)) is None


def test_where_both_are_the_same_nothing_is_said() -> None:
    for name in ("ek-ra8p1", "psoc-edge-e84", "qemu-m55-u55", "nucleo-l4r5zi"):
        assert memories_note(load_board(name)) is None
