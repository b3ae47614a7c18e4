"""Operators that one of Vela 5.2's cores compiles wrongly, by their types, shapes and scales.

Each rule says exactly which forms are meant; found by running random networks of one operator
through both cores on the NPU's model, explained by Vela's open sources or by the stream it wrote.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from npubench.compiler.graph import DType, Graph, Op, Tensor

_EXACT_LIMIT: Final = 1 << 30
_INT32_STEPS: Final = float(1 << 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What becomes of an operator. ``slight``: by one step at most, in few elements."""

    text: str
    slight: bool = False


Rule = Callable[[Graph, Op], Iterator[Wrong]]


def default_wrongs(graph: Graph, op: Op) -> Iterator[Wrong]:
    """What the default core gets wrong of an operator."""
    for rule in _DEFAULT.get(op.kind, ()):
        yield from rule(graph, op)


def legacy_wrongs(graph: Graph, op: Op) -> Iterator[Wrong]:
    """What the legacy core gets wrong of an operator."""
    for rule in _LEGACY.get(op.kind, ()):
        yield from rule(graph, op)


def _scale(tensor: Tensor) -> float | None:
    return None if tensor.quantization is None else float(tensor.quantization.scales[0])


def _axes(graph: Graph, op: Op) -> tuple[int, ...] | None:
    """The axes of a reduction, counted from 0; None where they are not constant."""
    data = graph.tensor(op.inputs[1]).data
    if data is None:
        return None
    rank = len(graph.tensor(op.inputs[0]).shape)
    return tuple(int(axis) % rank for axis in np.frombuffer(data, dtype="<i4"))


# --- both cores ----------------------------------------------------------------------------------


def _scaled32(graph: Graph, op: Op) -> Iterator[Wrong]:
    """TFLite computes with 32-bit integers as they are; Vela goes by their scales."""
    if graph.tensor(op.outputs[0]).dtype is not DType.INT32:
        return
    tensors = [graph.tensor(index) for index in (*op.inputs, *op.outputs) if index >= 0]
    if op.kind == "SUM":
        tensors = [graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])]
    scales = [_scale(tensor) for tensor in tensors]
    if None in scales or (op.kind != "MUL" and len(set(scales)) == 1):
        return
    yield Wrong(
        text="of 32-bit integers with scales: TFLite takes the integers as they are, Vela "
        + ("shifts the product by them" if op.kind == "MUL" else "rescales them")
    )


# --- the default core ----------------------------------------------------------------------------


def _dropped_axis(graph: Graph, op: Op) -> Iterator[Wrong]:
    """REDUCE_MAX and REDUCE_MIN without keep_dims: the output's own shape takes the place of the
    one with axes of 1, which differs from it but for leading ones."""
    axes = _axes(graph, op)
    source, target = graph.tensor(op.inputs[0]).shape, graph.tensor(op.outputs[0]).shape
    if axes is None or op.options.get("keep_dims") or len(source) < 2:
        return
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(source))
    shown = (1,) * (len(source) - len(target)) + tuple(target)
    if shown == kept or (axes == (len(source) - 1,) and source[-2] == 1):
        return
    yield Wrong(
        text=f"without keep_dims over axes {list(axes)} of {list(source)} reads most of its input "
        "from the wrong place"
    )


def _unsigned_transpose(graph: Graph, op: Op) -> Iterator[Wrong]:
    if graph.tensor(op.inputs[0]).dtype is DType.UINT8:
        yield Wrong(text="of unsigned values is clamped as if they were signed")


def _unsigned_multiplied(graph: Graph, op: Op) -> Iterator[Wrong]:
    """Several output channels of each input channel go through such a TRANSPOSE."""
    source = graph.tensor(op.inputs[0])
    if source.dtype is not DType.UINT8 or source.shape[-1] == 1:
        return
    if graph.tensor(op.outputs[0]).shape[-1] > source.shape[-1]:
        yield Wrong(
            text="of unsigned values with a depth multiplier is clamped as if they were signed"
        )


def _overflowing_exp(graph: Graph, op: Op) -> Iterator[Wrong]:
    """The table's entries are converted to 32 bits before they are clamped."""
    source, target = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if source.dtype is not DType.INT8 or source.quantization is None or target.quantization is None:
        return
    most = (127 - int(source.quantization.zero_points[0])) * float(source.quantization.scales[0])
    steps = math.exp(min(most, 700.0)) / float(target.quantization.scales[0])
    if steps >= _INT32_STEPS - 256:
        yield Wrong(
            text=f"whose largest result is {steps:.3g} steps of its output, beyond 32 bits, gives "
            "the least value for the largest"
        )


# --- the legacy core -----------------------------------------------------------------------------


def _batched(graph: Graph, op: Op) -> Iterator[Wrong]:
    """PACK and UNPACK: the packed tensor's first axis is taken for one."""
    tensor = graph.tensor(op.outputs[0] if op.kind == "PACK" else op.inputs[0])
    axis = op.options.get("axis", 0)
    if len(tensor.shape) == 4 and tensor.shape[0] > 1 and isinstance(axis, int) and axis % 4:
        yield Wrong(text=f"along axis {axis} of {list(tensor.shape)} takes the first axis for 1")


