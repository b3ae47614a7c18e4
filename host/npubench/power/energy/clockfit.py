"""The device's record of edges laid over the instrument's: one straight line, or no result.

Edges are matched by identity (the level before and after) and by the device's own times; order
alone decides nothing. The pauses of the preamble have different lengths, so that one place fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.power.energy.edges import Edge
from npubench.power.energy.marks import Mark
from npubench.power.energy.refusal import Cause, Reason

# Clocks that differ by more are not even looked for.
SEARCH_RATIO = 0.06
RESIDUAL_LIMIT_SAMPLES = 1.5
# A sleep hides the device's clock: after it the line may be shifted by so much.
SLEEP_SLACK_S = 0.02
ANCHORS = 4
# The standard deviation of a place that is known to one sample.
QUANTUM_SIGMA = 0.2887
AMBIGUOUS_RATIO = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEdge:
    """An edge as the device recorded it; ``segment`` counts the sleeps before it."""

    time_s: float
    before: int
    after: int
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFit:
    """Device seconds to sample places: ``place = offsets[segment] + rate_hz * time_s``.

    ``ppm``: how much faster the instrument's clock runs than the device's, against its nominal
    rate. ``centre_s``: about which offset and rate are uncorrelated; their standard deviations are
    ``offset_sigma`` (samples) and ``rate_sigma_hz``.
    """

    rate_hz: float
    offsets: tuple[float, ...]
    ppm: float
    centre_s: float
    offset_sigma: float
    rate_sigma_hz: float
    residual_max: float
    edges_count: int

    def place(self, time_s: float, segment: int = 0) -> float:
        """The place in samples of a device time."""
        return self.offsets[segment] + self.rate_hz * time_s


def device_edges(marks: Sequence[Mark], *, knows_codes: bool) -> tuple[DeviceEdge, ...]:
    """Both edges of every mark, in order; with one input every level is 1."""
    edges: list[DeviceEdge] = []
    segment = 0
    for mark in marks:
        code = mark.code if knows_codes else 1
        edges.append(DeviceEdge(time_s=mark.up_s, before=0, after=code, segment=segment))
        segment += mark.slept
        edges.append(DeviceEdge(time_s=mark.down_s, before=code, after=0, segment=segment))
    return tuple(edges)


def fit_clocks(
    device: Sequence[DeviceEdge],
    seen: Sequence[Edge],
    *,
    rate_hz: float,
    falling_only: bool = False,
) -> ClockFit | Reason:
    """Match and fit; a Reason when an edge of either side has no counterpart.

    ``falling_only``: the instrument sees only the edges at which a level begins.
    """
    wanted = list(device)
    if falling_only:
        wanted = [edge for edge in device if edge.after != 0]
        seen = [edge for edge in seen if edge.after != 0]
    if len(wanted) < 4 or len(seen) < 2:
        return _unmatched(f"the capture shows {len(seen)} edges, the device made {len(wanted)}")
    times = np.array([edge.time_s for edge in wanted])
    segments = np.array([edge.segment for edge in wanted])
    names = np.array([edge.before * 256 + edge.after for edge in wanted])
    places = np.array([edge.place for edge in seen])
    seen_names = np.array([edge.before * 256 + edge.after for edge in seen])
    slack = RESIDUAL_LIMIT_SAMPLES + (SLEEP_SLACK_S * rate_hz if segments.max() else 1.0)
    best = _best_line(times, names, places, seen_names, rate_hz, slack)
    if best is None:
        return _unmatched(
            f"no line through {len(wanted)} edges of the device and {len(seen)} of the capture"
        )
    if best.ambiguous:
        return _unmatched("the edges fit at more than one place")
    rate, offset = best.rate, best.offset
    offsets = np.full(int(np.max(segments)) + 1, offset)
    for _ in range(4):
        partner, distance = _partners(times, segments, names, places, seen_names, rate, offsets)
        inside = distance <= (slack if segments.max() else RESIDUAL_LIMIT_SAMPLES + 1.0)
        if inside.sum() < 4:
            return _unmatched("too few edges fit one line")
        rate, offsets = _solve(times[inside], segments[inside], places[partner[inside]], rate_hz)
        slack = min(slack, 8 * RESIDUAL_LIMIT_SAMPLES)
    partner, distance = _partners(times, segments, names, places, seen_names, rate, offsets)
    matched = distance <= RESIDUAL_LIMIT_SAMPLES
    missing = int((~matched).sum())
    if missing:
        worst = float(np.min(distance[~matched]))
        return _unmatched(
            f"{missing} of {len(wanted)} edges of the device are not where its clock says "
            f"(the nearest is {worst:.1f} samples off, if any)"
        )
    first, last = rate * times[0] + offsets[0], rate * times[-1] + offsets[-1]
    between = (places >= first - 2) & (places <= last + 2)
    extra = int(between.sum()) - len(set(partner.tolist()))
    if extra > 0 or len(set(partner.tolist())) < len(wanted):
        return _unmatched(f"the capture shows {extra} edges that the device did not make")
    residual = float(np.max(distance))
    count = len(wanted)
    spread = max(QUANTUM_SIGMA, float(np.sqrt(np.mean(distance**2))))
    centre = float(times.mean())
    scatter = float(np.sum((times - centre) ** 2))
    return ClockFit(
        rate_hz=rate,
        offsets=tuple(float(value) for value in offsets),
        ppm=(rate / rate_hz - 1) * 1e6,
        centre_s=centre,
        offset_sigma=spread * float(np.sqrt(len(offsets) / count)),
        rate_sigma_hz=spread / float(np.sqrt(max(scatter, 1e-12))),
        residual_max=residual,
        edges_count=count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    rate: float
    offset: float
    ambiguous: bool


def _best_line(
    times: NDArray[np.float64],
    names: NDArray[np.int64],
    places: NDArray[np.float64],
    seen_names: NDArray[np.int64],
    rate_hz: float,
    slack: float,
) -> _Line | None:
    """The line on which most edges lie, from pairs of early and late edges."""
    count = len(times)
    early = range(min(ANCHORS, count - 1))
    late = range(max(count - ANCHORS, 1), count)
    middle_s = float(times.mean())
    lines: list[tuple[int, float, float, float]] = []
    for i in early:
        for k in late:
            span_s = times[k] - times[i]
            if span_s <= 0:
                continue
            starts = np.flatnonzero(seen_names == names[i])
            ends = np.flatnonzero(seen_names == names[k])
            if not len(starts) or not len(ends):
                continue
            rates = (places[ends][None, :] - places[starts][:, None]) / span_s
            room = SEARCH_RATIO * rate_hz + 2 * slack / span_s
            for row, column in zip(*np.nonzero(np.abs(rates - rate_hz) <= room), strict=True):
                rate = float(rates[row, column])
                offset = float(places[starts[row]] - rate * times[i])
                segments = np.zeros(count, np.int64)
                _, distance = _partners(
                    times, segments, names, places, seen_names, rate, np.array([offset])
                )
                score = int((distance <= slack).sum())
                lines.append((score, -float(np.minimum(distance, slack).sum()), rate, offset))
            # A pair through which all edges lie has shown every other place, too.
            if lines and max(lines)[0] == count:
                return _judged(lines, middle_s, slack)
    if not lines or max(lines)[0] < max(4, count // 3):
        return None
    return _judged(lines, middle_s, slack)


def _judged(lines: list[tuple[int, float, float, float]], middle_s: float, slack: float) -> _Line:
    """The best line, and whether another place is as good."""
    lines.sort(reverse=True)
    score, _, rate, offset = lines[0]
    here = offset + rate * middle_s
    ambiguous = any(
        other >= AMBIGUOUS_RATIO * score and abs(o + r * middle_s - here) > 3 * slack + 8
        for other, _, r, o in lines[1:]
    )
    return _Line(rate=rate, offset=offset, ambiguous=ambiguous)


def _partners(
    times: NDArray[np.float64],
    segments: NDArray[np.int64],
    names: NDArray[np.int64],
    places: NDArray[np.float64],
    seen_names: NDArray[np.int64],
    rate: float,
    offsets: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each device edge the nearest seen edge with its identity, and how far off it is."""
    expected = offsets[segments] + rate * times
    distance = np.abs(places[None, :] - expected[:, None])
    distance = np.where(seen_names[None, :] == names[:, None], distance, np.inf)
    partner = np.argmin(distance, axis=1)
    return partner, distance[np.arange(len(times)), partner]


def _solve(
    times: NDArray[np.float64],
    segments: NDArray[np.int64],
    places: NDArray[np.float64],
    rate_hz: float,
) -> tuple[float, NDArray[np.float64]]:
    """Least squares: one rate, one offset per segment; a segment without edges takes its
    neighbour's offset."""
    used = np.unique(segments)
    design = np.zeros((len(times), 1 + len(used)))
    centre = times.mean()
    design[:, 0] = times - centre
    for column, segment in enumerate(used):
        design[segments == segment, 1 + column] = 1.0
    target = places - rate_hz * (times - centre)
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    rate = rate_hz + float(solution[0])
    offsets = np.zeros(int(np.max(segments)) + 1)
    last = solution[1]
    for segment in range(len(offsets)):
        found = np.flatnonzero(used == segment)
        last = solution[1 + found[0]] if len(found) else last
        offsets[segment] = last - rate * centre
    return rate, offsets


def _unmatched(detail: str) -> Reason:
    return Reason(cause=Cause.MARKERS_UNMATCHED, detail=detail)
