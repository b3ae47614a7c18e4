"""The smallest network of one operator in an element type: what the CPU's lowerings are tried on.

Several forms are tried of an operator (one input, two, weights, axes); one that is taken is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from npubench.compiler.graph import DType, Graph, Op, OptionValue, Quantization, Tensor, Variable

TYPES = (DType.INT8, DType.UINT8, DType.INT16, DType.INT32, DType.FLOAT32, DType.BOOL)
"""Element types of the table, in its order."""

_FIXED = {"LOGISTIC": 256, "TANH": 128, "SOFTMAX": 256, "LOG_SOFTMAX": 16, "L2_NORMALIZATION": 128}
_WINDOW: dict[str, OptionValue] = {
    "padding": "VALID",
    "stride_w": 1,
    "stride_h": 1,
    "filter_width": 2,
    "filter_height": 2,
    "depth_multiplier": 1,
    "dilation_w_factor": 1,
    "dilation_h_factor": 1,
}
_IMAGE = (1, 4, 4, 4)


class _Sheet:
    """Tensors as they are added; a graph of one operator at the end."""

    def __init__(self, kind: str, dtype: DType) -> None:
        self._kind = kind
        self._dtype = dtype
        self._tensors: list[Tensor] = []

    def tensor(self, shape: tuple[int, ...], *, scale: float = 0.0625, zero: int = 0) -> int:
        """An activation in the sample's element type."""
        narrow = self._dtype in (DType.INT8, DType.UINT8, DType.INT16, DType.INT32)
        quantization = Quantization(scales=(scale,), zero_points=(zero,)) if narrow else None
        return self._add(shape, self._dtype, quantization, None)

    def typed(self, shape: tuple[int, ...], dtype: DType) -> int:
        """An activation of another type."""
        quantized = dtype in (DType.INT8, DType.UINT8, DType.INT16)
        quantization = Quantization(scales=(0.0625,), zero_points=(0,)) if quantized else None
        return self._add(shape, dtype, quantization, None)

    def constant(self) -> int:
        """One element of the sample's type that is zero."""
        quantization = Quantization(scales=(0.0625,), zero_points=(0,))
        narrow = self._dtype in (DType.INT8, DType.UINT8, DType.INT16)
        data = bytes(self._dtype.size_bytes)
        return self._add((1,), self._dtype, quantization if narrow else None, data)

    def ints(self, values: tuple[int, ...]) -> int:
        """A constant that steers the operator."""
        data = np.array(values, np.int32).tobytes()
        return self._add((len(values),), DType.INT32, None, data)

    def weights(self, shape: tuple[int, ...], axis: int) -> int:
        dtype = DType.FLOAT32 if self._dtype is DType.FLOAT32 else DType.INT8
        count = shape[axis]
        quantization = Quantization(scales=(0.01,) * count, zero_points=(0,) * count, axis=axis)
        data = bytes(int(np.prod(shape)) * dtype.size_bytes)
        return self._add(shape, dtype, None if dtype is DType.FLOAT32 else quantization, data)

    def scaled(self, shape: tuple[int, ...]) -> int:
        """Weights with one scale for all."""
        quantization = Quantization(scales=(0.01,), zero_points=(0,))
        return self._add(shape, DType.INT8, quantization, bytes(int(np.prod(shape))))

    def bias(self, count: int) -> int:
        dtype = {DType.FLOAT32: DType.FLOAT32, DType.INT16: DType.INT64}.get(
            self._dtype, DType.INT32
        )
        return self._add((count,), dtype, None, bytes(count * dtype.size_bytes))

    def graph(
        self,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        options: dict[str, OptionValue] | None = None,
    ) -> Graph:
        op = Op(index=0, kind=self._kind, inputs=inputs, outputs=outputs, options=options or {})
        return Graph(
            name="sample",
            sha256="0" * 64,
            tensors=tuple(self._tensors),
            ops=(op,),
            inputs=tuple(
                index for index in inputs if index >= 0 and self._tensors[index].data is None
            ),
            outputs=outputs,
        )

    def _add(
        self,
        shape: tuple[int, ...],
        dtype: DType,
        quantization: Quantization | None,
        data: bytes | None,
    ) -> int:
        self._tensors.append(
            Tensor(
                index=len(self._tensors),
                name=f"t{len(self._tensors)}",
                shape=shape,
                dtype=dtype,
                quantization=quantization,
                data=data,
            )
        )
        return len(self._tensors) - 1


