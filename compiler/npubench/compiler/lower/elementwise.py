"""ADD, SUB, MUL, MINIMUM and MAXIMUM, with broadcasting."""

from __future__ import annotations

from functools import partial

from npubench.compiler.graph import DType, Tensor
from npubench.compiler.lower import dsp, mve
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.choice import fastest
from npubench.compiler.lower.layer import Addend, Total
from npubench.compiler.lower.requant import quantize_multiplier, single
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, write
from npubench.compiler.lower.weights import checked_multiplier
from npubench.compiler.plan import KernelCall, ParamValue

DIMS = 5
LEFT_SHIFT = 20
WIDE_LEFT_SHIFT = 15
WIDE_SOURCE = "elementwise_s16.c"


def broadcast(site: Site, first: Tensor, second: Tensor, target: Tensor) -> dict[str, ParamValue]:
    """Merged dimensions of the output and both inputs' strides, 0 along broadcast ones."""
    rank = len(target.shape)
    shapes = []
    for tensor in (first, second):
        padded = (1,) * (rank - len(tensor.shape)) + tensor.shape
        fits = len(padded) == rank and all(
            size in (1, full) for size, full in zip(padded, target.shape, strict=True)
        )
        site.require(fits, f"shape {list(tensor.shape)} to {list(target.shape)}")
        shapes.append(padded)
    dims: list[int] = []
    spread: list[tuple[bool, bool]] = []  # whether each input is broadcast
    for axis, size in enumerate(target.shape):
        if size == 1:
            continue
        kind = (shapes[0][axis] == 1, shapes[1][axis] == 1)
        site.require(kind != (True, True), "its output is larger than both inputs")
        if spread and spread[-1] == kind:
            dims[-1] *= size
        else:
            dims.append(size)
            spread.append(kind)
    site.require(len(dims) <= DIMS, f"broadcast of {list(first.shape)} and {list(second.shape)}")
    strides: list[list[int]] = [[], []]
    for which in (0, 1):
        step = 1
        for size, kind in zip(reversed(dims), reversed(spread), strict=True):
            strides[which].insert(0, 0 if kind[which] else step)
            step *= 1 if kind[which] else size
    fill = DIMS - len(dims)
    return {
        "dims": (1,) * fill + tuple(dims),
        "stride1": (0,) * fill + tuple(strides[0]),
        "stride2": (0,) * fill + tuple(strides[1]),
    }


def alike(site: Site) -> bool:
    """Whether inputs and output are int16; requires all three to be, where one is."""
    types = [tensor.dtype for tensor in (site.input(0), site.input(1), site.output())]
    wide = DType.INT16 in types
    site.require(not wide or len(set(types)) == 1, f"{types[0]} and {types[1]} to {types[2]}")
    return wide


def _binary(
    site: Site, kernel: str, source: str, params_type: str, params: dict[str, ParamValue]
) -> Lowering:
    first, second, target = site.input(0), site.input(1), site.output()
    site.require(not (first.is_constant and second.is_constant), "both inputs are constants")
    wide = alike(site)
    ctype = "int16_t" if wide else "int8_t"
    operands = (site.operand(first, "first", ctype), site.operand(second, "second", ctype))
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel.replace("_s8", "_s16") if wide else kernel,
        source=WIDE_SOURCE if wide else source,
        params_type=params_type,
        params=tuple((broadcast(site, first, second, target) | params).items()),
        args=(operands[0].arg, operands[1].arg, write(target, ctype)),
        choice=Choice(reason="", instructions=60 * target.count),
    )
    return call, operands[0].constants + operands[1].constants


def _small(site: Site, real: float) -> tuple[int, int]:
    """Multiplier and shift of a factor that the reference wants between zero and one."""
    site.require(0.0 < real < 1.0, f"a rescaling factor is {real}")
    multiplier, shift = quantize_multiplier(real)
    site.require(shift <= 0, f"a rescaling factor is {real}")
    return multiplier, shift


