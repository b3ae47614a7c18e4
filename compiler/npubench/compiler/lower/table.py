"""Functions of one 8-bit value, as tables of 256 results.

LOGISTIC, TANH, RELU, RELU6, LEAKY_RELU, HARD_SWISH and 8-bit to 8-bit QUANTIZE, each in the exact
arithmetic of TensorFlow Lite Micro's reference kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower import wide_activation
from npubench.compiler.lower.activation import quantized
from npubench.compiler.lower.fixedpoint import logistic, tanh
from npubench.compiler.lower.requant import (
    clamp8,
    quantize_multiplier,
    requantize,
    round_away,
    shift_right,
    single,
)
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import ConstantArg, KernelCall, Overlap

_INTEGER_BITS = 4


def table_call(
    site: Site, source: Tensor, target: Tensor, function: Callable[[int], int]
) -> Lowering:
    """The lookup of ``function``, which maps codes of the input to codes of the output."""
    site.require(source.count == target.count, "input and output differ in size")
    codes = range(256) if source.dtype is DType.UINT8 else [*range(128), *range(-128, 0)]
    data = bytes(function(code) & 0xFF for code in codes)
    constant = site.constant("table", "int8_t", data)
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_lut_s8",
        source="lut_s8.c",
        params_type="nb_lut_s8_params",
        params=(("count", source.count),),
        args=(read(source), ConstantArg(constant=constant.name), write(target)),
        overlaps=(Overlap(tensor=source.index, lead_bytes=None),),
    )
    return call, (constant,)


def _pair(site: Site) -> tuple[Tensor, Quantization, Tensor, Quantization]:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    return (
        source,
        site.quantization(source, "the input"),
        target,
        site.quantization(target, "the output"),
    )


def _sigmoid(
    site: Site, function: Callable[[int, int], int], *, scale: float, zero_point: int, bits: int
) -> Lowering:
    source, given, target, wanted = _pair(site)
    site.require(
        wanted.scale == scale and wanted.zero_point == zero_point,
        f"its output has scale {wanted.scale} and zero point {wanted.zero_point}, not {scale} and "
        f"{zero_point}",
    )
    fraction, shift = math.frexp(single(given.scale) * 2.0 ** (31 - _INTEGER_BITS))
    multiplier = round_away(fraction * 2.0**31)
    site.require(0 <= shift <= 30 and multiplier < 2**31, f"its input has scale {given.scale}")
    span = ((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) // (1 << shift)

    def result(code: int) -> int:
        value = code - given.zero_point
        if value <= -span:
            return -128
        if value >= span:
            return 127
        scaled = requantize(value, multiplier, shift)
        return clamp8(shift_right(function(scaled, _INTEGER_BITS), 31 - bits) + zero_point)

    return table_call(site, source, target, result)


def _logistic(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.logistic(site)
    return _sigmoid(site, logistic, scale=1 / 256, zero_point=-128, bits=8)


def _tanh(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.tanh(site)
    return _sigmoid(site, tanh, scale=1 / 128, zero_point=0, bits=7)


def _relu(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.relu(site)
    source, given, target, wanted = _pair(site)
    multiplier, shift = checked_multiplier(site, single(given.scale) / single(wanted.scale))
    low = max(-128, quantized(0.0, wanted))

    def result(code: int) -> int:
        value = requantize(code - given.zero_point, multiplier, shift) + wanted.zero_point
        return min(127, max(low, value))

    return table_call(site, source, target, result)


def _relu6(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.relu6(site)
    source, given, target, _ = _pair(site)
    # The reference clamps raw codes and never rescales.
    site.same_quantization(source, target, "input and output")
    six = clamp8(quantized(6.0, given))
    return table_call(site, source, target, lambda code: min(six, max(given.zero_point, code)))


def _leaky_relu(site: Site) -> Lowering:
    if site.is_wide():
        return wide_activation.leaky_relu(site)
    source, given, target, wanted = _pair(site)
    scale, target_scale = np.float32(given.scale), np.float32(wanted.scale)
    alpha = np.float32(site.number("alpha", 0.0))
    negative = checked_multiplier(site, float(scale * alpha / target_scale))
    positive = checked_multiplier(site, float(scale / target_scale))

    def result(code: int) -> int:
        value = code - given.zero_point
        multiplier, shift = positive if value >= 0 else negative
        return clamp8(requantize(value, multiplier, shift) + wanted.zero_point)

    return table_call(site, source, target, result)


def _high_mul16(a: int, b: int) -> int:
    """The 16-bit rounding doubling high multiply."""
    return 32767 if a == b == -32768 else (a * b + (1 << 14)) >> 15


def _multiplier16(multiplier: int) -> int:
    """A 31-bit multiplier at 15 bits, rounded and saturated."""
    return 32767 if multiplier >= 2**31 - 1 - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _saturating_left16(value: int, shift: int) -> int:
    return max(-32768, min(32767, value << shift))


def _wrap16(value: int) -> int:
    return (value + 2**15) % 2**16 - 2**15


def _hard_swish(site: Site) -> Lowering:
    source, given, target, wanted = _pair(site)
    fine = np.float32(1.0 / 128.0) * np.float32(given.scale)
    output_multiplier, output_exponent = quantize_multiplier(float(fine / np.float32(wanted.scale)))
    site.require(output_exponent <= 0, "its output's scale is far below its input's")
    relu_multiplier, relu_exponent = quantize_multiplier(
        float(fine / (np.float32(3.0) / np.float32(32768.0)))
    )
    site.require(relu_exponent <= 31, f"its input has scale {given.scale}")
    output16, relu16 = _multiplier16(output_multiplier), _multiplier16(relu_multiplier)

    def result(code: int) -> int:
        value = (code - given.zero_point) * 128
        linear = _high_mul16(value, output16)
        gate = value
        if relu_exponent > 0:
            gate = _saturating_left16(gate, relu_exponent - 1)
        gate = _high_mul16(gate, relu16)
        if relu_exponent > 0:
            gate = _saturating_left16(gate, 1)
        if relu_exponent < 0:
            gate = shift_right(gate, -relu_exponent)
        gate = (gate + (1 << 15)) >> 1
        product = gate * linear
        truncated = abs(product) >> 15
        scaled = shift_right(truncated if product >= 0 else -truncated, -output_exponent)
        return clamp8(_wrap16(scaled + wanted.zero_point))

    return table_call(site, source, target, result)


def requantize_table(site: Site, source: Tensor, target: Tensor) -> Lowering:
    """QUANTIZE between 8-bit tensors of either signedness."""
    given = site.affine(source, "the input")
    wanted = site.affine(target, "the output")
    multiplier, shift = checked_multiplier(site, single(given.scale) / single(wanted.scale))
    low, high = (0, 255) if target.dtype is DType.UINT8 else (-128, 127)

    def result(code: int) -> int:
        value = requantize(code - given.zero_point, multiplier, shift) + wanted.zero_point
        return max(low, min(high, value))

    return table_call(site, source, target, result)


LOWERINGS: dict[str, LoweringFunction] = {
    "LOGISTIC": _logistic,
    "TANH": _tanh,
    "RELU": _relu,
    "RELU6": _relu6,
    "LEAKY_RELU": _leaky_relu,
    "HARD_SWISH": _hard_swish,
}