def samples(kind: str, dtype: DType) -> Iterator[Graph]:
    """Forms of ``kind`` whose first activation is of ``dtype``, likeliest first."""
    form = _FORMS.get(kind)
    if form is not None:
        yield from form(kind, dtype)
        return
    yield from _plain(kind, dtype)


def _plain(kind: str, dtype: DType) -> Iterator[Graph]:
    for count in (1, 2):
        for to in (dtype, DType.BOOL):
            sheet = _Sheet(kind, dtype)
            inputs = tuple(sheet.tensor(_IMAGE) for _ in range(count))
            if kind in _FIXED:
                zero = -128 if kind in ("LOGISTIC", "SOFTMAX") and dtype is DType.INT8 else 0
                steps = 2**15 if dtype is DType.INT16 else _FIXED[kind]
                out = sheet.tensor(_IMAGE, scale=1 / steps, zero=zero)
            else:
                out = sheet.tensor(_IMAGE) if to is dtype else sheet.typed(_IMAGE, to)
            yield sheet.graph(inputs, (out,), {"beta": 1.0, "alpha": 0.5, "axis": 3})


def _convolution(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    source = sheet.tensor(_IMAGE)
    depthwise = kind == "DEPTHWISE_CONV_2D"
    shape = (1, 2, 2, 4) if depthwise else (4, 2, 2, 4)
    weights = sheet.weights(shape, 3 if depthwise else 0)
    bias, out = sheet.bias(4), sheet.tensor((1, 3, 3, 4))
    yield sheet.graph((source, weights, bias), (out,), dict(_WINDOW))


def _transposed(kind: str, dtype: DType) -> Iterator[Graph]:
    for biased in (True, False):
        sheet = _Sheet(kind, dtype)
        shape = sheet.ints((1, 8, 8, 4))
        weights = sheet.weights((4, 2, 2, 4), 0)
        source = sheet.tensor(_IMAGE)
        inputs = (shape, weights, source, *((sheet.bias(4),) if biased else ()))
        out = sheet.tensor((1, 8, 8, 4))
        yield sheet.graph(inputs, (out,), {"padding": "VALID", "stride_w": 2, "stride_h": 2})


def _dense(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    source, weights = sheet.tensor((1, 16)), sheet.weights((4, 16), 0)
    bias, out = sheet.bias(4), sheet.tensor((1, 4))
    yield sheet.graph((source, weights, bias), (out,), {"weights_format": "DEFAULT"})


def _pooling(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    yield sheet.graph((sheet.tensor(_IMAGE),), (sheet.tensor((1, 3, 3, 4)),), dict(_WINDOW))


def _steered(kind: str, dtype: DType) -> Iterator[Graph]:
    values, shape, options = _STEERS[kind]
    sheet = _Sheet(kind, dtype)
    source = sheet.tensor(_IMAGE)
    steers = tuple(sheet.ints(value) for value in values)
    if kind == "PADV2":
        steers = (*steers, sheet.constant())
    yield sheet.graph((source, *steers), (sheet.tensor(shape),), options)


def _splitting(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    halves: dict[str, OptionValue] = {"num_splits": 2, "num": 4, "axis": 3}
    inputs: tuple[int, ...]
    if kind == "SPLIT":
        inputs = (sheet.ints((3,)), sheet.tensor(_IMAGE))
    elif kind == "SPLIT_V":
        inputs = (sheet.tensor(_IMAGE), sheet.ints((2, 2)), sheet.ints((3,)))
    else:
        source = sheet.tensor(_IMAGE)
        outputs = tuple(sheet.tensor((1, 4, 4)) for _ in range(4))
        yield sheet.graph((source,), outputs, halves)
        return
    outputs = (sheet.tensor((1, 4, 4, 2)), sheet.tensor((1, 4, 4, 2)))
    yield sheet.graph(inputs, outputs, halves)


def _joining(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    inputs = (sheet.tensor(_IMAGE), sheet.tensor(_IMAGE))
    shape = (1, 4, 4, 8) if kind == "CONCATENATION" else (2, *_IMAGE)
    options: dict[str, OptionValue] = {"axis": 3 if kind == "CONCATENATION" else 0}
    out = sheet.tensor(shape)
    yield sheet.graph(inputs, (out,), options | {"values_count": 2})


def _converting(kind: str, dtype: DType) -> Iterator[Graph]:
    targets = TYPES if kind == "CAST" else (DType.INT8, DType.INT16, DType.UINT8, DType.FLOAT32)
    for to in targets:
        sheet = _Sheet(kind, dtype)
        yield sheet.graph((sheet.tensor(_IMAGE),), (sheet.typed(_IMAGE, to),))


def _parametric(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    inputs = (sheet.tensor(_IMAGE), sheet.weights((1, 1, 4), 2))
    yield sheet.graph(inputs, (sheet.tensor(_IMAGE),))
    sheet = _Sheet(kind, dtype)
    inputs = (sheet.tensor(_IMAGE), sheet.scaled((1, 1, 4)))
    yield sheet.graph(inputs, (sheet.tensor(_IMAGE),))
    yield from _plain(kind, dtype)


def _largest(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    inputs = (sheet.tensor(_IMAGE), sheet.ints((3,)))
    yield sheet.graph(inputs, (sheet.typed((1, 4, 4), DType.INT32),))


def _variable(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    handle, memory = sheet.typed((), DType.RESOURCE), sheet.tensor(_IMAGE)
    other = sheet.tensor(_IMAGE)
    reading = kind == "READ_VARIABLE"
    graph = sheet.graph((handle,) if reading else (handle, other), (other,) if reading else (), {})
    size_bytes = graph.tensor(memory).size_bytes
    kept = Variable(tensor=memory, name="v", initial=bytes(size_bytes), handles=(handle,))
    yield replace(graph, variables=(kept,))


def _recurrent(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    source = sheet.tensor((1, 3, 4))
    weights = sheet.scaled((4, 4))
    bias = sheet.bias(4)
    hidden = sheet.tensor((1, 4))
    cell = sheet.typed((1, 4), DType.INT16)
    inputs = (
        source, *(weights,) * 8, -1, -1, -1, *(bias,) * 4, -1, -1, hidden, cell, -1, -1, -1, -1,
    )  # fmt: skip
    graph = sheet.graph(inputs, (sheet.tensor((1, 3, 4)),), {"fused_activation_function": "TANH"})
    kept = tuple(
        Variable(tensor=index, name="v", initial=bytes(graph.tensor(index).size_bytes))
        for index in (hidden, cell)
    )
    yield replace(graph, variables=kept)


def _matrices(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    inputs = (sheet.tensor((1, 4, 4)), sheet.tensor((1, 4, 4)))
    yield sheet.graph(inputs, (sheet.tensor((1, 4, 4)),), {"adj_x": False, "adj_y": False})


def _choosing(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    inputs = (sheet.typed(_IMAGE, DType.BOOL), sheet.tensor(_IMAGE), sheet.tensor(_IMAGE))
    yield sheet.graph(inputs, (sheet.tensor(_IMAGE),))


def _filtering(kind: str, dtype: DType) -> Iterator[Graph]:
    sheet = _Sheet(kind, dtype)
    source, features, time = sheet.tensor((1, 4)), sheet.scaled((4, 4)), sheet.scaled((4, 2))
    bias, state = sheet.bias(4), sheet.typed((1, 8), DType.INT8)
    inputs = (source, features, time, bias, state)
    graph = sheet.graph(inputs, (sheet.tensor((1, 4)),), {"rank": 1})
    kept = Variable(tensor=state, name="v", initial=bytes(8))
    yield replace(graph, variables=(kept,))


_Steer = tuple[tuple[tuple[int, ...], ...], tuple[int, ...], dict[str, OptionValue]]
_MASKS: dict[str, OptionValue] = {
    "begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0,
}  # fmt: skip
_STEERS: dict[str, _Steer] = {
    "RESHAPE": (((1, 64),), (1, 64), {"new_shape": (1, 64)}),
    "SQUEEZE": ((), (4, 4, 4), {"squeeze_dims": (0,)}),
    "EXPAND_DIMS": (((1,),), (1, 1, 4, 4, 4), {}),
    "PAD": (((0, 0, 1, 1, 1, 1, 0, 0),), (1, 6, 6, 4), {}),
    "PADV2": (((0, 0, 1, 1, 1, 1, 0, 0),), (1, 6, 6, 4), {}),
    "MIRROR_PAD": (((0, 0, 1, 1, 1, 1, 0, 0),), (1, 6, 6, 4), {"mode": "REFLECT"}),
    "MEAN": (((1, 2),), (1, 4), {"keep_dims": False}),
    "SUM": (((1, 2),), (1, 4), {"keep_dims": False}),
    "REDUCE_MAX": (((1, 2),), (1, 4), {"keep_dims": False}),
    "REDUCE_MIN": (((1, 2),), (1, 4), {"keep_dims": False}),
    "STRIDED_SLICE": (((0, 0, 0, 0), (1, 2, 4, 4), (1, 1, 1, 1)), (1, 2, 4, 4), _MASKS),
    "SLICE": (((0, 0, 0, 0), (1, 2, 4, 4)), (1, 2, 4, 4), {}),
    "TRANSPOSE": (((0, 2, 1, 3),), _IMAGE, {}),
    "TILE": (((1, 2, 1, 1),), (1, 8, 4, 4), {}),
    "RESIZE_NEAREST_NEIGHBOR": (((8, 8),), (1, 8, 8, 4), {}),
    "RESIZE_BILINEAR": (((8, 8),), (1, 8, 8, 4), {}),
    "GATHER": (((0, 2),), (1, 2, 4, 4), {"axis": 1}),
    "REVERSE_V2": (((1,),), _IMAGE, {}),
    "SPACE_TO_BATCH_ND": (((2, 2), (0, 0, 0, 0)), (4, 2, 2, 4), {}),
    "BATCH_TO_SPACE_ND": (((1, 1), (0, 0, 0, 0)), _IMAGE, {}),
    "SPACE_TO_DEPTH": ((), (1, 2, 2, 16), {"block_size": 2}),
    "DEPTH_TO_SPACE": ((), (1, 8, 8, 1), {"block_size": 2}),
}
_FORMS = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "TRANSPOSE_CONV": _transposed,
    "FULLY_CONNECTED": _dense,
    "AVERAGE_POOL_2D": _pooling,
    "MAX_POOL_2D": _pooling,
    "CONCATENATION": _joining,
    "PACK": _joining,
    "SPLIT": _splitting,
    "SPLIT_V": _splitting,
    "UNPACK": _splitting,
    "QUANTIZE": _converting,
    "DEQUANTIZE": _converting,
    "CAST": _converting,
    "PRELU": _parametric,
    "READ_VARIABLE": _variable,
    "ASSIGN_VARIABLE": _variable,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "BATCH_MATMUL": _matrices,
    "SELECT_V2": _choosing,
    "SVDF": _filtering,
    "ARG_MAX": _largest,
    "ARG_MIN": _largest,
    **dict.fromkeys(_STEERS, _steered),
}
