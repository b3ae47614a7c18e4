"""Where a series of values changes its level, and where it only wanders.

Exact values (counts that repeat) change wherever they change. Of noisy ones a level's end is
looked for by binary segmentation on the cumulative sum of deviations from the mean, and believed
only when a permutation of the series shows the like in fewer than one of twenty cases (W. A.
Taylor, "Change-Point Analysis", 2000, with the test of Pettitt's kind by permutation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 999
ALPHA = 0.05
MIN_LEVEL = 3
"""A level of noisy values has at least so many of them."""
MIN_RELATIVE_STEP = 0.01
"""Smaller steps of noisy values are not named, as in ``compare``."""
SEED = 20261127


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A level begins at ``index``. ``before`` and ``after`` are the medians of the two levels;
    ``p_value`` is None for exact values."""

    index: int
    before: float
    after: float
    p_value: float | None


def changes(values: Sequence[float], *, exact: bool) -> tuple[Change, ...]:
    """The changes of level in a series in time order. ``exact``: values without noise."""
    series = np.asarray(values, dtype=np.float64)
    if exact:
        return tuple(
            Change(index=i, before=float(series[i - 1]), after=float(series[i]), p_value=None)
            for i in range(1, len(series))
            if series[i] != series[i - 1]
        )
    if len(series) < 2 * MIN_LEVEL:
        return ()
    random = np.random.RandomState(SEED)
    found: list[tuple[int, float]] = []
    _split(series, 0, random, found)
    found.sort()
    bounds = [0, *(index for index, _ in found), len(series)]
    medians = [float(np.median(series[begin:end])) for begin, end in pairwise(bounds)]
    return tuple(
        Change(index=index, before=before, after=after, p_value=p_value)
        for (index, p_value), before, after in zip(found, medians, medians[1:], strict=False)
        if before and abs(after / before - 1) >= MIN_RELATIVE_STEP
    )


def _split(
    series: NDArray[np.float64],
    offset: int,
    random: np.random.RandomState,
    found: list[tuple[int, float]],
) -> None:
    if len(series) < 2 * MIN_LEVEL or np.ptp(series) == 0.0:
        return
    index, height = _peak(series)
    higher = sum(_peak(random.permutation(series))[1] >= height for _ in range(PERMUTATIONS))
    p_value = (higher + 1) / (PERMUTATIONS + 1)
    if p_value >= ALPHA:
        return
    found.append((offset + index, p_value))
    _split(series[:index], offset, random, found)
    _split(series[index:], offset + index, random, found)


def _peak(series: NDArray[np.float64]) -> tuple[int, float]:
    """The first index of the second level, and the height of the cumulative sum's peak there."""
    sums = np.abs(np.cumsum(series - series.mean()))[MIN_LEVEL - 1 : len(series) - MIN_LEVEL]
    place = int(np.argmax(sums))
    return place + MIN_LEVEL, float(sums[place])
