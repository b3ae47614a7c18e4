"""Functions of one int16 value: LOGISTIC, TANH, SOFTMAX, RELU, RELU6, LEAKY_RELU and ABS."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Quantization, Tensor
from npubench.compiler.lower.activation import quantized
from npubench.compiler.lower.requant import single
from npubench.compiler.lower.sigmoid import logistic_table
from npubench.compiler.lower.site import Choice, Lowering, Site, read, write
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import Constant, ConstantArg, KernelCall, Overlap, ParamValue

_CODES = "int16_t"
_SAME = (1 << 30, 1)
"""Multiplier and shift that leave a value as it is."""

Pair = tuple[int, int]
Floats = NDArray[np.float32]


def _pair(site: Site) -> tuple[Tensor, Quantization, Tensor, Quantization]:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    given, wanted = site.symmetric(source, "the input"), site.symmetric(target, "the output")
    site.require(source.count == target.count, "input and output differ in size")
    return source, given, target, wanted


def _call(
    site: Site,
    kernel: str,
    source: str,
    params: dict[str, ParamValue],
    each: int,
    *constants: Constant,
    shared: str | None = None,
) -> Lowering:
    """``each``: instructions an element; ``shared``: whose parameters the kernel takes."""
    given, target = site.activation(0), site.output()
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel,
        source=source,
        params_type=f"{shared or kernel}_params",
        params=tuple(params.items()),
        args=(
            read(given, _CODES),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(target, _CODES),
        ),
        overlaps=(Overlap(tensor=given.index, lead_bytes=None),) if "count" in params else (),
        choice=Choice(reason="", instructions=each * target.count),
    )
    return call, constants


def _scale(
    site: Site,
    positive: Pair,
    negative: Pair,
    *,
    low: int = -32768,
    high: int = 32767,
    mirror: bool = False,
) -> Lowering:
    params: dict[str, ParamValue] = {
        "count": site.output().count,
        "multiplier1": positive[0],
        "shift1": positive[1],
        "multiplier2": negative[0],
        "shift2": negative[1],
        "mirror": int(mirror),
        "low": low,
        "high": high,
    }
    return _call(site, "nb_scale_s16", "elementwise_s16.c", params, 18)


def relu(site: Site) -> Lowering:
    """RELU, which may rescale."""
    _, given, _, wanted = _pair(site)
    pair = checked_multiplier(site, single(given.scale) / single(wanted.scale))
    return _scale(site, pair, pair, low=0)


def relu6(site: Site) -> Lowering:
    """RELU6: the reference limits raw codes and never rescales."""
    source, given, target, _ = _pair(site)
    site.same_quantization(source, target, "input and output")
    return _scale(site, _SAME, _SAME, low=0, high=min(32767, quantized(6.0, given)))


def leaky_relu(site: Site) -> Lowering:
    """LEAKY_RELU with a slope of zero or more."""
    _, given, _, wanted = _pair(site)
    alpha = np.float32(site.number("alpha", 0.0))
    site.require(bool(alpha >= 0), f"its slope is {alpha}")
    scale, target_scale = single(given.scale), single(wanted.scale)
    negative = checked_multiplier(site, scale * float(alpha) / target_scale)
    return _scale(site, checked_multiplier(site, scale / target_scale), negative)


def absolute(site: Site) -> Lowering:
    """ABS."""
    _, given, _, wanted = _pair(site)
    ratio = single(given.scale) / single(wanted.scale)
    pair = _SAME if ratio == 1 else checked_multiplier(site, ratio)
    return _scale(site, pair, pair, mirror=True)


def _power(scale: float) -> int | None:
    """The exponent of a scale that is a power of two, as nearly as the reference looks."""
    exponent = math.log2(single(scale))
    return round(exponent) if abs(exponent - round(exponent)) < 1e-3 else None


def _sigmoid(site: Site, kernel: str, shifts: tuple[int, ...]) -> Lowering:
    """``shifts``: by how many bits the input may be above 2^-12 to be taken as it is."""
    source, given, _, wanted = _pair(site)
    site.require(_power(wanted.scale) == -15, f"its output has scale {wanted.scale}, not 2^-15")
    power = _power(given.scale)
    if power is not None and 12 + power in shifts:
        multiplier, shift = 3 << (12 + power), 0
    else:
        real = single(given.scale) * 4096.0 * 3.0
        shift = 0
        while real <= 32767.0 / 2.0 and shift <= 30:
            shift += 1
            real *= 2.0
        site.require(real < 32768, f"its input has scale {given.scale}")
        multiplier = int(real)
    params: dict[str, ParamValue] = {
        "count": source.count,
        "multiplier": multiplier,
        "shift": shift,
    }
    table = site.constant("logistic", "uint16_t", logistic_table())
    return _call(site, kernel, "sigmoid_s16.c", params, 25, table, shared="nb_sigmoid_s16")


def logistic(site: Site) -> Lowering:
    """LOGISTIC."""
    return _sigmoid(site, "nb_logistic_s16", (0,))


def tanh(site: Site) -> Lowering:
    """TANH."""
    return _sigmoid(site, "nb_tanh_s16", (0, 1))


def _away(values: Floats) -> Floats:
    """To the nearest integer, ties away from zero."""
    found: Floats = np.trunc(values + np.copysign(np.float32(0.5), values)).astype(np.float32)
    return found


def interpolated(
    scale: np.float32, zero: int, function: Callable[[Floats], Floats]
) -> NDArray[np.int16]:
    """513 values of a function in Q0.15, between which the reference interpolates, each moved by
    half of what is off in the middle of its stretch. Codes c mean scale * (c - zero). All in
    float32, as the reference's table is made."""
    one = np.float32
    low, high = scale * one(-32768 - zero), scale * one(32767 - zero)
    step = (high - low) / one(512)
    output = one(2) / one(65535)
    inverse = one(65536) / (output * one(32767) - output * one(-32768))
    at = (low + np.arange(512, dtype=np.float32) * step).astype(np.float32)
    value, middle = function(at) * inverse, function(at + step / one(2)) * inverse
    after = function((low + np.arange(1, 513, dtype=np.float32) * step).astype(np.float32))
    between = _away((after * inverse + _away(value)) / one(2))
    bias = _away((between - _away(middle)) / one(2))
    codes = np.append(_away(value) - bias, _away(function(np.array([high])) * inverse))
    found: NDArray[np.int16] = np.clip(codes, -32768, 32767).astype(np.int16)
    return found


