"""Signal to noise between what should come out and what did."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PERFECT_DB = 200.0
"""Stands for no noise at all."""


def snr_db(wanted: NDArray[Any], got: NDArray[Any]) -> float:
    """10 log10 of the energy of ``wanted`` over that of the difference; 0 at least where nothing
    is wanted and something came, PERFECT_DB at most. NaN in ``got`` counts as pure noise."""
    signal = float(np.square(wanted.astype(np.float64)).sum())
    noise = float(np.square(wanted.astype(np.float64) - got.astype(np.float64)).sum())
    if not math.isfinite(noise):
        return -PERFECT_DB
    if noise == 0.0:
        return PERFECT_DB
    if signal == 0.0:
        return 0.0
    return max(-PERFECT_DB, min(PERFECT_DB, 10.0 * math.log10(signal / noise)))
