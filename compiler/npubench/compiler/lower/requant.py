"""Integer arithmetic of TensorFlow Lite Micro's default build, exact, in Python integers.

The C twin is firmware/include/nb_requant.h. Multipliers are computed from doubles and the rounding
is done twice: a rounding doubling high multiply, then a rounding right shift.
"""

from __future__ import annotations

import math

import numpy as np

INT32_MIN = -(2**31)
INT32_MAX = 2**31 - 1


def single(value: float) -> float:
    """``value`` rounded to float32: scales are floats and some products are formed in float."""
    return float(np.float32(value))


def round_away(value: float) -> int:
    """To the nearest integer, ties away from zero."""
    whole = math.floor(abs(value))
    if abs(value) - whole >= 0.5:
        whole += 1
    return whole if value >= 0 else -whole


def quantize_multiplier(real: float) -> tuple[int, int]:
    """``real`` as (multiplier, shift) with real = multiplier * 2**(shift - 31).

    The multiplier has 31 significant bits. A shift below -31 gives (0, 0): every result would be
    zero, and the reference flushes it.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_away(fraction * 2.0**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def wrap32(value: int) -> int:
    """The value of the low 32 bits, signed."""
    return (value + 2**31) % 2**32 - 2**31


def high_mul(a: int, b: int) -> int:
    """The high half of the doubled product, to nearest; saturates for two times INT32_MIN."""
    if a == b == INT32_MIN:
        return INT32_MAX
    return (a * b + (1 << 30)) >> 31


def shift_right(value: int, shift: int) -> int:
    """value / 2**shift to nearest, ties away from zero; shift >= 0."""
    if shift == 0:
        return value
    return (value + (1 << (shift - 1)) - (1 if value < 0 else 0)) >> shift


def requantize(value: int, multiplier: int, shift: int) -> int:
    """value * multiplier * 2**(shift - 31), rounded twice; a left shift wraps at 32 bits."""
    left, right = max(shift, 0), max(-shift, 0)
    return shift_right(high_mul(wrap32(value << left), multiplier), right)


def clamp8(value: int) -> int:
    """``value`` limited to int8."""
    return max(-128, min(127, value))
