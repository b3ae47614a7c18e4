"""A capture's lowest and highest current per column: what a plot of any width can show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.power.source.interface import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """``low_ua`` and ``high_ua`` per column, NaN where nothing was captured; column c covers the
    samples from ``first + c * per_column`` on."""

    first: int
    per_column: float
    low_ua: NDArray[np.float32]
    high_ua: NDArray[np.float32]


def envelope(blocks: Iterable[Block], *, first: int, stop: int, columns: int) -> Envelope:
    """One pass over the samples from ``first`` to ``stop``; a peak of one sample is never lost."""
    columns = max(1, min(columns, stop - first))
    per_column = (stop - first) / columns
    low = np.full(columns, np.inf, np.float32)
    high = np.full(columns, -np.inf, np.float32)
    bounds = first + np.floor(np.arange(columns + 1) * per_column).astype(np.int64)
    bounds[-1] = stop
    for block in blocks:
        start, end = max(first, block.first), min(stop, block.first + len(block))
        if end <= start:
            continue
        values = block.current_ua[start - block.first : end - block.first]
        begin = int(np.searchsorted(bounds, start, side="right")) - 1
        finish = int(np.searchsorted(bounds, end - 1, side="right"))
        cuts = np.maximum(bounds[begin:finish], start) - start
        if not np.isnan(values.sum()):
            lows, highs = np.minimum.reduceat(values, cuts), np.maximum.reduceat(values, cuts)
        else:
            lows, highs = np.fmin.reduceat(values, cuts), np.fmax.reduceat(values, cuts)
        low[begin:finish] = np.fmin(low[begin:finish], lows)
        high[begin:finish] = np.fmax(high[begin:finish], highs)
    empty = high < low
    low[empty] = high[empty] = np.nan
    return Envelope(first=first, per_column=per_column, low_ua=low, high_ua=high)
