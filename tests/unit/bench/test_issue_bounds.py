"""A part's CPU share lies between bounds that follow from what was executed, class by class."""

from __future__ import annotations

import random
import re

import pytest

from npubench.bench.issue_bounds import rules_of
from npubench.boards import Board, board_ids, load_board
from npubench.cycles.issue import RULES, IssueRules, issue_bounds
from npubench.emulators import board_model
from npubench.emulators.stand_in import stood_in

STOOD_IN = tuple(b for b in map(load_board, board_ids()) if b.stand_in is not None)
M55 = RULES["cortex-m55"]


def counted_names() -> tuple[list[str], list[str]]:
    """Classes, and what is counted besides, from the C files that count."""
    folder = next(iter(board_model.__path__))
    names = []
    for file, macro in (("decode.h", "NB_CLASSES"), ("tally.h", "NB_EXTRAS")):
        with open(f"{folder}/{file}", encoding="utf-8") as text:
            body = re.search(rf"#define {macro}\(X\)(.*?)\n\n", text.read(), re.S)
        assert body is not None
        names.append([name.lower() for name in re.findall(r"X\((\w+)\)", body[1])])
    return names[0], names[1]


@pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: rules.core)
def test_rules_name_what_is_counted(rules: IssueRules) -> None:
    classes, extras = counted_names()
    assert set(rules.classes) <= set(classes)
    assert {*rules.extra_low, *rules.extra_high} <= set(extras)
    assert all(low <= high for low, high in rules.classes.values())


@pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: rules.core)
def test_the_low_end_is_never_above_the_high_one(rules: IssueRules) -> None:
    classes, extras = counted_names()
    draw = random.Random(1)
    for _ in range(200):
        counts = {name: draw.randrange(1000) for name in classes}
        counts |= {name: draw.randrange(100) for name in extras}
        low, high = issue_bounds(rules, counts)
        assert low <= high


def test_a_loop_of_vector_work_takes_one_to_two_cycles_an_instruction() -> None:
    counts = {"mve": 100.0, "mve_load": 100.0, "loop": 50.0, "ldm_words": 0.0, "taken": 50.0}
    low, high = issue_bounds(M55, counts)
    assert low == 200.0
    assert high == 200 * 2 + 50 * 1 + 50 * 3


def test_pairs_issue_together_and_waits_are_added() -> None:
    counts = {"move": 10.0, "ldr": 4.0, "ldm_words": 0.0, "load_use": 3.0, "pair_narrow": 2.0}
    assert issue_bounds(M55, counts) == (12.0, 17.0)


@pytest.mark.parametrize("board", STOOD_IN, ids=lambda board: board.id)
def test_every_part_on_model_is_bounded_by_the_rules_of_its_own_core(board: Board) -> None:
    rules = rules_of(stood_in(board))
    if board.cpu.core == "cortex-m33":
        # No public rules are gathered for it: the range of its board's file holds for every window.
        assert rules is None
        assert (board.cpu.cpi_low, board.cpu.cpi_high) == (0.5, 2.0)
        return
    assert rules is not None
    assert rules.core == board.cpu.core
    assert rules_of(board) is None


def test_a_generic_board_keeps_its_range() -> None:
    assert rules_of(load_board("qemu-m55-u55")) is None
