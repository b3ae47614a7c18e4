"""A network as the accelerator runs it: a chain of layers, each with its pooling before it.

Limits: ADI's ai8x-synthesis README, "limitations of the MAX78000 networks".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Graph, Op, Tensor
from npubench.core.errors import UnsupportedOp

HINT = "run it on the CPU: --backend cpu"
MAX_CHANNELS = 1024
MAX_BIAS_CHANNELS = 512
MAX_SIDE = 1023
MAX_POOL = 16
MAX_FLATTEN_SIDE = 256

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Pooling of a layer's input; ``size`` and ``stride`` are square."""

    kind: Literal["max", "avg"]
    size: int
    stride: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, in floats. ``weights`` are OIHW (a dense layer: O, C, H, W of what it flattens);
    ``source`` and ``target`` are tensors of the network; shapes are (channels, height, width)."""

    op_indices: tuple[int, ...]
    kind: Literal["conv", "dense"]
    pool: Pool | None
    pad: int
    relu: bool
    weights: Floats
    bias: Floats
    source: int
    target: int
    source_shape: tuple[int, int, int]
    target_shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The accelerator's layers, and the operators after them that stay on the CPU."""

    layers: tuple[Layer, ...]
    rest: tuple[int, ...]

    @property
    def op_indices(self) -> tuple[int, ...]:
        """Every operator that the accelerator runs."""
        return tuple(index for layer in self.layers for index in layer.op_indices)


