"""A network as the accelerator runs it: layers, each with its pooling before it, sums of two of
them, one or several outputs.

A line (1 x L or L x 1 pixels) is kept as L x 1, which is how the accelerator knows it; the pixels'
order in memory is the same. Limits: ADI's ai8x-synthesis README, "limitations of the MAX78000
networks", and the checks of its izer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from npubench.compiler.backends.max7800x.layer import (
    INPUT,
    Chain,
    Floats,
    Kind,
    Layer,
    Pool,
    Shape,
)
from npubench.compiler.backends.max7800x.limits import (
    MAX_CHANNELS,
    MAX_FLATTEN_INPUTS,
    MAX_FLATTEN_PIXELS,
    MAX_POOL,
    MAX_POOL_CHANNELS,
    MAX_SUM_CHANNELS,
    MAX_TAPS_1D,
    SHAPE_OPS,
    canonical,
    integer_constant,
    leading_to,
    number,
    padded,
    real_constant,
    refusal,
    sides_of,
    turned,
)
from npubench.compiler.backends.max7800x.room import with_room
from npubench.compiler.graph import DType, Graph, Op
from npubench.npu.max7800x.device import MAX78000, Device


def read_chain(graph: Graph, device: Device = MAX78000) -> Chain:
    """The layers. Raises UnsupportedOp, with the reason, for the first operator that is none."""
    reader = _Reader(graph, device)
    rest: list[int] = []
    closed: set[int] = set()
    for op in graph.ops:
        if op.inputs and op.inputs[0] in closed:
            raise refusal(op, "it comes after an operator that is not the accelerator's")
        if op.kind == "SOFTMAX":
            rest.append(op.index)
            closed.update(op.outputs)
        else:
            reader.take(op)
    ends = [index for index in graph.outputs if index not in closed]
    ends += [graph.ops[index].inputs[0] for index in rest]
    chain = reader.finish(tuple(dict.fromkeys(ends)), tuple(rest))
    if not any(layer.has_weights for layer in chain.layers):
        raise refusal(graph.ops[0], "there is no convolution or dense layer")
    if len(chain.layers) > device.layers:
        raise refusal(graph.ops[-1], f"{len(chain.layers)} layers: at most {device.layers}")
    return chain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A tensor as the accelerator has it: what ``layer`` gives (of ``shape``), then ``pool``, then
    ``pad`` (top, bottom, left, right), both waiting for the layer that takes them with it."""

    layer: int
    shape: Shape
    pool: Pool | None = None
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)
    waiting: tuple[int, ...] = ()


