"""A network as the accelerator runs it: a chain of layers, each with its pooling before it.

A line (1 x L or L x 1 pixels) is kept as L x 1, which is how the accelerator knows it; the pixels'
order in memory is the same. Limits: ADI's ai8x-synthesis README, "limitations of the MAX78000
networks", and the checks of its izer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.max7800x.layer import (
    Chain,
    Floats,
    Kind,
    Layer,
    Pool,
    Shape,
    dequantized,
)
from npubench.compiler.graph import DType, Graph, Op
from npubench.core.errors import UnsupportedOp

HINT = "run it on the CPU: --backend cpu"
MAX_CHANNELS = 1024
MAX_BIAS_CHANNELS = 512
MAX_SIDE = 1023
MAX_POOL = 16
MAX_PAD = 2
MAX_TAPS_1D = 9
MAX_LAYERS = 32
MAX_FLATTEN_PIXELS = 256
MAX_FLATTEN_INPUTS = 16384
SHAPE_OPS = ("SHAPE", "STRIDED_SLICE", "PACK")
"""A converter writes them before the reshape of a network whose batch is open."""
MAX_POOL_CHANNELS = 64
"""Of a layer that pools several pixels and does nothing else: it takes one pass."""


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
    layers = reader.finish(graph.ops[-1])
    if all(layer.kind == "pool" for layer in layers):
        raise _refusal(graph.ops[0], "there is no convolution or dense layer")
    if len(layers) > MAX_LAYERS:
        raise _refusal(graph.ops[-1], f"{len(layers)} layers: at most {MAX_LAYERS}")
    last = layers[-1]
    if last.target_shape[1:] != (1, 1):
        raise _refusal(
            graph.ops[last.op_indices[-1]],
            f"it gives {last.target_shape[1]}x{last.target_shape[2]} pixels: an output must be one",
        )
    return Chain(layers=tuple(layers), rest=tuple(rest))


class _Reader:
    """Where the chain has come to: ``tensor`` of ``shape``, then ``pool``, then ``pad`` (top,
    bottom, left, right), both waiting for the layer that takes them with it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensor = self._source = graph.inputs[0]
        self._same = {self._tensor}  # tensors with its values, which reshapes leave behind
        self._shape = _canonical(graph.tensor(self._tensor).shape)
        self._pool: Pool | None = None
        self._pad = (0, 0, 0, 0)
        self._waiting: list[int] = []
        self._layers: list[Layer] = []

    def take(self, op: Op) -> None:
        reasons = {
            "DEPTHWISE_CONV_2D": "the MAX78000 has no depthwise convolution",
            "ADD": "sums of two branches are not mapped by this backend",
        }
        if op.kind in SHAPE_OPS and self._is_shape(op):
            self._waiting.append(op.index)
            return
        if op.kind not in _HANDLERS:
            raise _refusal(op, reasons.get(op.kind, "the accelerator has no such layer"))
        if len(self._graph.inputs) != 1 or op.inputs[0] not in self._same:
            raise _refusal(op, "the network is not a chain")
        _HANDLERS[op.kind](self, op)

    def finish(self, last: Op) -> list[Layer]:
        """The layers, with pooling that no layer took as one of its own."""
        if any(self._pad):
            raise _refusal(last, "padding needs a layer after it")
        if self._pool is not None:
            self._only_pool(last)
        elif self._waiting and self._layers:
            self._layers[-1] = _leading_to(self._layers[-1], self._tensor, self._waiting)
        return self._layers

    def _is_shape(self, op: Op) -> bool:
        """Whether it works out the shape that a reshape will have, which the file states anyway."""
        return all(
            self._graph.tensor(index).dtype in (DType.INT32, DType.INT64) for index in op.outputs
        )

    # --- operators -------------------------------------------------------------------------------

    def _conv(self, op: Op) -> None:
        weights = self._constant(op, 1).transpose(0, 3, 1, 2)
        if _turned(self._graph.tensor(op.inputs[0]).shape):
            weights = weights.swapaxes(2, 3)
        kind = self._kind(op, (weights.shape[2], weights.shape[3]))
        for name in ("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"):
            if op.options.get(name, 1) != 1:
                raise _refusal(op, f"{name} is {op.options[name]}: only 1")
        pad = self._sides(op, kind, (weights.shape[2], weights.shape[3]))
        self._add(op, kind, weights, pad)

    def _kind(self, op: Op, kernel: tuple[int, int]) -> Kind:
        """Conv2d or, along a line, Conv1d."""
        high, wide = kernel
        _, rows, columns = self._shape_after_pool(op)
        if columns == 1 and wide == 1 and (rows > 1 or high > 1):
            if high > MAX_TAPS_1D:
                raise _refusal(op, f"kernel of {high} on a line: at most {MAX_TAPS_1D}")
            return "conv1d"
        if kernel not in ((1, 1), (3, 3)):
            raise _refusal(op, f"kernel {high}x{wide}: only 1x1 and 3x3")
        return "conv"

    def _sides(self, op: Op, kind: Kind, kernel: tuple[int, int]) -> tuple[int, int]:
        """The padding of rows and of columns: what came before it and its own."""
        high, wide = kernel
        top, bottom, left, right = self._pad
        if op.options.get("padding") == "SAME":
            if high % 2 == 0 or wide % 2 == 0:
                raise _refusal(op, f"SAME padding of a kernel {high}x{wide} has one side only")
            top, bottom = top + (high - 1) // 2, bottom + (high - 1) // 2
            left, right = left + (wide - 1) // 2, right + (wide - 1) // 2
        across = 0 if kind == "conv1d" else top
        if (bottom, left, right) != (top, across, across):
            raise _refusal(
                op, f"padding {top}, {bottom}, {left}, {right}: it must be the same on every side"
            )
        if top > MAX_PAD or top >= high:
            raise _refusal(op, f"padding of {top}: at most {MAX_PAD}, and less than the kernel")
        return top, across

    def _dense(self, op: Op) -> None:
        if any(self._pad):
            raise _refusal(op, "padding before a dense layer")
        if op.options.get("keep_num_dims") and self._shape[1:] != (1, 1):
            raise _refusal(op, "a dense layer over every pixel")
        weights = self._constant(op, 1)
        channels, high, wide = self._shape_after_pool(op)
        if high * wide > 1 and self._pool is not None:
            self._only_pool(op)
        if high * wide > MAX_FLATTEN_PIXELS:
            raise _refusal(op, f"it flattens {high}x{wide} pixels: at most {MAX_FLATTEN_PIXELS}")
        if high * wide > 1 and channels * high * wide > MAX_FLATTEN_INPUTS:
            raise _refusal(
                op, f"it flattens {channels * high * wide} values: at most {MAX_FLATTEN_INPUTS}"
            )
        if weights.shape[1] != channels * high * wide:
            raise _refusal(op, "its inputs are not those of what comes before")
        shaped = weights.reshape(weights.shape[0], high, wide, channels)
        self._add(op, "dense", shaped.transpose(0, 3, 1, 2), (0, 0))

    def _pooling(self, op: Op) -> None:
        size = (_number(op, "filter_height"), _number(op, "filter_width"))
        stride = (_number(op, "stride_h"), _number(op, "stride_w"))
        if _turned(self._graph.tensor(op.inputs[0]).shape):
            size, stride = size[::-1], stride[::-1]
        if op.options.get("fused_activation_function", "NONE") != "NONE":
            raise _refusal(op, "an activation after pooling")
        shape = self._shape_after_pool(op)
        if op.options.get("padding") == "SAME" and any(
            side % step or window != step
            for side, window, step in zip(shape[1:], size, stride, strict=True)
        ):
            raise _refusal(op, "pooling with padding")
        self._pool_with(op, "max" if op.kind == "MAX_POOL_2D" else "avg", size, stride)

    def _mean(self, op: Op) -> None:
        """A mean over all pixels is an average pooling to one."""
        given = self._graph.tensor(op.inputs[0]).shape
        axes = self._integers(op, 1).reshape(-1) % len(given)
        if sorted(axes.tolist()) != list(range(1, len(given) - 1)):
            raise _refusal(op, "a mean over something else than all pixels")
        _, high, wide = self._shape_after_pool(op)
        self._pool_with(op, "avg", (high, wide), (1, 1))

    def _pool_with(
        self, op: Op, kind: Literal["max", "avg"], size: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        if any(self._pad):
            raise _refusal(op, "padding before pooling")
        if self._pool is not None:
            self._only_pool(op)
        sides = self._shape[1:]
        if sides[1] == 1 and size[1] == 1:
            stride = (stride[0], stride[0])  # across a line there is but one step
        if stride[0] != stride[1]:
            raise _refusal(op, f"pooling in steps of {stride[0]}x{stride[1]}: they must be equal")
        if max(*size, *stride) > MAX_POOL:
            raise _refusal(op, f"pooling of {max(size)}, stride {max(stride)}: at most {MAX_POOL}")
        self._pool = Pool(kind=kind, size=size, stride=stride)
        self._shape_after_pool(op)
        self._follow(op)

    def _padding(self, op: Op) -> None:
        given = self._graph.tensor(op.inputs[0]).shape
        pads = self._integers(op, 1).reshape(-1, 2)
        if len(pads) != len(given) or pads[0].any() or pads[-1].any():
            raise _refusal(op, "padding of something else than pixels")
        if any(self._pad):
            raise _refusal(op, "two paddings in a row")
        sides = [(int(before), int(after)) for before, after in pads[1:-1]]
        if len(sides) == 1:
            sides.append((0, 0))
        elif _turned(given):
            sides.reverse()
        self._pad = (*sides[0], *sides[1])
        self._follow(op)

    def _reshape(self, op: Op) -> None:
        shape = self._graph.tensor(op.outputs[0]).shape
        before = self._shape_after_pool(op)
        padded = _padded(before, self._pad)
        values = padded[0] * padded[1] * padded[2]
        wanted = _canonical(shape)
        if shape and shape[0] == 1 and wanted != padded and wanted != (values, 1, 1):
            same_channels = wanted[0] == before[0] and values == wanted[0] * wanted[1] * wanted[2]
            if any(self._pad) or self._pool is not None or not (same_channels or not self._layers):
                raise _refusal(op, f"a reshape to {list(shape)}")
            self._shape = wanted
            self._same = set()
        elif not shape or shape[0] != 1:
            raise _refusal(op, f"a reshape to {list(shape)}")
        self._follow(op, self._same)

    # --- layers ----------------------------------------------------------------------------------

    def _follow(self, op: Op, same: Collection[int] = ()) -> None:
        self._waiting.append(op.index)
        self._tensor = op.outputs[0]
        self._same = {*same, self._tensor}

    def _shape_after_pool(self, op: Op) -> Shape:
        shape = self._shape if self._pool is None else self._pool.of(self._shape)
        if min(shape) < 1:
            raise _refusal(op, "the pooling is larger than its input")
        return shape

    def _only_pool(self, op: Op) -> None:
        """What waits becomes a layer that only pools."""
        assert self._pool is not None
        shape = self._shape_after_pool(op)
        if shape[1:] != (1, 1) and shape[0] > MAX_POOL_CHANNELS:
            raise _refusal(
                op,
                f"pooling of {shape[0]} channels to several pixels without a convolution after it: "
                f"at most {MAX_POOL_CHANNELS}",
            )
        self._append("pool", np.zeros((shape[0], 0, 0, 0)), np.zeros(0), shape, self._tensor)

    def _add(self, op: Op, kind: Kind, weights: Floats, pad: tuple[int, int]) -> None:
        activation = op.options.get("fused_activation_function", "NONE")
        if activation not in ("NONE", "RELU"):
            raise _refusal(op, f"activation {activation}: only RELU or none")
        channels, high, wide = self._shape_after_pool(op)
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
        shape = (out, 1, 1)
        if kind != "dense":
            shape = (
                out,
                high + 2 * pad[0] - weights.shape[2] + 1,
                wide + 2 * pad[1] - weights.shape[3] + 1,
            )
            given = _canonical(self._graph.tensor(op.outputs[0]).shape)
            if shape != given:
                raise _refusal(op, f"its output is {list(given)}, not {list(shape)}")
        self._waiting.append(op.index)
        self._append(kind, weights, bias, shape, op.outputs[0], pad, relu=activation == "RELU")

    def _append(
        self,
        kind: Kind,
        weights: Floats,
        bias: Floats,
        shape: Shape,
        target: int,
        pad: tuple[int, int] = (0, 0),
        *,
        relu: bool = False,
    ) -> None:
        self._layers.append(
            Layer(
                op_indices=tuple(self._waiting),
                kind=kind,
                pool=self._pool,
                pad=pad,
                relu=relu,
                weights=weights,
                bias=bias,
                source=self._source,
                target=target,
                source_shape=self._shape,
                target_shape=shape,
            )
        )
        self._pool, self._pad, self._waiting = None, (0, 0, 0, 0), []
        self._shape, self._tensor, self._source = shape, target, target
        self._same = {target}

    def _constant(self, op: Op, position: int) -> Floats:
        tensor = self._graph.tensor(op.inputs[position])
        if tensor.data is None or tensor.quantization is None:
            raise _refusal(op, f"its input {position} is not a quantized constant")
        return dequantized(tensor)

    def _integers(self, op: Op, position: int) -> NDArray[np.int64]:
        tensor = self._graph.tensor(op.inputs[position])
        if tensor.data is None or tensor.dtype not in (DType.INT32, DType.INT64):
            raise _refusal(op, f"its input {position} is not a constant")
        kind = np.int32 if tensor.dtype is DType.INT32 else np.int64
        return np.frombuffer(tensor.data, dtype=kind).astype(np.int64)


_HANDLERS: dict[str, Callable[[_Reader, Op], None]] = {
    "CONV_2D": _Reader._conv,
    "FULLY_CONNECTED": _Reader._dense,
    "MAX_POOL_2D": _Reader._pooling,
    "AVERAGE_POOL_2D": _Reader._pooling,
    "MEAN": _Reader._mean,
    "PAD": _Reader._padding,
    "RESHAPE": _Reader._reshape,
    "EXPAND_DIMS": _Reader._reshape,
    "SQUEEZE": _Reader._reshape,
}
MAPPED = tuple(_HANDLERS)
"""Operators that become layers, or pass into the one after them."""


def _canonical(shape: tuple[int, ...]) -> Shape:
    """Channels, height, width of a tensor of the network; a line stands upright."""
    if len(shape) == 4:
        _, high, wide, channels = shape
        return (channels, wide, high) if _turned(shape) else (channels, high, wide)
    if len(shape) == 3:
        return shape[2], shape[1], 1
    return (shape[-1] if shape else 1), 1, 1


def _turned(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] == 1 and shape[2] > 1


def _padded(shape: Shape, pad: tuple[int, int, int, int]) -> Shape:
    channels, high, wide = shape
    return channels, high + pad[0] + pad[1], wide + pad[2] + pad[3]


def _leading_to(layer: Layer, target: int, waiting: list[int]) -> Layer:
    """``layer`` with the reshapes after it."""
    return replace(layer, op_indices=(*layer.op_indices, *waiting), target=target)


def _number(op: Op, name: str) -> int:
    value = op.options.get(name)
    if not isinstance(value, int):
        raise _refusal(op, "pooling without a size")
    return value


def _refusal(op: Op, reason: str) -> UnsupportedOp:
    return UnsupportedOp(op=op.kind, index=op.index, reason=reason, hint=HINT)
