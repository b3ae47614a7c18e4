"""Samples that carry times onto an even grid: gaps become lost samples, jitter is left alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.source.interface import Block, Flag, block_of

# A sample may be so far from its grid place before it counts as another one, in periods.
JITTER = 0.75
# A longer gap is no loss any more, but another clock.
LONGEST_GAP = 10_000_000
# A sample that lies so many places behind the newest one came from a clock that was set back.
BACKWARDS = 2


class Resampler:
    """Gives each sample its place ``round(time / period)`` after the first; a place that no sample
    takes is LOST, a second sample for a place is dropped. ``add`` raises MonitorError for a time
    that runs back or jumps."""

    def __init__(self, *, period: float) -> None:
        self._period = period
        self._origin: float | None = None
        self._next = 0
        self.received = self.lost = 0

    def add(
        self,
        times: NDArray[np.float64],
        current_ua: NDArray[np.float64],
        *,
        markers: NDArray[np.uint8] | None = None,
        voltage_mv: NDArray[np.float64] | None = None,
    ) -> Block | None:
        """The grid places from the last sample on up to the newest one."""
        if not len(times):
            return None
        if self._origin is None:
            self._origin = float(times[0])
        exact = np.rint((times - self._origin) / self._period)
        newest = np.maximum.accumulate(np.concatenate(([self._next - 1.0], exact)))
        steps = exact - newest[:-1]
        if not np.all(np.isfinite(steps)) or steps.min() < -BACKWARDS or steps.max() > LONGEST_GAP:
            wrong = ~(np.isfinite(steps) & (steps >= -BACKWARDS) & (steps <= LONGEST_GAP))
            at = int(np.argmax(wrong))
            raise MonitorError(
                f"the time of sample {self.received + at} is {steps[at]:g} periods after the one "
                "before",
                hint="the source's clock was set, or it was started again: capture again",
            )
        places = exact.astype(np.int64)
        fresh = steps > 0
        if not fresh.any():
            return None
        places = places[fresh] - self._next
        count = int(places[-1]) + 1
        first, self._next = self._next, self._next + count
        self.received += len(places)
        self.lost += count - len(places)
        current = np.full(count, np.nan, np.float32)
        current[places] = current_ua[fresh]
        flags = np.full(count, Flag.LOST, np.uint8)
        flags[places] = np.where(np.isfinite(current_ua[fresh]), 0, int(Flag.LOST))
        holder = np.maximum.accumulate(_last_index(places, count))
        levels = None if markers is None else markers[fresh][holder]
        volts = None if voltage_mv is None else voltage_mv[fresh][holder].astype(np.float32)
        return block_of(first, current, markers=levels, flags=flags, voltage_mv=volts)


def _last_index(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At each place the number of the sample that lies there, else 0."""
    index = np.zeros(count, np.int64)
    index[places] = np.arange(len(places))
    return index
