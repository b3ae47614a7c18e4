"""What is varied, read from words."""

from __future__ import annotations

import pytest

from npubench.core.errors import UsageError
from npubench.sweep.axis import Axis, parse_axes, parse_axis


def test_ranges_hold_their_stop_and_keep_whole_numbers_whole() -> None:
    assert parse_axis("input=32:96:16") == Axis(name="input", values=(32, 48, 64, 80, 96))
    assert parse_axis("input=3:5") == Axis(name="input", values=(3, 4, 5))
    assert parse_axis("width=0.1:0.3:0.1").values == (0.1, 0.2, 0.3)
    assert parse_axis("width=0.25:1.0:0.25").values == (0.25, 0.5, 0.75, 1)


def test_lists_are_sorted_as_numbers_and_kept_as_words() -> None:
    assert parse_axis("input=96,32,64,32").values == (32, 64, 96)
    assert parse_axis("ethos-u.optimise=Size,Performance").values == ("Size", "Performance")
    axis = parse_axis("ethos-u.arena_cache=65536,16384")
    assert (axis.values, axis.backend, axis.option) == ((16384, 65536), "ethos-u", "arena_cache")
    assert axis.of_target
    assert axis.numeric
    assert parse_axis("backend=cpu,ethos-u").of_target


@pytest.mark.parametrize(
    "text",
    ["input", "input=", "input=1:x", "input=4:2", "input=1:9:0", "input=1,,2", "=3", "a=1:1e9"],
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_axis(text)


def test_an_axis_is_named_once() -> None:
    with pytest.raises(UsageError, match="given twice"):
        parse_axes(["input=1,2", "input=3"])