def _exponential(x: Floats) -> Floats:
    # The nearest float to the exponential, as a C library gives it.
    found: Floats = np.exp(x.astype(np.float64)).astype(np.float32)
    return found


def _reciprocal(x: Floats) -> Floats:
    found: Floats = np.float32(1) / (np.float32(1) + x)
    return found


def softmax(site: Site) -> Lowering:
    """SOFTMAX, through tables of exp and of 1 / (1 + x)."""
    source, given, target, wanted = _pair(site)
    site.require(
        abs(wanted.scale - 1 / 32768) <= 0.001 / 32768,
        f"its output has scale {wanted.scale}, not {1 / 32768}",
    )
    site.require(
        source.shape == target.shape and len(source.shape) >= 1,
        f"shapes {list(source.shape)} and {list(target.shape)}",
    )
    depth = source.shape[-1]
    site.require(depth <= 65535, f"rows of {depth} values, at most 65535")
    beta = single(site.number("beta", 0.0))
    multiplier, shift = checked_multiplier(site, single(given.scale) * beta / (10.0 / 65535.0))
    # A difference of 17 bits must not leave 32 bits when it is shifted.
    site.require(shift <= 14, f"beta is {beta} and the input's scale {given.scale}")
    unit = np.float32(1) / np.float32(65535)
    ten = np.float32(10) / np.float32(65535)
    exponentials = interpolated(ten, 32767, _exponential)
    reciprocals = interpolated(unit, -32768, _reciprocal)
    constants = (
        site.constant("exponentials", _CODES, exponentials.tobytes()),
        site.constant("reciprocals", _CODES, reciprocals.tobytes()),
    )
    params: dict[str, ParamValue] = {
        "rows": source.count // depth,
        "depth": depth,
        "multiplier": multiplier,
        "shift": shift,
    }
    return _call(site, "nb_softmax_s16", "sigmoid_s16.c", params, 70, *constants)
