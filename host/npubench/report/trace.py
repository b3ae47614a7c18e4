"""A capture cut into bins for a page: lowest, highest and mean current of each, stages beside it.

A capture of any length becomes at most ``MOST_BINS`` bins; a peak of one sample is never lost, and
the charge of any row of bins is exact.
"""

from __future__ import annotations

import base64
import logging
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import NpubenchError
from npubench.power.parts import read_capture
from npubench.power.plot.marked import shades_of
from npubench.power.plot.png import Shade
from npubench.power.source.interface import Block

log = logging.getLogger(__name__)

MOST_BINS = 1 << 19
SINGLE_BINS = 1 << 16
STATIC_COLUMNS = 640

Bins = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """``path``: of its data in a site. ``low_ua``, ``high_ua``, ``mean_ua``: per bin of
    ``per_bin`` samples, NaN where nothing was captured. ``windows``: stage, begin and end in
    seconds of the instrument's clock. ``voltage_mv``: of the supply, None where it is unknown."""

    path: str
    samples: int
    rate_hz: float
    per_bin: int
    low_ua: Bins
    high_ua: Bins
    mean_ua: Bins
    windows: tuple[tuple[str, float, float], ...]
    voltage_mv: float | None

    @property
    def seconds(self) -> float:
        """Length of the capture."""
        return self.samples / self.rate_hz

    @property
    def top_ua(self) -> float:
        """The highest current."""
        finite = self.high_ua[np.isfinite(self.high_ua)]
        return float(finite.max()) if len(finite) else 0.0

    def packed(self) -> Mapping[str, object]:
        """What the page's script reads: planes of bytes, low, high and mean after each other."""
        columns = [self.mean_ua] if self.per_bin == 1 else [self.low_ua, self.high_ua, self.mean_ua]
        planes = [np.ascontiguousarray(item.astype("<f4").view(np.uint8).reshape(-1, 4).T)
                  for item in columns]  # fmt: skip
        raw = b"".join(plane.tobytes() for plane in planes)
        return {
            "bins": len(self.mean_ua),
            "columns": len(columns),
            "samples": self.samples,
            "rate_hz": self.rate_hz,
            "per_bin": self.per_bin,
            "voltage_mv": self.voltage_mv,
            "windows": [[stage, round(begin, 9), round(end, 9)] for stage, begin, end in
                        self.windows],
            "data": base64.b64encode(zlib.compress(raw, 6)).decode(),
        }  # fmt: skip

    def sketch(self, width: float, height: float) -> tuple[str, float]:
        """A path of upright strokes for a page without a script, and the current at its top."""
        top = self.top_ua * 1.08 or 1.0
        columns = min(STATIC_COLUMNS, len(self.mean_ua))
        starts = np.unique(np.linspace(0, len(self.mean_ua), columns, endpoint=False, dtype=int))
        low = height - np.fmin.reduceat(self.low_ua, starts) * (height / top)
        high = height - np.fmax.reduceat(self.high_ua, starts) * (height / top)
        step = width / len(self.mean_ua)
        strokes = [
            f"M{start * step:.1f},{high[at]:.1f}V{max(low[at], high[at] + 0.6):.1f}"
            for at, start in enumerate(starts)
            if not np.isnan(high[at])
        ]
        return "".join(strokes), top


def read_trace(
    folder: Path, *, path: str, voltage_mv: float | None, most_bins: int = MOST_BINS
) -> Trace | None:
    """The trace of a run's capture; None when there is none that can be read."""
    try:
        capture = read_capture(folder)
        total = capture.count()
        if not total:
            return None
        rate_hz = capture.traits.rate_hz
        low, high, mean, per_bin = bins(capture.blocks(), total=total, most=most_bins)
        shades: Iterable[Shade] = shades_of(capture)
        return Trace(
            path=path,
            samples=total,
            rate_hz=rate_hz,
            per_bin=per_bin,
            low_ua=low,
            high_ua=high,
            mean_ua=mean,
            windows=tuple(
                (shade.stage, shade.begin / rate_hz, shade.end / rate_hz) for shade in shades
            ),
            voltage_mv=voltage_mv,
        )
    except NpubenchError as error:
        log.info("no trace of %s: %s", folder, error)
        return None


def bins(blocks: Iterable[Block], *, total: int, most: int) -> tuple[Bins, Bins, Bins, int]:
    """Lowest, highest and mean of each bin, and how many samples a bin has; one pass, a block at a
    time. A bin's mean is that of the samples that it has."""
    per_bin = max(1, -(-total // most))
    count = -(-total // per_bin)
    low = np.full(count, np.inf, np.float32)
    high = np.full(count, -np.inf, np.float32)
    sums = np.zeros(count, np.float64)
    have = np.zeros(count, np.int64)
    for block in blocks:
        start, end = max(0, block.first), min(total, block.first + len(block))
        if end <= start:
            continue
        values = block.current_ua[start - block.first : end - block.first]
        begin, finish = start // per_bin, (end - 1) // per_bin + 1
        cuts = np.maximum(np.arange(begin, finish) * per_bin - start, 0)
        valid = ~np.isnan(values)
        known = np.where(valid, values, 0).astype(np.float64)
        low[begin:finish] = np.fmin(low[begin:finish], np.fmin.reduceat(values, cuts))
        high[begin:finish] = np.fmax(high[begin:finish], np.fmax.reduceat(values, cuts))
        sums[begin:finish] += np.add.reduceat(known, cuts)
        have[begin:finish] += np.add.reduceat(valid.astype(np.int64), cuts)
    empty = have == 0
    low[empty] = high[empty] = np.nan
    mean = np.where(empty, np.nan, sums / np.maximum(have, 1)).astype(np.float32)
    return low, high, mean, per_bin
