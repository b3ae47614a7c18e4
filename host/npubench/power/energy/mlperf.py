"""MLPerf Tiny's energy mode: windows between the falling edges of the timestamp pin.

One mark to begin with (``timestamp``), then two for each ``infer``; edges within the runner's
hold-off of 50 us belong to one mark. Whatever else comes makes the session worthless, since the
marks carry no identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from npubench.power.energy.edges import Edge
from npubench.power.energy.refusal import Cause, Reason
from npubench.power.energy.windows import Window
from npubench.power.source.interface import Block

HOLD_OFF_S = 50e-6
MIN_WINDOW_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampWindow:
    """An ``infer`` between its two marks: its length by the instrument, its energy, per window."""

    seconds: float
    energy_uj: float


def pair_marks(
    edges: Sequence[Edge], *, rate_hz: float, infer_count: int
) -> tuple[tuple[float, float], ...] | Reason:
    """The two places of each ``infer``, from edges at which the pin fell."""
    places: list[float] = []
    for edge in edges:
        if edge.after == 0:
            continue
        if not places or (edge.place - places[-1]) / rate_hz > HOLD_OFF_S:
            places.append(edge.place)
    if len(places) != 1 + 2 * infer_count:
        return Reason(
            cause=Cause.MARKERS_UNMATCHED,
            detail=f"{len(places)} timestamps, {1 + 2 * infer_count} are due for {infer_count} "
            "inferences",
        )
    return tuple((places[at], places[at + 1]) for at in range(1, len(places), 2))


def timestamp_windows(
    blocks: Iterable[Block],
    pairs: Sequence[tuple[float, float]],
    *,
    rate_hz: float,
    voltage_mv: float,
) -> tuple[TimestampWindow, ...]:
    """The energy of each window, integrated on the instrument's clock, as MLPerf's runners do."""
    windows = [Window(name="infer", begin=begin, end=end) for begin, end in pairs]
    for block in blocks:
        for window in windows:
            window.add(block, voltage_mv)
    return tuple(
        TimestampWindow(
            seconds=window.length / rate_hz,
            energy_uj=float(np.sum(window.power_by_range)) / rate_hz * 1e-3,
        )
        for window in windows
    )
