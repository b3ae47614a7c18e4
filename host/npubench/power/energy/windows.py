"""What the samples of a window add up to, in one pass over a capture of any length."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from npubench.power.source.interface import Block, Flag

MAX_RANGES = 8
# Samples beside an edge from which the power there is taken.
EDGE_SAMPLES = 4


@dataclass(slots=True, kw_only=True)
class Window:
    """A window from ``begin`` to ``end``, places in samples, and its sums.

    Power is in nanowatts (microamperes times millivolts); sums are over samples, ends counted in
    part with the value of their neighbour inside. ``*_by_range`` index the instrument's range.
    ``keeps_samples``: the power of each whole sample is kept, for its spectrum.
    """

    name: str
    begin: float
    end: float
    power_by_range: NDArray[np.float64] = field(default_factory=lambda: np.zeros(MAX_RANGES))
    current_by_range: NDArray[np.float64] = field(default_factory=lambda: np.zeros(MAX_RANGES))
    volts_by_range: NDArray[np.float64] = field(default_factory=lambda: np.zeros(MAX_RANGES))
    samples: int = 0
    lost: int = 0
    saturated: int = 0
    suspect: int = 0
    filtered: int = 0
    peak_nw: float = 0.0
    squared_steps: float = 0.0
    voltage_sum_mv: float = 0.0
    begin_nw: float = 0.0
    end_nw: float = 0.0
    keeps_samples: bool = False
    _kept: list[NDArray[np.float64]] = field(default_factory=list)
    _last: float | None = None
    _edge_sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))

    @property
    def first_whole(self) -> int:
        """The first sample that lies in the window as a whole."""
        return int(np.ceil(self.begin))

    @property
    def stop_whole(self) -> int:
        """One after the last sample that lies in the window as a whole."""
        return int(np.floor(self.end))

    @property
    def length(self) -> float:
        """The window's length in samples."""
        return self.end - self.begin

    @property
    def mean_voltage_mv(self) -> float:
        """The mean voltage over the whole samples."""
        return self.voltage_sum_mv / self.samples if self.samples else 0.0

    @property
    def noise_nw(self) -> float:
        """The standard deviation of one sample, from successive differences (von Neumann)."""
        if self.samples < 2:
            return 0.0
        return float(np.sqrt(self.squared_steps / (2 * (self.samples - 1))))

    @property
    def power_nw(self) -> NDArray[np.float64]:
        """The power of each whole sample, where it was kept."""
        return np.concatenate(self._kept) if self._kept else np.zeros(0)

    def add(self, block: Block, voltage_mv: float) -> None:
        """Add what of ``block`` lies in the window."""
        self._add_edges(block, voltage_mv)
        low = max(self.first_whole, block.first) - block.first
        high = min(self.stop_whole, block.first + len(block)) - block.first
        if high <= low:
            return
        current = block.current_ua[low:high].astype(np.float64)
        voltage = (
            np.full(len(current), voltage_mv)
            if block.voltage_mv is None
            else block.voltage_mv[low:high].astype(np.float64)
        )
        flags = block.flags[low:high]
        if flags.any():
            self.lost += int(((flags & Flag.LOST) != 0).sum())
            self.saturated += int(((flags & Flag.SATURATED) != 0).sum())
            self.suspect += int(((flags & Flag.SUSPECT) != 0).sum())
            self.filtered += int(((flags & Flag.FILTERED) != 0).sum())
        current = np.nan_to_num(current)
        voltage = np.nan_to_num(voltage)
        power = current * voltage
        weights = np.ones(len(current))
        if block.first + low == self.first_whole:
            weights[0] += self.first_whole - self.begin
        if block.first + high == self.stop_whole:
            weights[-1] += self.end - self.stop_whole
        ranges = np.minimum(block.ranges[low:high], MAX_RANGES - 1)
        if ranges.min() == ranges.max():
            at = int(ranges[0])
            self.power_by_range[at] += float(power @ weights)
            self.current_by_range[at] += float(current @ weights)
            self.volts_by_range[at] += float(voltage @ weights)
        else:
            count = MAX_RANGES
            self.power_by_range += np.bincount(ranges, power * weights, count)
            self.current_by_range += np.bincount(ranges, current * weights, count)
            self.volts_by_range += np.bincount(ranges, voltage * weights, count)
        self.samples += len(current)
        self.voltage_sum_mv += float(voltage.sum())
        self.peak_nw = max(self.peak_nw, float(power.max()))
        if self.keeps_samples:
            self._kept.append(power)
        steps = np.diff(power)
        self.squared_steps += float(steps @ steps)
        if self._last is not None:
            self.squared_steps += (float(power[0]) - self._last) ** 2
        self._last = float(power[-1])

    def _add_edges(self, block: Block, voltage_mv: float) -> None:
        """The mean power on both sides of each end, for what a shifted edge would cost."""
        for which, place in enumerate((self.begin, self.end)):
            low = max(int(place) - EDGE_SAMPLES, block.first) - block.first
            high = min(int(place) + 1 + EDGE_SAMPLES, block.first + len(block)) - block.first
            if high <= low:
                continue
            current = np.nan_to_num(block.current_ua[low:high].astype(np.float64))
            voltage = (
                voltage_mv
                if block.voltage_mv is None
                else np.nan_to_num(block.voltage_mv[low:high].astype(np.float64))
            )
            power = current * voltage
            self._edge_sums[which] += (float(power.sum()), len(power))
        sums = self._edge_sums
        self.begin_nw = float(sums[0, 0] / sums[0, 1]) if sums[0, 1] else 0.0
        self.end_nw = float(sums[1, 0] / sums[1, 1]) if sums[1, 1] else 0.0