def _mean_of_one(graph: Graph, op: Op) -> Iterator[Wrong]:
    axes = _axes(graph, op)
    source, target = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if axes is None or source.quantization == target.quantization:
        return
    if all(source.shape[axis] == 1 for axis in axes):
        yield Wrong(text="over axes of length 1 is left out, and with it the change of scale")


def _unpadded_transposed(graph: Graph, op: Op) -> Iterator[Wrong]:
    """TRANSPOSE_CONV of stride 1 becomes a CONV_2D of the same padding: right only where both pad
    alike."""
    if (op.options.get("stride_h", 1), op.options.get("stride_w", 1)) != (1, 1):
        return
    kernel = graph.tensor(op.inputs[1]).shape[1:3]
    alike = all(size % 2 for size in kernel) and op.options.get("padding") == "SAME"
    if not alike and tuple(kernel) != (1, 1):
        yield Wrong(
            text=f"with stride 1, padding {op.options.get('padding')} and a kernel of "
            f"{kernel[0]} x {kernel[1]} is padded at the wrong side"
        )


def _first_broadcast(graph: Graph, op: Op) -> Iterator[Wrong]:
    """The difference before it is squared gets the first input's shape."""
    if graph.tensor(op.inputs[0]).shape != graph.tensor(op.outputs[0]).shape:
        yield Wrong(text="whose first input is the smaller one computes that one's elements alone")


def _coarse_exp(graph: Graph, op: Op) -> Iterator[Wrong]:
    if graph.tensor(op.inputs[0]).dtype is DType.INT16:
        yield Wrong(text="of 16 bits is one step off in few elements (its table)", slight=True)


def _inexact_copy(graph: Graph, op: Op) -> Iterator[Wrong]:
    """A copy is an average of one, whose multiplier is one more than 2**31."""
    if graph.tensor(op.inputs[0]).dtype is DType.INT32:
        yield Wrong(text=f"of 32 bits is one step off from {_EXACT_LIMIT} on", slight=True)


def _single_precision(graph: Graph, op: Op) -> Iterator[Wrong]:
    """Scales by channel are multiplied in single precision, where TFLite takes double: another
    multiplier, which matters where it is rounded to 16 bits."""
    source, weights = graph.tensor(op.inputs[0]), graph.tensor(op.inputs[1])
    target = graph.tensor(op.outputs[0])
    if source.dtype not in (DType.INT8, DType.INT16) or weights.quantization is None:
        return
    scales = np.asarray(weights.quantization.scales, dtype=np.float32)
    given, wanted = _scale(source), _scale(target)
    if scales.size < 2 or given is None or wanted is None:
        return
    bits = 15 if source.dtype is DType.INT16 else 31
    single = (np.float32(given) * scales).astype(np.float64) / wanted
    double = given * scales.astype(np.float64) / wanted
    other = sum(
        _multiplier(float(a), bits) != _multiplier(float(b), bits)
        for a, b in zip(single, double, strict=True)
    )
    if other:
        yield Wrong(
            text=f"takes another multiplier for {other} of its {scales.size} channels: one step "
            "off in few elements",
            slight=True,
        )


def _multiplier(scale: float, bits: int) -> tuple[int, int]:
    """A scale as TFLite rounds it: to 31 bits, then to 15 where the input has 16."""
    significand, exponent = math.frexp(scale)
    wide = math.floor(significand * (1 << 31) + 0.5)
    return (wide, exponent) if bits == 31 else ((wide + (1 << 15)) >> 16, exponent)


_DEFAULT: Final[Mapping[str, tuple[Rule, ...]]] = {
    "TRANSPOSE": (_unsigned_transpose,),
    "DEPTHWISE_CONV_2D": (_unsigned_multiplied,),
    "REDUCE_MAX": (_dropped_axis,),
    "REDUCE_MIN": (_dropped_axis,),
    "EXP": (_overflowing_exp,),
    "ADD": (_scaled32,),
    "SUB": (_scaled32,),
    "MUL": (_scaled32,),
    "SUM": (_scaled32,),
}
_LEGACY: Final[Mapping[str, tuple[Rule, ...]]] = {
    "PACK": (_batched,),
    "UNPACK": (_batched,),
    "MEAN": (_mean_of_one,),
    "TRANSPOSE_CONV": (_unpadded_transposed,),
    "EXP": (_coarse_exp,),
    "MIRROR_PAD": (_inexact_copy,),
    "TRANSPOSE": (_inexact_copy,),
    "FULLY_CONNECTED": (_single_precision,),
    "ADD": (_scaled32,),
    "SUB": (_scaled32,),
    "MUL": (_scaled32,),
    "SQUARED_DIFFERENCE": (_first_broadcast,),
}
