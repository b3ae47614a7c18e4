"""How fast a board's counter runs, measured against the host's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from npubench.core.errors import DeviceError
from npubench.wire.answers import ClockSample
from npubench.wire.device import Device

PAUSE_S = 0.05
MIN_SAMPLES = 10
COVERAGE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFit:
    """A counter's frequency. ``uncertainty_ppm``: expanded (k = 2), relative to ``hz``.

    ``span_s``: host time between first and last sample; ``sample_count``: those used, the quickest
    half; ``round_trip_s``: the shortest exchange.
    """

    hz: float
    uncertainty_ppm: float
    span_s: float
    sample_count: int
    round_trip_s: float
    residual_s: float

    def deviation_ppm(self, nominal_hz: float) -> float:
        """How far the measured frequency lies from a nominal one, in ppm of the nominal."""
        return (self.hz / nominal_hz - 1.0) * 1e6


def measure_clock(device: Device, *, seconds: float = 10.0, bits: int = 64) -> ClockFit:
    """Read the board's counter for ``seconds`` of host time and fit its frequency.

    ``bits``: width of the value that ``clock`` gives (64 in our firmware).
    """
    samples = [device.clock()]
    begin_s = device.now_s()
    while device.now_s() - begin_s < seconds or len(samples) < MIN_SAMPLES:
        device.listen(PAUSE_S)
        samples.append(device.clock())
    return fit_clock(samples, bits=bits)


def fit_clock(samples: Sequence[ClockSample], *, bits: int = 64) -> ClockFit:
    """Least squares of count over host time, over the quicker half of the exchanges.

    The counter is read at an unknown moment between ``sent_s`` and ``received_s``. A delay that is
    always the same leaves the slope alone; what varies is bounded by the spread of the round trips
    that were used. The uncertainty joins the slope's standard error (ordinary least squares) with
    that spread over the span, as the root of the sum of squares, times 2. Raises DeviceError when
    the samples are too few, stand still or go backwards.
    """
    if len(samples) < MIN_SAMPLES:
        raise DeviceError(f"{len(samples)} readings of the clock are too few ({MIN_SAMPLES})")
    counts = unwrap([sample.count for sample in samples], bits=bits)
    if counts[-1] == counts[0]:
        raise DeviceError("the board's counter stands still", hint="is the counter enabled?")
    trips = [sample.received_s - sample.sent_s for sample in samples]
    limit_s = sorted(trips)[max(MIN_SAMPLES, (len(samples) + 1) // 2) - 1]
    used = [index for index, trip in enumerate(trips) if trip <= limit_s]
    origin_s = samples[used[0]].sent_s
    times = [(samples[i].sent_s + samples[i].received_s) / 2 - origin_s for i in used]
    values = [float(counts[i] - counts[used[0]]) for i in used]
    hz, slope_error, residual_s = _line(times, values)
    span_s = times[-1] - times[0]
    spread_s = limit_s - min(trips)
    relative = sqrt((slope_error / hz) ** 2 + (spread_s / 2 / span_s) ** 2)
    return ClockFit(
        hz=hz,
        uncertainty_ppm=COVERAGE * relative * 1e6,
        span_s=span_s,
        sample_count=len(used),
        round_trip_s=min(trips),
        residual_s=residual_s,
    )


def unwrap(counts: Sequence[int], *, bits: int) -> list[int]:
    """Counts of a counter that wraps at ``2**bits``, made to rise.

    Right only when less than one wrap lies between neighbours. A step of more than half the range
    of a 64-bit counter is a step back: DeviceError (the board was reset).
    """
    modulus = 1 << bits
    out = [counts[0]]
    for before, after in pairwise(counts):
        step = (after - before) % modulus
        if bits >= 64 and step > modulus // 2:
            raise DeviceError(
                f"the board's counter went back from {before} to {after}",
                hint="the board was reset during the measurement",
            )
        out.append(out[-1] + step)
    return out


def _line(times: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """Slope, its standard error, and the residuals' deviation as time, of a least-squares line."""
    count = len(times)
    mean_t, mean_v = sum(times) / count, sum(values) / count
    spread = sum((t - mean_t) ** 2 for t in times)
    if spread <= 0.0:
        raise DeviceError("the readings of the clock took no host time")
    slope = sum((t - mean_t) * (v - mean_v) for t, v in zip(times, values, strict=True)) / spread
    rest = sum((v - mean_v - slope * (t - mean_t)) ** 2 for t, v in zip(times, values, strict=True))
    deviation = sqrt(rest / (count - 2))
    return slope, deviation / sqrt(spread), deviation / slope
