"""ABS, NEG, RSQRT and ELU by table, SQUARED_DIFFERENCE and DIV."""

from __future__ import annotations

import numpy as np

from npubench.compiler.graph import Quantization, Tensor
from npubench.compiler.lower import wide_activation
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.elementwise import WIDE_SOURCE, alike, broadcast
from npubench.compiler.lower.fixedpoint import one_over_one_plus
from npubench.compiler.lower.requant import (
    INT32_MAX,
    INT32_MIN,
    clamp8,
    high_mul,
    quantize_multiplier,
    requantize,
    shift_right,
    single,
)
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, write
from npubench.compiler.lower.table import table_call
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue

_RSQRT_SHIFT = 20
_SQUARE_SHIFT = 7


def _pair(site: Site) -> tuple[Tensor, Quantization, Tensor, Quantization]:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    return (
        source,
        site.quantization(source, "the input"),
        target,
        site.quantization(target, "the output"),
    )


def _abs(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.absolute(site)
    source, given, target, wanted = _pair(site)
    same = np.float32(given.scale) == np.float32(wanted.scale)
    multiplier, shift = checked_multiplier(
        site, float(np.float32(given.scale) / np.float32(wanted.scale))
    )

    def result(code: int) -> int:
        value = abs(code - given.zero_point)
        scaled = value if same else requantize(value, multiplier, shift)
        return clamp8(scaled + wanted.zero_point)

    return table_call(site, source, target, result)


def _saturating(value: int) -> int:
    return max(INT32_MIN, min(INT32_MAX, value))


def inverse_root(value: int) -> tuple[int, int]:
    """1 / sqrt(value) as multiplier and left shift, as the reference's five Newton steps give it;
    firmware/kernels/portable/l2_normalization_s8.c is the C twin."""
    if value <= 1:
        return INT32_MAX, 0
    right = 11
    while value >= 1 << 29:
        value //= 4
        right += 1
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    right -= pairs
    value <<= 2 * pairs
    half = shift_right(value >> 1, 1)
    x = 1 << 28
    for _ in range(5):
        cube = _saturating(high_mul(high_mul(x, x), x) << 6)
        x = _saturating((high_mul((1 << 28) + (1 << 27), x) - high_mul(half, cube)) << 3)
    x = high_mul(x, 1518500250)  # half the root of two
    if right < 0:
        x, right = x << -right, 0
    return x, -right


def _rsqrt(site: Site) -> Lowering:
    source, given, target, wanted = _pair(site)
    root = float(np.sqrt(np.float32(given.scale)) * np.float32(wanted.scale))
    multiplier, shift = quantize_multiplier(1.0 / root)
    site.require(shift - _RSQRT_SHIFT <= 30, f"its scales are {given.scale} and {wanted.scale}")

    def result(code: int) -> int:
        value = code - given.zero_point
        if value <= 0:
            # Of zero the reference gives the largest value; below it refuses to run.
            return 127
        inverse, exponent = inverse_root(value)
        data = requantize(1, inverse, exponent + _RSQRT_SHIFT)
        return clamp8(requantize(data, multiplier, shift - _RSQRT_SHIFT) + wanted.zero_point)

    return table_call(site, source, target, result)


def _elu(site: Site) -> Lowering:
    source, given, target, wanted = _pair(site)
    inverse = np.float32(1) / np.float32(wanted.scale)
    scale = np.float32(given.scale)

    def result(code: int) -> int:
        value = scale * np.float32(code - given.zero_point)
        if value < 0:
            # The nearest float to the exponential, as a C library gives it.
            value = np.float32(np.exp(np.float64(value))) - np.float32(1)
        scaled = np.float32(value) * inverse
        rounded = float(np.trunc(scaled + np.copysign(np.float32(0.5), scaled)))
        return clamp8(int(rounded) + wanted.zero_point)

    return table_call(site, source, target, result)


def _small(site: Site, real: float) -> tuple[int, int]:
    site.require(0.0 < real < 1.0, f"a rescaling factor is {real}")
    multiplier, shift = quantize_multiplier(real)
    site.require(shift <= 0, f"a rescaling factor is {real}")
    return multiplier, shift


def _squared_difference(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    first, second, target = site.input(0), site.input(1), site.output()
    wide = alike(site)
    a, b = site.codes(first, "the first input"), site.codes(second, "the second")
    wanted = site.codes(target, "the output")
    left_shift = 0 if wide else _SQUARE_SHIFT
    twice = 2.0 * max(single(a.scale), single(b.scale))
    pairs = [_small(site, single(item.scale) / twice) for item in (a, b)]
    divisor = single(float(np.float32(1 << (2 * left_shift)) * np.float32(wanted.scale)))
    multiplier, shift = checked_multiplier(site, twice * twice / divisor)
    params: dict[str, ParamValue] = {
        **broadcast(site, first, second, target),
        "zero1": a.zero_point,
        "zero2": b.zero_point,
        "multiplier1": pairs[0][0],
        "shift1": pairs[0][1],
        "multiplier2": pairs[1][0],
        "shift2": pairs[1][1],
        "left_shift": left_shift,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": wanted.zero_point,
    }
    return _binary(site, "nb_squared_difference_s8", params, wide=wide)


def _div(site: Site) -> Lowering:
    """Equal to the reference but for quotients so far below the output's scale that it shifts by
    more than 31 bits, which C leaves open: those are zero here."""
    site.arity(inputs=(2,))
    first, second, target = site.input(0), site.input(1), site.output()
    a, b = site.quantization(first, "the first input"), site.quantization(second, "the second")
    wanted = site.quantization(target, "the output")
    real = single(a.scale) / (single(b.scale) * single(wanted.scale))
    multiplier, shift = checked_multiplier(site, real)
    site.require(shift <= 22, f"its scales are {a.scale}, {b.scale} and {wanted.scale}")
    low, high = fused_range(site, wanted)
    reciprocals, shifts = [], []
    for code in (*range(128), *range(-128, 0)):
        size = max(1, abs(code - b.zero_point))  # a division by zero has no answer
        zeros = 32 - size.bit_length()
        reciprocals.append(one_over_one_plus(((size << zeros) - 2**31) % 2**32))
        shifts.append(31 - zeros)
    table = site.constant("reciprocals", "int32_t", np.array(reciprocals, "<i4").tobytes())
    exponents = site.constant("shifts", "int8_t", np.array(shifts, np.int8).tobytes())
    params: dict[str, ParamValue] = {
        **broadcast(site, first, second, target),
        "zero1": a.zero_point,
        "zero2": b.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": wanted.zero_point,
        "low": low,
        "high": high,
    }
    call, constants = _binary(site, "nb_div_s8", params, table.name, exponents.name)
    return call, (*constants, table, exponents)


def _binary(
    site: Site, kernel: str, params: dict[str, ParamValue], *tables: str, wide: bool = False
) -> Lowering:
    first, second, target = site.input(0), site.input(1), site.output()
    site.require(not (first.is_constant and second.is_constant), "both inputs are constants")
    ctype = "int16_t" if wide else "int8_t"
    operands = (site.operand(first, "first", ctype), site.operand(second, "second", ctype))
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel.replace("_s8", "_s16") if wide else kernel,
        source=WIDE_SOURCE if wide else "difference_s8.c",
        params_type=f"{kernel}_params",
        params=tuple(params.items()),
        args=(
            operands[0].arg,
            operands[1].arg,
            *(ConstantArg(constant=name) for name in tables),
            write(target, ctype),
        ),
        choice=Choice(reason="", instructions=60 * target.count),
    )
    return call, operands[0].constants + operands[1].constants


LOWERINGS: dict[str, LoweringFunction] = {
    "ABS": _abs,
    "RSQRT": _rsqrt,
    "ELU": _elu,
    "SQUARED_DIFFERENCE": _squared_difference,
    "DIV": _div,
}
