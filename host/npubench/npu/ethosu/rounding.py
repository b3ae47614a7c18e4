"""Scaling of accumulators: a multiplier, a right shift, and three ways to round.

The rules were found by making streams agree with TFLite's arithmetic (see the package's docstring).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npubench.npu.ethosu.operation import Rounding

Values = npt.NDArray[np.int64]


def scale(
    values: Values, multiplier: int | Values, shift: int | Values, rounding: Rounding
) -> Values:
    """``values * multiplier / 2**shift`` for int64 arrays; shifts 0..63, broadcast over values.

    TFL rounds twice: naturally (half up) at bit 31, then half away from zero for the rest; below a
    shift of 31 once, naturally.
    """
    shifts = np.asarray(shift, dtype=np.int64)
    product = values * np.asarray(multiplier, dtype=np.int64)
    if rounding is Rounding.TRUNCATE:
        return np.asarray(product >> shifts, dtype=np.int64)
    if rounding is Rounding.NATURAL:
        return half_up(product, shifts)
    first = half_up(product, np.minimum(shifts, 31))
    return half_away(first, np.maximum(shifts - 31, 0))


def half_up(values: Values, shift: Values) -> Values:
    """Divide by 2**shift, halves towards plus infinity."""
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return np.asarray((values + half) >> shift, dtype=np.int64)


def half_away(values: Values, shift: Values) -> Values:
    """Divide by 2**shift, halves away from zero."""
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return np.asarray(
        np.where(values >= 0, (values + half) >> shift, -((-values + half) >> shift)),
        dtype=np.int64,
    )
