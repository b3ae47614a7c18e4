"""Noise that is slower than a sample, from windows in which the board did nothing.

Hum of the mains, a supply's ripple and a front end's wandering do not show in successive
differences: neighbours move together. An idle window is constant by itself, so that its spectrum is
the instrument's. The mean over a window of length T sees a component of frequency f weighted by at
most ``min(1, 1 / (pi f T))``, the envelope of sinc; the envelope is taken, since a window of nearly
whole periods is not known to be one of whole periods.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# At most so many points of a window are transformed; more are averaged in groups.
MAX_POINTS = 4096
LEAST_POINTS = 16
# A line of the spectrum counts when it is so many times what white noise gives on average.
WHITE_RATIO = 4.0


class SlowNoise:
    """The components of idle windows beyond white noise, as seen by windows of any length."""

    def __init__(self, idles: Sequence[NDArray[np.float64]]) -> None:
        """``idles``: the power of each idle window, sample by sample, in nanowatts."""
        self._lines: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for power in idles:
            if len(power) >= LEAST_POINTS:
                self._lines.append(_lines(power))

    def sigma_nw(self, length: float) -> float:
        """The standard uncertainty that they give the mean over ``length`` samples."""
        if not self._lines or length <= 0:
            return 0.0
        variances = [
            float(np.sum(power * np.minimum(1.0, 1.0 / (np.pi * cycles * length)) ** 2))
            for cycles, power in self._lines
        ]
        return float(np.sqrt(np.mean(variances)))


def _lines(power: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in cycles a sample, and the variance at each beyond that of white noise.

    White noise is what successive differences of the samples themselves show.
    """
    steps = np.diff(power)
    white = float(steps @ steps) / (2 * len(steps))
    group = -(-len(power) // MAX_POINTS)
    count = len(power) // group
    means = power[: count * group].reshape(count, group).mean(axis=1)
    spectrum = np.fft.rfft(means - means.mean())[1:]
    variance = 2.0 * np.abs(spectrum) ** 2 / count**2
    expected = 2.0 * white / group / count
    cycles = np.arange(1, len(spectrum) + 1) / (count * group)
    kept = variance > WHITE_RATIO * expected
    return cycles[kept], variance[kept]