def read_chain(graph: Graph) -> Chain:
    """The chain. Raises UnsupportedOp, with the reason, for the first operator that breaks it."""
    reader = _Reader(graph)
    rest: list[int] = []
    for op in graph.ops:
        if rest and op.kind != "SOFTMAX":
            raise _refusal(op, "it comes after an operator that is not the accelerator's")
        if op.kind == "SOFTMAX":
            rest.append(op.index)
        else:
            reader.take(op)
    if reader.pool is not None:
        raise _refusal(graph.ops[reader.waiting[-1]], "pooling needs a layer after it")
    if not reader.layers:
        raise _refusal(graph.ops[0], "there is no convolution or dense layer")
    last = reader.layers[-1]
    if last.target_shape[1:] != (1, 1):
        raise _refusal(
            graph.ops[last.op_indices[-1]],
            f"it gives {last.target_shape[1]}x{last.target_shape[2]} pixels: an output must be one",
        )
    return Chain(layers=tuple(reader.layers), rest=tuple(rest))


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensor = graph.inputs[0]
        shape = graph.tensor(self._tensor).shape
        self._shape = _chw(shape) if len(shape) == 4 else (shape[-1], 1, 1)
        self.layers: list[Layer] = []
        self.pool: Pool | None = None
        self.waiting: list[int] = []

    def take(self, op: Op) -> None:
        handlers: dict[str, Callable[[Op], None]] = {
            "CONV_2D": self._conv,
            "FULLY_CONNECTED": self._dense,
            "MAX_POOL_2D": self._pooling,
            "AVERAGE_POOL_2D": self._pooling,
            "RESHAPE": self._reshape,
        }
        reasons = {
            "DEPTHWISE_CONV_2D": "the MAX78000 has no depthwise convolution",
            "ADD": "sums of two branches are not mapped by this backend",
        }
        if op.kind not in handlers:
            raise _refusal(op, reasons.get(op.kind, "the accelerator has no such layer"))
        if len(self._graph.inputs) != 1 or op.inputs[0] != self._tensor:
            raise _refusal(op, "the network is not a chain")
        handlers[op.kind](op)

    def _conv(self, op: Op) -> None:
        weights = self._constant(op, 1)
        _, high, wide, _ = weights.shape
        if (high, wide) not in ((1, 1), (3, 3)):
            raise _refusal(op, f"kernel {high}x{wide}: only 1x1 and 3x3")
        for name in ("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"):
            if op.options.get(name, 1) != 1:
                raise _refusal(op, f"{name} is {op.options[name]}: only 1")
        pad = (high - 1) // 2 if op.options.get("padding") == "SAME" else 0
        self._add(op, "conv", weights.transpose(0, 3, 1, 2), pad)

    def _dense(self, op: Op) -> None:
        weights = self._constant(op, 1)
        channels, high, wide = self._pooled(op)
        if high * wide > MAX_FLATTEN_SIDE:
            raise _refusal(op, f"it flattens {high}x{wide} pixels: at most {MAX_FLATTEN_SIDE}")
        shaped = weights.reshape(weights.shape[0], high, wide, channels)
        self._add(op, "dense", shaped.transpose(0, 3, 1, 2), 0)

    def _pooling(self, op: Op) -> None:
        size = (op.options.get("filter_height"), op.options.get("filter_width"))
        stride = (op.options.get("stride_h"), op.options.get("stride_w"))
        if self.pool is not None:
            raise _refusal(op, "two poolings in a row")
        if size[0] != size[1] or stride[0] != stride[1]:
            raise _refusal(op, "pooling must be square")
        if not isinstance(size[0], int) or not isinstance(stride[0], int):
            raise _refusal(op, "pooling without a size")
        if max(size[0], stride[0]) > MAX_POOL:
            raise _refusal(op, f"pooling of {size[0]}, stride {stride[0]}: at most {MAX_POOL}")
        if op.options.get("padding") == "SAME" and any(
            side % stride[0] or size[0] != stride[0] for side in self._shape[1:]
        ):
            raise _refusal(op, "pooling with padding")
        if op.options.get("fused_activation_function", "NONE") != "NONE":
            raise _refusal(op, "an activation after pooling")
        kind: Literal["max", "avg"] = "max" if op.kind == "MAX_POOL_2D" else "avg"
        self.pool = Pool(kind=kind, size=size[0], stride=stride[0])
        self._follow(op)

    def _reshape(self, op: Op) -> None:
        shape = self._graph.tensor(op.outputs[0]).shape
        if shape[0] != 1 or max(shape) != self._graph.tensor(op.outputs[0]).count:
            raise _refusal(op, f"only flattening, not to {list(shape)}")
        self._follow(op)

    def _follow(self, op: Op) -> None:
        self.waiting.append(op.index)
        self._tensor = op.outputs[0]

    def _pooled(self, op: Op) -> tuple[int, int, int]:
        channels, high, wide = self._shape
        if self.pool is None:
            return self._shape
        sides = [(side - self.pool.size) // self.pool.stride + 1 for side in (high, wide)]
        if min(sides) < 1:
            raise _refusal(op, "the pooling before it is larger than its input")
        return channels, sides[0], sides[1]

    def _add(self, op: Op, kind: Literal["conv", "dense"], weights: Floats, pad: int) -> None:
        activation = op.options.get("fused_activation_function", "NONE")
        if activation not in ("NONE", "RELU"):
            raise _refusal(op, f"activation {activation}: only RELU or none")
        channels, high, wide = self._pooled(op)
        out = weights.shape[0]
        if channels != weights.shape[1]:
            raise _refusal(op, "its channels are not those of what comes before")
        if max(channels, out) > MAX_CHANNELS:
            raise _refusal(op, f"{max(channels, out)} channels: at most {MAX_CHANNELS}")
        if max(self._shape[1:]) > MAX_SIDE:
            raise _refusal(op, f"an image of {self._shape[1:]}: sides of at most {MAX_SIDE}")
        has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0
        if has_bias and out > MAX_BIAS_CHANNELS:
            raise _refusal(op, f"{out} biases: at most {MAX_BIAS_CHANNELS}")
        bias = self._constant(op, 2) if has_bias else np.zeros(out)
        grow = 2 * pad - weights.shape[2] + 1
        shape = (out, high + grow, wide + grow) if kind == "conv" else (out, 1, 1)
        self.layers.append(
            Layer(
                op_indices=(*self.waiting, op.index),
                kind=kind,
                pool=self.pool,
                pad=pad,
                relu=activation == "RELU",
                weights=weights,
                bias=bias,
                source=self._tensor,
                target=op.outputs[0],
                source_shape=self._shape,
                target_shape=shape,
            )
        )
        self.pool, self.waiting = None, []
        self._shape, self._tensor = shape, op.outputs[0]

    def _constant(self, op: Op, position: int) -> Floats:
        tensor = self._graph.tensor(op.inputs[position])
        if tensor.data is None or tensor.quantization is None:
            raise _refusal(op, f"its input {position} is not a quantized constant")
        return dequantized(tensor)


def dequantized(tensor: Tensor) -> Floats:
    """A constant's real values, in its shape."""
    assert tensor.data is not None
    assert tensor.quantization is not None
    kind = {DType.INT8: np.int8, DType.INT32: np.int32}[tensor.dtype]
    values = np.frombuffer(tensor.data, dtype=kind).reshape(tensor.shape).astype(np.float64)
    shape = [1] * values.ndim
    if len(tensor.quantization.scales) > 1:
        shape[tensor.quantization.axis] = -1
    scales = np.array(tensor.quantization.scales).reshape(shape)
    zeros = np.array(tensor.quantization.zero_points).reshape(shape)
    real: Floats = (values - zeros) * scales
    return real


def _chw(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return shape[3], shape[1], shape[2]


def _refusal(op: Op, reason: str) -> UnsupportedOp:
    return UnsupportedOp(op=op.kind, index=op.index, reason=reason, hint=HINT)