def _sum(site: Site, kernel: str) -> Lowering:
    site.arity(inputs=(2,))
    wide = alike(site)
    left_shift = WIDE_LEFT_SHIFT if wide else LEFT_SHIFT
    first = site.codes(site.input(0), "the first input", tiny=True)
    second = site.codes(site.input(1), "the second input", tiny=True)
    target = site.codes(site.output(), "the output", tiny=True)
    site.require(target.scale > 0, "the output has the scale 0.0")
    scale1, scale2, scale = single(first.scale), single(second.scale), single(target.scale)
    twice = 2.0 * max(scale1, scale2)
    factors = [scale1 / twice, scale2 / twice, twice / ((1 << left_shift) * scale)]
    pairs = [_small(site, factor) for factor in factors]
    low, high = fused_range(site, target, wide=wide)
    params: dict[str, ParamValue] = {
        "zero1": first.zero_point,
        "zero2": second.zero_point,
        "multiplier1": pairs[0][0],
        "shift1": pairs[0][1],
        "multiplier2": pairs[1][0],
        "shift2": pairs[1][1],
        "left_shift": left_shift,
        "multiplier": pairs[2][0],
        "shift": pairs[2][1],
        "output_zero": target.zero_point,
        "low": low,
        "high": high,
    }
    return _binary(site, kernel, "add_s8.c", "nb_add_s8_params", params)


def _add(site: Site) -> Lowering:
    portable = _sum(site, "nb_add_s8")
    if site.is_wide():
        return portable
    call, _ = portable
    assert isinstance(call, KernelCall)
    values = dict(call.params)
    first, second = (
        Addend(
            tensor=site.input(position),
            zero=_number(values, f"zero{position + 1}"),
            multiplier=_number(values, f"multiplier{position + 1}"),
            shift=_number(values, f"shift{position + 1}"),
        )
        for position in (0, 1)
    )
    total = Total(
        tensor=site.output(),
        zero=_number(values, "output_zero"),
        multiplier=_number(values, "multiplier"),
        shift=_number(values, "shift"),
        low=_number(values, "low"),
        high=_number(values, "high"),
    )
    offers = {
        mve.FLAVOUR: partial(mve.addition, site, first, second, total),
        dsp.FLAVOUR: partial(dsp.addition, site, first, second, total),
    }
    return fastest(site, offers, portable)


def _number(values: dict[str, ParamValue], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value


def _sub(site: Site) -> Lowering:
    return _sum(site, "nb_sub_s8")


def _mul(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    wide = alike(site)
    first = site.codes(site.input(0), "the first input", tiny=True)
    second = site.codes(site.input(1), "the second input", tiny=True)
    target = site.codes(site.output(), "the output", tiny=True)
    site.require(target.scale > 0, "the output has the scale 0.0")
    real = single(first.scale) * single(second.scale) / single(target.scale)
    multiplier, shift = checked_multiplier(site, real)
    low, high = fused_range(site, target, wide=wide)
    # A product of two int16 has 31 bits; what a larger factor would shift out is not defined.
    site.require(not wide or shift <= 0, f"a rescaling factor is {real}")
    params: dict[str, ParamValue] = {
        "zero1": first.zero_point,
        "zero2": second.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": target.zero_point,
        "low": low,
        "high": high,
    }
    return _binary(site, "nb_mul_s8", "mul_s8.c", "nb_mul_s8_params", params)


def _extreme(site: Site, kernel: str) -> Lowering:
    site.arity(inputs=(2,))
    for position in (0, 1):
        site.same_quantization(site.input(position), site.output(), "inputs and output")
    return _binary(site, kernel, "minmax_s8.c", "nb_minmax_s8_params", {})


def _minimum(site: Site) -> Lowering:
    return _extreme(site, "nb_minimum_s8")


def _maximum(site: Site) -> Lowering:
    return _extreme(site, "nb_maximum_s8")


LOWERINGS: dict[str, LoweringFunction] = {
    "ADD": _add,
    "SUB": _sub,
    "MUL": _mul,
    "MINIMUM": _minimum,
    "MAXIMUM": _maximum,
}
