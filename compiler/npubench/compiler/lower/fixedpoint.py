"""Fixed-point exp, logistic and tanh on 32-bit integers, as the reference computes them.

Q5.26 means 5 integer and 26 fractional bits. Polynomial and constants are those of the fixed-point
library that TensorFlow Lite Micro uses; firmware/kernels/portable/softmax_s8.c is the C twin.
"""

from __future__ import annotations

from npubench.compiler.lower.requant import INT32_MAX, INT32_MIN, high_mul, shift_right

_EXP_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
# exp(-2**k) in Q0.31 for k = -2 .. 4
_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def _saturate(value: int) -> int:
    return max(INT32_MIN, min(INT32_MAX, value))


def exp_negative(value: int, integer_bits: int) -> int:
    """exp of a value <= 0 with ``integer_bits`` integer bits (at most 5), in Q0.31."""
    if value == 0:
        return INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    rest = (value & (quarter - 1)) - quarter
    y = _saturate(rest << integer_bits) + (1 << 28)
    y2 = high_mul(y, y)
    y3 = high_mul(y2, y)
    y4 = high_mul(y2, y2)
    tail = shift_right(high_mul(shift_right(y4, 2) + y3, _THIRD) + y2, 1)
    result = _EXP_MINUS_EIGHTH + high_mul(_EXP_MINUS_EIGHTH, y + tail)
    whole = rest - value
    for k, factor in enumerate(_FACTORS):
        exponent = k - 2
        if integer_bits > exponent and (whole >> (fraction_bits + exponent)) & 1:
            result = high_mul(result, factor)
    return result


def _half_denominator(value: int) -> int:
    return (value + INT32_MAX + 1) // 2


def _newton(half: int) -> int:
    """1 / (2 * half) in Q2.29 for ``half`` in Q0.31, in [1/2, 1]; three steps."""
    result = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half, result)
        result += _saturate(high_mul(result, error) << 2)
    return result


def one_over_one_plus(value: int) -> int:
    """1 / (1 + x) in Q0.31 for x in [0, 1)."""
    return _saturate(_newton(_half_denominator(value)) << 1)


def one_minus_over_one_plus(value: int) -> int:
    """(1 - x) / (1 + x) in Q0.31 for x in [0, 1)."""
    return _saturate((_newton(_half_denominator(value)) - (1 << 29)) << 2)


def logistic(value: int, integer_bits: int) -> int:
    """1 / (1 + exp(-x)) in Q0.31."""
    if value == 0:
        return 1 << 30
    positive = one_over_one_plus(exp_negative(-abs(value), integer_bits))
    return positive if value > 0 else INT32_MAX - positive


def tanh(value: int, integer_bits: int) -> int:
    """tanh(x) in Q0.31; the argument doubles by losing one integer bit's place."""
    if value == 0:
        return 0
    result = one_minus_over_one_plus(exp_negative(-abs(value), integer_bits + 1))
    return result if value > 0 else -result
