"""What is known before the network runs: shapes, and the integers that are computed from them.

Models that were exported with a dynamic batch ask for shapes at run time and form new shapes from
them. Here all shapes are fixed, so such operators have one answer: their outputs become constants.
Only integers and Booleans without a scale are computed, as the interpreter would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Graph, Op, Tensor

Array = NDArray[Any]

LIMIT_ELEMENTS: Final = 65_536
"""Larger results stay what they are: the flash is not to be filled with what a loop can write."""

_DTYPES: Final[dict[DType, np.dtype[Any]]] = {
    DType.INT32: np.dtype("<i4"),
    DType.INT64: np.dtype("<i8"),
    DType.BOOL: np.dtype("?"),
}


def with_known_values(graph: Graph) -> Graph:
    """The graph with every output that is known turned into a constant; operators stay listed."""
    tensors = list(graph.tensors)
    for op in graph.ops:
        value = _value(tensors, op)
        if value is None:
            continue
        target = tensors[op.outputs[0]]
        tensors[target.index] = replace(target, data=value.tobytes())
    return graph if tensors == list(graph.tensors) else replace(graph, tensors=tuple(tensors))


def _value(tensors: Sequence[Tensor], op: Op) -> Array | None:
    """The operator's only output, or None where it is not known."""
    if len(op.outputs) != 1:
        return None
    target = tensors[op.outputs[0]]
    dtype = _DTYPES.get(target.dtype)
    if dtype is None or target.is_constant or target.count > LIMIT_ELEMENTS:
        return None
    if any(index < 0 for index in op.inputs):
        return None
    inputs = [tensors[index] for index in op.inputs]
    result: Any
    if op.kind == "SHAPE" and len(inputs) == 1:
        result = np.array(inputs[0].shape)
    else:
        function = _FUNCTIONS.get(op.kind)
        arrays = [_array(tensor) for tensor in inputs]
        known = [array for array in arrays if array is not None]
        if function is None or not inputs or len(known) != len(arrays):
            return None
        try:
            result = function(op, known, target)
        except (ValueError, IndexError, TypeError, ZeroDivisionError, FloatingPointError):
            return None
    result = np.asarray(result)
    if result.size != target.count:
        return None
    answer: Array = result.astype(dtype).reshape(target.shape)
    return answer


def _array(tensor: Tensor) -> Array | None:
    dtype = _DTYPES.get(tensor.dtype)
    if dtype is None or tensor.data is None:
        return None
    values: Array = np.frombuffer(tensor.data, dtype).reshape(tensor.shape)
    return values


def _number(op: Op, name: str, default: int = 0) -> int:
    value = op.options.get(name, default)
    if not isinstance(value, int):
        raise TypeError(name)
    return int(value)


_Function = Callable[[Op, list[Array], Tensor], Any]


def _plain(function: Callable[..., Any]) -> _Function:
    def call(op: Op, arrays: list[Array], target: Tensor) -> Any:
        del target
        if op.options.get("fused_activation_function", "NONE") != "NONE":
            raise ValueError("fused activation")
        return function(*arrays)

    return call


def _strided_slice(op: Op, arrays: list[Array], target: Tensor) -> Any:
    del target
    source, begin, end, step = arrays
    if _number(op, "ellipsis_mask") or _number(op, "new_axis_mask") or op.options.get("offset"):
        raise ValueError("mask")
    index: list[Any] = []
    for axis in range(begin.size):
        low, high = int(begin.flat[axis]), int(end.flat[axis])
        if _number(op, "shrink_axis_mask") >> axis & 1:
            index.append(low)
            continue
        index.append(
            slice(
                None if _number(op, "begin_mask") >> axis & 1 else low,
                None if _number(op, "end_mask") >> axis & 1 else high,
                int(step.flat[axis]),
            )
        )
    return source[tuple(index)]


def _slice(op: Op, arrays: list[Array], target: Tensor) -> Any:
    del op, target
    source, begin, size = arrays
    index = tuple(
        slice(int(low), None if count < 0 else int(low) + int(count))
        for low, count in zip(begin.flat, size.flat, strict=True)
    )
    return source[index]


def _reduced(function: Callable[..., Any]) -> _Function:
    def call(op: Op, arrays: list[Array], target: Tensor) -> Any:
        del op, target
        source, axes = arrays
        return function(source, axis=tuple(int(axis) for axis in axes.flat))

    return call


def _quotient(a: Array, b: Array) -> Any:
    if not b.all():
        raise ZeroDivisionError
    return np.trunc(a / b)


def _floor(a: Array, b: Array) -> Any:
    if not b.all():
        raise ZeroDivisionError
    return a // b


_FUNCTIONS: Final[dict[str, _Function]] = {
    "STRIDED_SLICE": _strided_slice,
    "SLICE": _slice,
    "PACK": lambda op, arrays, _: np.stack(arrays, axis=_number(op, "axis")),
    "CONCATENATION": lambda op, arrays, _: np.concatenate(arrays, axis=_number(op, "axis")),
    "GATHER": lambda op, arrays, _: np.take(arrays[0], arrays[1], axis=_number(op, "axis")),
    "RESHAPE": lambda _, arrays, __: arrays[0],
    "SQUEEZE": lambda _, arrays, __: arrays[0],
    "EXPAND_DIMS": lambda _, arrays, __: arrays[0],
    "CAST": lambda _, arrays, __: arrays[0],
    "FILL": lambda _, arrays, target: np.full(target.shape, arrays[1]),
    "BROADCAST_TO": lambda _, arrays, target: np.broadcast_to(arrays[0], target.shape),
    "ADD": _plain(np.add),
    "SUB": _plain(np.subtract),
    "MUL": _plain(np.multiply),
    "DIV": _plain(_quotient),
    "FLOOR_DIV": _plain(_floor),
    "MINIMUM": _plain(np.minimum),
    "MAXIMUM": _plain(np.maximum),
    "NEG": _plain(np.negative),
    "EQUAL": _plain(np.equal),
    "NOT_EQUAL": _plain(np.not_equal),
    "LESS": _plain(np.less),
    "LESS_EQUAL": _plain(np.less_equal),
    "GREATER": _plain(np.greater),
    "GREATER_EQUAL": _plain(np.greater_equal),
    "LOGICAL_AND": _plain(np.logical_and),
    "LOGICAL_OR": _plain(np.logical_or),
    "LOGICAL_NOT": _plain(np.logical_not),
    "SELECT_V2": _plain(np.where),
    "REDUCE_PROD": _reduced(np.prod),
    "REDUCE_MAX": _reduced(np.max),
    "REDUCE_MIN": _reduced(np.min),
    "SUM": _reduced(np.sum),
    "RANGE": _plain(np.arange),
}
