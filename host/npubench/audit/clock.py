"""The time of an energy trace on the clock of the log: the two were never synchronised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.audit.log import Log

# Enough windows to find the trace's place in the log; a run has five.
ALIGNED_COUNT = 12
# Between a line of the device in the log and the mark beside it.
NEAR_S = 0.1
# Between the line that says that the trace is on and its first sample.
TRACE_ON_SLACK_S = 1.5
# Clocks of host and monitor may run apart by this much: 25 steps of 200 ppm to either side.
SCALE_STEP_RATIO = 200e-6
SCALE_STEPS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceClock:
    """The trace's time on the host's clock. ``fit_ratio``: how many starts and ends of inferences
    meet a mark."""

    origin_s: float
    scale: float = 1.0
    fit_ratio: float = 0.0

    def trace_s(self, host_s: float) -> float:
        return (host_s - self.origin_s) / self.scale


def fit_clock(log: Log, times: NDArray[np.float64]) -> TraceClock:
    """Where most starts and ends of inferences meet a mark, near the time at which the trace was
    switched on. Clocks that run apart are tried when not all of them do."""
    windows, times = log.windows[:ALIGNED_COUNT], times[: 3 * ALIGNED_COUNT]
    edges = np.array(
        [window.start_s for window in windows]
        + [window.done_s for window in windows if window.done_s is not None]
    )
    guess = log.trace_on_s
    best_clock, best = TraceClock(origin_s=guess or 0.0), (0, 0.0)
    for step in range(2 * SCALE_STEPS + 1):
        if best[0] == len(edges):
            break
        scale = 1.0 + SCALE_STEP_RATIO * ((step + 1) // 2) * (-1) ** step
        candidates = (edges[:, None] - scale * times[None, :]).reshape(-1)
        if guess is not None:
            candidates = candidates[np.abs(candidates - guess) < TRACE_ON_SLACK_S]
        for candidate in candidates:
            off = np.abs(edges[:, None] - candidate - scale * times[None, :]).min(axis=1)
            near = off[off < NEAR_S]
            far = float(near.sum()) if guess is None else abs(float(candidate) - guess)
            if len(near) > best[0] or (step == 0 and (len(near), -far) > best):
                best = (len(near), -far)
                best_clock = TraceClock(
                    origin_s=float(candidate), scale=scale, fit_ratio=len(near) / len(edges)
                )
    return best_clock
