"""Comparisons, logic, SELECT_V2 and CAST."""

from __future__ import annotations

from functools import partial

from npubench.compiler.graph import DType, Tensor
from npubench.compiler.lower.elementwise import DIMS, broadcast
from npubench.compiler.lower.requant import quantize_multiplier, single
from npubench.compiler.lower.site import (
    Choice,
    Lowering,
    LoweringFunction,
    Operand,
    Site,
    read,
    write,
)
from npubench.compiler.lower.table import table_call
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue

_BELOW, _EQUAL, _ABOVE = 1, 2, 4
_MASKS = {
    "LESS": _BELOW,
    "LESS_EQUAL": _BELOW | _EQUAL,
    "EQUAL": _EQUAL,
    "NOT_EQUAL": _BELOW | _ABOVE,
    "GREATER": _ABOVE,
    "GREATER_EQUAL": _ABOVE | _EQUAL,
}
_CTYPE = {
    DType.INT8: "int8_t",
    DType.INT16: "int16_t",
    DType.INT32: "int32_t",
    DType.FLOAT32: "float",
    DType.BOOL: "uint8_t",
}
_CAST = {
    DType.INT8: 0,
    DType.INT16: 1,
    DType.INT32: 2,
    DType.FLOAT32: 3,
    DType.BOOL: 4,
}
_COMPARED = {
    DType.INT8: "nb_compare_s8",
    DType.BOOL: "nb_compare_raw8",
    DType.INT32: "nb_compare_s32",
}


def _operand(site: Site, tensor: Tensor, what: str, ctype: str) -> Operand:
    """An input of any type that may be constant."""
    if tensor.data is None:
        return Operand(arg=read(tensor, ctype), constants=())
    constant = site.constant(what, _CTYPE[tensor.dtype], tensor.data)
    return Operand(arg=ConstantArg(constant=constant.name), constants=(constant,))


def _scaling(site: Site, tensor: Tensor) -> tuple[int, int, int]:
    """Zero point, multiplier and shift that bring codes to a common scale."""
    quantization = site.quantization(tensor, "an input")
    scale = single(quantization.scale)
    site.require(0.0 < scale < 1.0, f"an input has scale {scale}, which the reference refuses")
    multiplier, shift = quantize_multiplier(scale)
    site.require(shift <= 0, f"an input has scale {scale}")
    return quantization.zero_point, multiplier, shift


def _compare(site: Site, mask: int) -> Lowering:
    site.arity(inputs=(2,))
    first, second, target = site.input(0), site.input(1), site.output()
    site.require(
        first.dtype is second.dtype and first.dtype in _COMPARED and target.dtype is DType.BOOL,
        f"it compares {first.dtype} with {second.dtype} to {target.dtype}",
    )
    site.require(
        first.dtype is not DType.BOOL or site.op.kind in ("EQUAL", "NOT_EQUAL"),
        "the reference has no order of bool",
    )
    site.require(not (first.is_constant and second.is_constant), "both inputs are constants")
    kernel = _COMPARED[first.dtype]
    scalings = [(0, 0, 0), (0, 0, 0)]
    if first.dtype is DType.INT8:
        scalings = [_scaling(site, first), _scaling(site, second)]
    ctype = _CTYPE[first.dtype]
    operands = (
        _operand(site, first, "first", ctype),
        _operand(site, second, "second", ctype),
    )
    params: dict[str, ParamValue] = {
        **broadcast(site, first, second, target),
        "mask": mask,
        "zero1": scalings[0][0],
        "zero2": scalings[1][0],
        "multiplier1": scalings[0][1],
        "shift1": scalings[0][2],
        "multiplier2": scalings[1][1],
        "shift2": scalings[1][2],
    }
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel,
        source="compare.c",
        params_type="nb_compare_params",
        params=tuple(params.items()),
        args=(operands[0].arg, operands[1].arg, write(target, "uint8_t")),
        choice=Choice(reason="", instructions=40 * target.count),
    )
    return call, operands[0].constants + operands[1].constants


