"""The matrix says of each board what is there today, and no more."""

from __future__ import annotations

from npubench.boards import load_board, load_boards
from npubench.report.platform import COLUMNS, PAPER, in_order, standing


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


def test_an_accelerator_on_a_boards_model_answers_but_tells_no_time() -> None:
    for name in ("max78000fthr", "max78000evkit", "max78002evkit"):
        found = standing(load_board(name))
        assert "our model of the NPU, without time" in found["simulator"]
        assert "NPU" not in found["cycles"]