class _Reader:
    """Where the network has come to, tensor by tensor; ``_value``: what the operator at hand
    takes."""

    def __init__(self, graph: Graph, device: Device) -> None:
        self._graph = graph
        self._device = device
        first = graph.inputs[0]
        self._value = _Value(layer=INPUT, shape=canonical(graph.tensor(first).shape))
        self._values = {first: self._value}
        self._layers: list[Layer] = []
        self._shape_ops: tuple[int, ...] = ()

    def take(self, op: Op) -> None:
        if op.kind in SHAPE_OPS and self._is_shape(op):
            self._shape_ops = (*self._shape_ops, op.index)
            return
        if op.kind == "DEPTHWISE_CONV_2D" and not self._device.depthwise:
            raise refusal(op, f"the {self._device.name} has no depthwise convolution")
        if op.kind not in _HANDLERS:
            raise refusal(op, "the accelerator has no such layer")
        taken = op.inputs[2 if op.kind == "TRANSPOSE_CONV" else 0]
        if len(self._graph.inputs) != 1 or taken not in self._values:
            raise refusal(op, "it takes something else than what the accelerator gives")
        self._value = self._values[taken]
        if self._shape_ops:
            waiting = (*self._value.waiting, *self._shape_ops)
            self._value, self._shape_ops = replace(self._value, waiting=waiting), ()
        _HANDLERS[op.kind](self, op)

    def finish(self, ends: tuple[int, ...], rest: tuple[int, ...]) -> Chain:
        """The layers, with pooling that no layer took as one of its own, and room for operands."""
        found: dict[int, int] = {}
        for tensor in ends:
            last = next(op for op in self._graph.ops if tensor in op.outputs)
            if tensor not in self._values or self._values[tensor].layer == INPUT:
                raise refusal(last, "an output that no layer of the accelerator gives")
            self._value = self._values[tensor]
            if any(self._value.pad):
                raise refusal(last, "padding needs a layer after it")
            if self._value.pool is not None:
                self._only_pool(last)
            at = self._value.layer
            if at in found.values():
                raise refusal(last, "one layer gives two outputs")
            self._layers[at] = leading_to(self._layers[at], tensor, self._value.waiting)
            found[tensor] = at
        layers, moved = with_room(self._layers, tuple(found.values()))
        ends_at = tuple(sorted(moved[at] for at in found.values()))
        return Chain(layers=layers, rest=rest, outputs=ends_at)

    def _is_shape(self, op: Op) -> bool:
        """Whether it works out the shape that a reshape will have, which the file states anyway."""
        return all(
            self._graph.tensor(index).dtype in (DType.INT32, DType.INT64) for index in op.outputs
        )

    # --- operators -------------------------------------------------------------------------------

    def _conv(self, op: Op) -> None:
        weights = real_constant(self._graph, op, 1).transpose(0, 3, 1, 2)
        if turned(self._graph.tensor(op.inputs[0]).shape):
            weights = weights.swapaxes(2, 3)
        kind = self._kind(op, (weights.shape[2], weights.shape[3]))
        self._check_steps(op)
        pad = sides_of(op, self._value.pad, kind, (weights.shape[2], weights.shape[3]))
        self._add(op, kind, weights, pad)

    def _depthwise(self, op: Op) -> None:
        weights = real_constant(self._graph, op, 1).transpose(3, 0, 1, 2)
        kernel = (weights.shape[2], weights.shape[3])
        if op.options.get("depth_multiplier", 1) != 1:
            raise refusal(op, f"depth_multiplier is {op.options['depth_multiplier']}: only 1")
        if kernel not in ((1, 1), (3, 3)):
            raise refusal(op, f"kernel {kernel[0]}x{kernel[1]}: only 1x1 and 3x3")
        self._check_steps(op)
        self._add(op, "depthwise", weights, sides_of(op, self._value.pad, "conv", kernel))

    def _transposed(self, op: Op) -> None:
        """Twice the size. The accelerator stretches its input with zeros and convolves it with a
        kernel of 3x3, padded by one on every side; TFLite's kernel of 2x2 is the first four of its
        taps, mirrored. With 3x3 TFLite pads at one end only."""
        weights = real_constant(self._graph, op, 1).transpose(0, 3, 1, 2)
        kernel, steps = weights.shape[2:], (op.options.get("stride_h"), op.options.get("stride_w"))
        if kernel != (2, 2) or steps != (2, 2):
            raise refusal(
                op,
                f"a transposed convolution {kernel[0]}x{kernel[1]}, steps of {steps[0]}x{steps[1]}:"
                " only 2x2 in steps of 2",
            )
        if any(self._value.pad):
            raise refusal(op, "padding before a transposed convolution")
        taps = np.zeros((*weights.shape[:2], 3, 3))
        taps[:, :, :2, :2] = weights[:, :, ::-1, ::-1]
        self._add(op, "transposed", taps, (1, 1))

    def _sum(self, op: Op) -> None:
        """Two layers of one shape, added."""
        activation = op.options.get("fused_activation_function", "NONE")
        if activation not in ("NONE", "RELU"):
            raise refusal(op, f"activation {activation}: only RELU or none")
        operands = []
        for tensor in op.inputs[:2]:
            if tensor not in self._values:
                raise refusal(op, "it adds something else than what the accelerator gives")
            self._value = self._values[tensor]
            if any(self._value.pad):
                raise refusal(op, "padding before a sum")
            if self._value.pool is not None:
                self._only_pool(op)
            operands.append(self._value)
        first, second = operands
        if first.shape != second.shape:
            raise refusal(op, f"it adds {list(first.shape)} and {list(second.shape)}")
        if first.shape[0] > MAX_SUM_CHANNELS:
            raise refusal(op, f"a sum of {first.shape[0]} channels: at most {MAX_SUM_CHANNELS}")
        channels = first.shape[0]
        taps, bias = np.zeros((channels, 0, 0, 0)), np.zeros(0)
        if activation == "RELU":  # a layer without weights cannot rectify: these hand it through
            taps, bias = np.eye(channels)[:, :, None, None], np.zeros(channels)
        self._value = first
        waiting = tuple(sorted({*first.waiting, *second.waiting, op.index}))
        self._values[op.outputs[0]] = self._append(
            "add", taps, bias, first.shape, op.outputs[0], waiting,
            relu=activation == "RELU", others=(second.layer,),
        )  # fmt: skip

    def _kind(self, op: Op, kernel: tuple[int, int]) -> Kind:
        """Conv2d or, along a line, Conv1d."""
        high, wide = kernel
        _, rows, columns = self._shape_after_pool(op)
        if columns == 1 and wide == 1 and (rows > 1 or high > 1):
            if high > MAX_TAPS_1D:
                raise refusal(op, f"kernel of {high} on a line: at most {MAX_TAPS_1D}")
            return "conv1d"
        if kernel not in ((1, 1), (3, 3)):
            raise refusal(op, f"kernel {high}x{wide}: only 1x1 and 3x3")
        return "conv"

    def _check_steps(self, op: Op) -> None:
        for name in ("stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor"):
            if op.options.get(name, 1) != 1:
                raise refusal(op, f"{name} is {op.options[name]}: only 1")

    def _dense(self, op: Op) -> None:
        if any(self._value.pad):
            raise refusal(op, "padding before a dense layer")
        if op.options.get("keep_num_dims") and self._value.shape[1:] != (1, 1):
            raise refusal(op, "a dense layer over every pixel")
        weights = real_constant(self._graph, op, 1)
        channels, high, wide = self._shape_after_pool(op)
        if high * wide > 1 and self._value.pool is not None:
            self._only_pool(op)
        if high * wide > MAX_FLATTEN_PIXELS:
            raise refusal(op, f"it flattens {high}x{wide} pixels: at most {MAX_FLATTEN_PIXELS}")
        if high * wide > 1 and channels * high * wide > MAX_FLATTEN_INPUTS:
            raise refusal(
                op, f"it flattens {channels * high * wide} values: at most {MAX_FLATTEN_INPUTS}"
            )
        if weights.shape[1] != channels * high * wide:
            raise refusal(op, "its inputs are not those of what comes before")
        shaped = weights.reshape(weights.shape[0], high, wide, channels)
        self._add(op, "dense", shaped.transpose(0, 3, 1, 2), (0, 0))

    def _pooling(self, op: Op) -> None:
        size = (number(op, "filter_height"), number(op, "filter_width"))
        stride = (number(op, "stride_h"), number(op, "stride_w"))
        if turned(self._graph.tensor(op.inputs[0]).shape):
            size, stride = size[::-1], stride[::-1]
        if op.options.get("fused_activation_function", "NONE") != "NONE":
            raise refusal(op, "an activation after pooling")
        shape = self._shape_after_pool(op)
        if op.options.get("padding") == "SAME" and any(
            side % step or window != step
            for side, window, step in zip(shape[1:], size, stride, strict=True)
        ):
            raise refusal(op, "pooling with padding")
        self._pool_with(op, "max" if op.kind == "MAX_POOL_2D" else "avg", size, stride)

    def _mean(self, op: Op) -> None:
        """A mean over all pixels is an average pooling to one."""
        given = self._graph.tensor(op.inputs[0]).shape
        axes = integer_constant(self._graph, op, 1).reshape(-1) % len(given)
        if sorted(axes.tolist()) != list(range(1, len(given) - 1)):
            raise refusal(op, "a mean over something else than all pixels")
        _, high, wide = self._shape_after_pool(op)
        self._pool_with(op, "avg", (high, wide), (1, 1))

    def _pool_with(
        self, op: Op, kind: Literal["max", "avg"], size: tuple[int, int], stride: tuple[int, int]
    ) -> None:
        if any(self._value.pad):
            raise refusal(op, "padding before pooling")
        if self._value.pool is not None:
            self._only_pool(op)
        sides = self._value.shape[1:]
        if sides[1] == 1 and size[1] == 1:
            stride = (stride[0], stride[0])  # across a line there is but one step
        if stride[0] != stride[1]:
            raise refusal(op, f"pooling in steps of {stride[0]}x{stride[1]}: they must be equal")
        if max(*size, *stride) > MAX_POOL:
            raise refusal(op, f"pooling of {max(size)}, stride {max(stride)}: at most {MAX_POOL}")
        pool = Pool(kind=kind, size=size, stride=stride)
        before = self._value
        self._value = replace(before, pool=pool)
        self._shape_after_pool(op)
        self._value = before
        self._follow(op, pool=pool)

    def _padding(self, op: Op) -> None:
        given = self._graph.tensor(op.inputs[0]).shape
        pads = integer_constant(self._graph, op, 1).reshape(-1, 2)
        if len(pads) != len(given) or pads[0].any() or pads[-1].any():
            raise refusal(op, "padding of something else than pixels")
        if any(self._value.pad):
            raise refusal(op, "two paddings in a row")
        sides = [(int(before), int(after)) for before, after in pads[1:-1]]
        if len(sides) == 1:
            sides.append((0, 0))
        elif turned(given):
            sides.reverse()
        self._follow(op, pad=(*sides[0], *sides[1]))

    def _reshape(self, op: Op) -> None:
        shape = self._graph.tensor(op.outputs[0]).shape
        before = self._shape_after_pool(op)
        around = padded(before, self._value.pad)
        values = around[0] * around[1] * around[2]
        wanted = canonical(shape)
        if shape and shape[0] == 1 and wanted != around and wanted != (values, 1, 1):
            same_channels = wanted[0] == before[0] and values == wanted[0] * wanted[1] * wanted[2]
            first = self._value.layer == INPUT
            waits = any(self._value.pad) or self._value.pool is not None
            if waits or not (same_channels or first):
                raise refusal(op, f"a reshape to {list(shape)}")
            self._follow(op, shape=wanted)
            return
        if not shape or shape[0] != 1:
            raise refusal(op, f"a reshape to {list(shape)}")
        self._follow(op)

    # --- layers ----------------------------------------------------------------------------------

    def _follow(self, op: Op, **changed: Any) -> None:
        """The operator's output is what it takes, ``changed``."""
        waiting = (*self._value.waiting, op.index)
        self._values[op.outputs[0]] = replace(self._value, waiting=waiting, **changed)

    def _shape_after_pool(self, op: Op) -> Shape:
        value = self._value
        shape = value.shape if value.pool is None else value.pool.of(value.shape)
        if min(shape) < 1:
            raise refusal(op, "the pooling is larger than its input")
        return shape

    def _only_pool(self, op: Op) -> None:
        """What waits becomes a layer that only pools."""
        assert self._value.pool is not None
        shape = self._shape_after_pool(op)
        several = shape[1:] != (1, 1) and not self._device.pools_in_passes
        if several and shape[0] > MAX_POOL_CHANNELS:
            raise refusal(
                op,
                f"pooling of {shape[0]} channels to several pixels without a convolution after it: "
                f"at most {MAX_POOL_CHANNELS}",
            )
        target = self._graph.ops[self._value.waiting[-1]].outputs[0]
        self._value = self._append(
            "pool", np.zeros((shape[0], 0, 0, 0)), np.zeros(0), shape, target, self._value.waiting
        )

    def _add(self, op: Op, kind: Kind, weights: Floats, pad: tuple[int, int]) -> None:
        activation = op.options.get("fused_activation_function", "NONE")
        if activation not in ("NONE", "RELU"):
            raise refusal(op, f"activation {activation}: only RELU or none")
        channels, high, wide = self._shape_after_pool(op)
        out = weights.shape[0]
        if channels != (out if kind == "depthwise" else weights.shape[1]):
            raise refusal(op, "its channels are not those of what comes before")
        if max(channels, out) > MAX_CHANNELS:
            raise refusal(op, f"{max(channels, out)} channels: at most {MAX_CHANNELS}")
        if max(self._value.shape[1:]) > self._device.side:
            raise refusal(
                op, f"an image of {self._value.shape[1:]}: sides of at most {self._device.side}"
            )
        place = 3 if kind == "transposed" else 2
        has_bias = len(op.inputs) > place and op.inputs[place] >= 0
        if has_bias and out > self._device.biases:
            raise refusal(op, f"{out} biases: at most {self._device.biases}")
        bias = real_constant(self._graph, op, place) if has_bias else np.zeros(out)
        shape = (out, 1, 1)
        if kind == "transposed":
            shape = (out, 2 * high, 2 * wide)
        elif kind != "dense":
            shape = (
                out,
                high + 2 * pad[0] - weights.shape[2] + 1,
                wide + 2 * pad[1] - weights.shape[3] + 1,
            )
        given = canonical(self._graph.tensor(op.outputs[0]).shape)
        if kind != "dense" and shape != given:
            raise refusal(op, f"its output is {list(given)}, not {list(shape)}")
        self._values[op.outputs[0]] = self._append(
            kind, weights, bias, shape, op.outputs[0], (*self._value.waiting, op.index), pad,
            relu=activation == "RELU",
        )  # fmt: skip

    def _append(
        self,
        kind: Kind,
        weights: Floats,
        bias: Floats,
        shape: Shape,
        target: int,
        op_indices: tuple[int, ...],
        pad: tuple[int, int] = (0, 0),
        *,
        relu: bool = False,
        others: tuple[int, ...] = (),
    ) -> _Value:
        """A layer that takes what is at hand, and layers ``others`` beside it."""
        self._layers.append(
            Layer(
                op_indices=op_indices,
                kind=kind,
                pool=self._value.pool,
                pad=pad,
                relu=relu,
                weights=weights,
                bias=bias,
                source=self._graph.inputs[0],
                target=target,
                source_shape=self._value.shape,
                target_shape=shape,
                inputs=(self._value.layer, *others),
            )
        )
        return _Value(layer=len(self._layers) - 1, shape=shape)


_HANDLERS: dict[str, Callable[[_Reader, Op], None]] = {
    "CONV_2D": _Reader._conv,
    "DEPTHWISE_CONV_2D": _Reader._depthwise,
    "TRANSPOSE_CONV": _Reader._transposed,
    "ADD": _Reader._sum,
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