def _logical(site: Site, kernel: str) -> Lowering:
    """Of zeros and ones the smaller is both, the larger is either."""
    site.arity(inputs=(2,))
    first, second, target = site.input(0), site.input(1), site.output()
    site.require(
        first.dtype is second.dtype is target.dtype is DType.BOOL,
        f"it joins {first.dtype} and {second.dtype}",
    )
    site.require(not (first.is_constant and second.is_constant), "both inputs are constants")
    operands = (
        _operand(site, first, "first", "int8_t"),
        _operand(site, second, "second", "int8_t"),
    )
    constants = operands[0].constants + operands[1].constants
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel,
        source="minmax_s8.c",
        params_type="nb_minmax_s8_params",
        params=tuple(broadcast(site, first, second, target).items()),
        args=(
            operands[0].arg,
            operands[1].arg,
            write(target, "int8_t"),
        ),
        choice=Choice(reason="", instructions=8 * target.count),
    )
    signed = tuple(
        site.constant(item.name.rpartition("_")[2], "int8_t", item.data) for item in constants
    )
    return call, signed


def _not(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    site.require(source.dtype is target.dtype is DType.BOOL, f"it inverts {source.dtype}, not bool")
    return table_call(site, source, target, lambda code: int(code == 0))


def _select(site: Site) -> Lowering:
    site.arity(inputs=(3,))
    condition, first, second = (site.input(position) for position in range(3))
    target = site.output()
    site.require(
        condition.dtype is DType.BOOL
        and first.dtype is second.dtype is target.dtype
        and first.dtype in (DType.INT8, DType.INT16, DType.FLOAT32),
        f"it chooses by {condition.dtype} from {first.dtype} and {second.dtype}",
    )
    rank = len(target.shape)
    site.require(rank <= DIMS, f"{rank} dimensions")
    strides = []
    for tensor in (condition, first, second):
        shape = (1,) * (rank - len(tensor.shape)) + tensor.shape
        steps: list[int] = []
        step = 1
        for size, full in zip(reversed(shape), reversed(target.shape), strict=True):
            site.require(size in (1, full), f"shape {list(tensor.shape)} to {list(target.shape)}")
            steps.insert(0, 0 if size == 1 else step)
            step *= size
        strides.append((0,) * (DIMS - rank) + tuple(steps))
    operands = [
        _operand(site, tensor, what, "uint8_t")
        for tensor, what in ((condition, "condition"), (first, "first"), (second, "second"))
    ]
    params: dict[str, ParamValue] = {
        "dims": (1,) * (DIMS - rank) + target.shape,
        "stride0": strides[0],
        "stride1": strides[1],
        "stride2": strides[2],
        "bytes": target.dtype.size_bytes,
    }
    raw = [
        site.constant(item.name.rpartition("_")[2], "uint8_t", item.data)
        for operand in operands
        for item in operand.constants
    ]
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_select",
        source="compare.c",
        params_type="nb_select_params",
        params=tuple(params.items()),
        args=(*(operand.arg for operand in operands), write(target, "uint8_t")),
        choice=Choice(reason="", instructions=90 * target.count),
    )
    return call, tuple(raw)


def _cast(site: Site) -> Lowering:
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    site.require(
        source.dtype in _CAST and target.dtype in _CAST and target.dtype is not DType.BOOL,
        f"it makes {target.dtype} of {source.dtype}",
    )
    site.require(source.count == target.count, "input and output differ in size")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_cast",
        source="compare.c",
        params_type="nb_cast_params",
        params=(
            ("count", source.count),
            ("from", _CAST[source.dtype]),
            ("to", _CAST[target.dtype]),
        ),
        args=(read(source, "uint8_t"), write(target, "uint8_t")),
        choice=Choice(reason="", instructions=14 * target.count),
    )
    return call, ()


LOWERINGS: dict[str, LoweringFunction] = {
    **{kind: partial(_compare, mask=mask) for kind, mask in _MASKS.items()},
    "LOGICAL_AND": partial(_logical, kernel="nb_minimum_s8"),
    "LOGICAL_OR": partial(_logical, kernel="nb_maximum_s8"),
    "LOGICAL_NOT": _not,
    "SELECT_V2": _select,
    "CAST": _cast,
}
