"""The matrix says of each board what is there today, and no more."""

from __future__ import annotations

from npubench.boards import load_board, load_boards
from npubench.core.evidence import Evidence
from npubench.report.platform import (
    COLUMNS,
    PAPER,
    energy_of,
    in_order,
    lenders,
    standing,
    time_of,
)


def test_the_papers_platforms_come_first_and_nothing_is_lost() -> None:
    ordered = [board.id for board in in_order(load_boards())]
    assert tuple(ordered[: len(PAPER)]) == PAPER
    assert sorted(ordered) == [board.id for board in load_boards()]


def test_every_board_answers_every_column() -> None:
    for board in load_boards():
        found = standing(board)
        assert set(found) == set(COLUMNS)
        assert all(found.values())
        assert (found["seen"] == "no") == (board.status.proof is None)


def test_a_tool_that_only_met_a_stand_in_says_so() -> None:
    assert "stand-in" in standing(load_board("frdm-mcxn947"))["npu_compiler"]
    assert standing(load_board("frdm-mcxn947"))["simulator"] == "no"


def test_a_driven_simulator_is_named_and_its_cycles_only_where_it_tells_them() -> None:
    k210, mvp = (standing(load_board(name)) for name in ("k210-maix", "xg24-dk2601b"))
    assert k210["npu_compiler"] == "yes: `tools setup nncase`"
    assert "simulator" not in k210["cycles"]
    assert "simulator" in mvp["cycles"]


def test_vector_instructions_are_no_npu_and_an_executor_is_no_simulator() -> None:
    found = standing(load_board("esp32-s3-devkitc"))
    assert found["npu_compiler"].startswith("no NPU; the core's vector instructions by ESP-DL")
    assert "`tools setup esp-ppq`" in found["npu_compiler"]
    assert found["simulator"].startswith("no simulator; the compiler's own executor")
    assert found["cycles"] == "the board alone"


def test_what_the_user_must_bring_is_named_with_where_it_comes_from() -> None:
    for name, program, source in (
        ("frdm-mcxn947", "neutron-converter", "eIQ Neutron SDK"),
        ("stm32n6570-dk", "stedgeai", "account"),
        ("lp-mspm0g5187", "tvmc", "tiarmclang"),
    ):
        words = standing(load_board(name))["npu_compiler"]
        assert program in words
        assert source in words
        assert "stand-in alone" in words
    gap8 = standing(load_board("gapuino"))
    assert gap8["npu_compiler"] == "yes: `tools setup nntool`, with your own gap_sdk"
    assert "executor" in gap8["simulator"]


def test_an_accelerator_on_a_boards_model_is_told_in_time_by_its_program() -> None:
    for name in ("max78000fthr", "max78000evkit", "max78002evkit"):
        found = standing(load_board(name))
        assert "its cycles by its program" in found["simulator"]
        assert "bounds of the cortex-m4's issue" in found["cycles"]
        assert "NPU: its vendor's formula over the program (modelled)" in found["cycles"]
        assert ("published power" in found["energy"]) == (name == "max78002evkit")


def test_a_part_that_another_board_plays_gives_modelled_time() -> None:
    for board in load_boards():
        if board.stand_in is None:
            continue
        time = time_of(board)
        assert time.kind is Evidence.MODELLED, board.id
        assert "none" not in time.told
        assert "NPU: our timing model (modelled)" in standing(board)["cycles"]
    ruled, usual = (time_of(load_board(name)).words for name in ("ek-ra8p1", "imx93-evk"))
    assert "bounds of the cortex-m85's issue" in ruled
    assert "0.5 to 2 cycles each" in usual


def test_energy_is_told_where_power_of_the_part_was_published_and_nowhere_else() -> None:
    for board in load_boards():
        power, told = board.part_power, energy_of(board)
        if power is not None and power.source:
            assert told.kind is Evidence.MODELLED, board.id
            assert str(power.definition) in told.told
        elif power is not None:
            assert told.kind is None
            assert told.words.startswith("none") or "none published" in told.words


def test_what_a_part_lends_is_named_at_the_board_that_takes_it() -> None:
    assert lenders(load_board("qemu-m55-u55-64")) == ("grove-vision-ai-v2",)
    assert "`--as grove-vision-ai-v2`" in energy_of(load_board("qemu-m55-u55-64")).words
    assert lenders(load_board("qemu-m55-u65-256")) == ()
    lent = load_board("nucleo-u385rg-q")  # weights, but nothing that runs its images
    assert time_of(lent).kind is energy_of(lent).kind is None
    assert "`--as`" in energy_of(lent).told
