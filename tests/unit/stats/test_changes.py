"""A change of level is found where it is, and noise is not one."""

from __future__ import annotations

import numpy as np
import pytest

from npubench.stats.changes import changes


def noisy(levels: list[tuple[int, float]], seed: int, spread: float = 0.02) -> list[float]:
    random = np.random.RandomState(seed)
    return [
        float(level * (1 + spread * random.standard_normal()))
        for count, level in levels
        for _ in range(count)
    ]


def test_exact_values_change_wherever_they_change() -> None:
    found = changes([5, 5, 6, 6, 5], exact=True)
    assert [(change.index, change.before, change.after) for change in found] == [
        (2, 5, 6),
        (4, 6, 5),
    ]
    assert changes([7, 7, 7], exact=True) == ()
    assert changes([], exact=True) == ()
    assert changes([], exact=False) == ()


@pytest.mark.parametrize("seed", range(10))
def test_a_step_is_found_within_two_places(seed: int) -> None:
    found = changes(noisy([(12, 100.0), (12, 110.0)], seed), exact=False)
    assert len(found) == 1
    assert abs(found[0].index - 12) <= 2
    assert found[0].after / found[0].before == pytest.approx(1.1, abs=0.03)


def test_noise_alone_is_rarely_called_a_change() -> None:
    called = sum(bool(changes(noisy([(24, 100.0)], seed), exact=False)) for seed in range(60))
    assert called <= 6


def test_two_steps_are_both_found() -> None:
    found = changes(noisy([(10, 100.0), (10, 130.0), (10, 90.0)], 1), exact=False)
    assert [round(change.index / 10) for change in found] == [1, 2]


def test_a_step_below_one_per_cent_is_not_named() -> None:
    assert changes(noisy([(20, 100.0), (20, 100.5)], 3, spread=0.0001), exact=False) == ()
