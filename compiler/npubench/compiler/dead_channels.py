"""Takes out channels that cannot reach the output: the same for every input, or read by nobody.

Intervals over the integer arithmetic, channel by channel: from the codes that an operator's inputs
can have follow the lowest and the highest sum, and as requantization never falls, the lowest and
the highest code. A channel with one code is a constant; where every reader can do without it (its
code is the zero point, or no window leaves the input and the bias takes it), nobody needs to
compute it. Nothing is estimated: outputs are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Graph, Op, Quantization, Tensor
from npubench.compiler.lower.convolution import convolution_layer, depthwise_layer
from npubench.compiler.lower.layer import Layer
from npubench.compiler.lower.requant import requantize
from npubench.compiler.lower.site import Site
from npubench.compiler.plan import Kept
from npubench.core.errors import UnsupportedOp

STEP = 4  # kept channels are a multiple of it, as kernels and NPUs like them

_TIED = frozenset({"DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE"})
_MIXING = frozenset({"CONV_2D", "FULLY_CONNECTED"})
Codes = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """A network without its dead channels: the same tensors and operators by number, fewer channels
    in some. ``kept`` by operator, for those whose output became narrower."""

    graph: Graph
    kept: dict[int, Kept] = field(default_factory=dict)


def narrowed(graph: Graph) -> Narrowed:
    """``graph`` without its dead channels; the graph itself where it has none."""
    network = _Network(graph)
    removed = network.removable()
    if not any(channels for channels in removed.values()):
        return Narrowed(graph=graph)
    return network.without(removed)


class _Network:
    """One pass over a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._layers = dict(self._numbers())
        self._codes: dict[int, Codes] = {}
        for op in graph.ops:
            self._follow(op)

    def _numbers(self) -> Iterator[tuple[int, Layer]]:
        readers: dict[int, int] = {}
        for op in self._graph.ops:
            for index in op.inputs:
                readers[index] = readers.get(index, 0) + 1
        for op in self._graph.ops:
            make = {"CONV_2D": convolution_layer, "DEPTHWISE_CONV_2D": depthwise_layer}.get(op.kind)
            if make is None or any(readers.get(index, 0) > 1 for index in op.inputs[1:]):
                continue
            try:
                layer = make(Site(graph=self._graph, op=op))
            except UnsupportedOp:
                continue
            if not layer.depthwise or layer.source.shape[3] == layer.channels:
                yield op.index, layer

    # Intervals.

    def _follow(self, op: Op) -> None:
        if len(op.outputs) != 1 or self._graph.tensor(op.outputs[0]).dtype is not DType.INT8:
            return
        layer = self._layers.get(op.index)
        if layer is not None:
            self._codes[op.outputs[0]] = _codes_of(layer, self._range(op.inputs[0]))
        elif op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE") and self._is_tied(op):
            low, high = self._range(op.inputs[0])
            self._codes[op.outputs[0]] = (low, high)

    def _range(self, tensor: int) -> Codes:
        """Lowest and highest code of each channel of a tensor."""
        count = self._channels(tensor)
        return self._codes.get(
            tensor, (np.full(count, -128, dtype=np.int64), np.full(count, 127, dtype=np.int64))
        )

    def _channels(self, tensor: int) -> int:
        shape = self._graph.tensor(tensor).shape
        return shape[-1] if shape else 1

    def _constants(self, tensor: int) -> NDArray[np.bool_]:
        low, high = self._range(tensor)
        return np.asarray(low == high)

    # Which channels nobody needs.

    def _is_tied(self, op: Op) -> bool:
        """Whether channel c of the output comes from channel c of the input alone."""
        if op.kind == "DEPTHWISE_CONV_2D":
            return op.index in self._layers
        if op.kind == "RESHAPE":
            source, target = self._graph.tensor(op.inputs[0]), self._graph.tensor(op.outputs[0])
            return bool(source.shape and target.shape) and source.shape[-1] == target.shape[-1]
        return op.kind in _TIED and op.options.get("fused_activation_function", "NONE") == "NONE"

    def removable(self) -> dict[int, set[int]]:
        """Channels to take out, by tensor: the most that every reader can do without."""
        removed = {
            op.outputs[0]: set(range(self._channels(op.outputs[0])))
            for op in self._graph.ops
            if (op.kind == "CONV_2D" and op.index in self._layers)
            or (op.kind in _TIED and self._is_tied(op))
        }
        for tensor in (*self._graph.inputs, *self._graph.outputs):
            removed.pop(tensor, None)
        changed = True
        while changed:
            before = sum(map(len, removed.values()))
            for op in self._graph.ops:
                self._restrict(op, removed)
            changed = sum(map(len, removed.values())) != before
            if not changed:
                changed = self._round_up(removed)
        return removed

    def _restrict(self, op: Op, removed: dict[int, set[int]]) -> None:
        if op.kind in _TIED and self._is_tied(op):
            both = removed.get(op.inputs[0], set()) & removed.get(op.outputs[0], set())
            for tensor in (op.inputs[0], op.outputs[0]):
                if tensor in removed:
                    removed[tensor] &= both
            return
        for position, tensor in enumerate(op.inputs):
            if tensor not in removed:
                continue
            spare = self._spared(op, removed) if position == 0 else set()
            removed[tensor] &= spare

    def _spared(self, op: Op, removed: dict[int, set[int]]) -> set[int]:
        """Input channels that a convolution or dense layer can do without."""
        tensor = op.inputs[0]
        if op.kind == "CONV_2D" and op.index in self._layers:
            layer = self._layers[op.index]
            weights = layer.weights
            kept = sorted(set(range(layer.channels)) - removed.get(op.outputs[0], set()))
            used = np.any(weights[kept] != 0, axis=(0, 1, 2))
            inside = not layer.window.leaves_input and _has_bias(op)
            zero = layer.input_zero
        elif op.kind == "FULLY_CONNECTED" and (matrix := self._dense(op)) is not None:
            used = np.any(matrix != 0, axis=0)
            inside = _has_bias(op)
            zero = _zero(self._graph.tensor(tensor))
        else:
            return set()
        low, high = self._range(tensor)
        constant = (low == high) & ((low == zero) | inside)
        return set(np.flatnonzero(constant | ~used).tolist())

    def _dense(self, op: Op) -> NDArray[np.int8] | None:
        """The weights of a dense layer whose depth is its input's last dimension, else None."""
        weights = self._graph.tensor(op.inputs[1])
        source = self._graph.tensor(op.inputs[0])
        if (
            weights.data is None
            or weights.dtype is not DType.INT8
            or len(weights.shape) != 2
            or weights.shape[1] != source.shape[-1]
            or sum(op.inputs[1] in other.inputs for other in self._graph.ops) != 1
        ):
            return None
        return np.frombuffer(weights.data, dtype=np.int8).reshape(weights.shape)

    def _round_up(self, removed: dict[int, set[int]]) -> bool:
        """Give channels back until every tensor keeps a multiple of STEP, at least STEP."""
        given = False
        for tensor, channels in removed.items():
            total = self._channels(tensor)
            kept = total - len(channels)
            wanted = min(total, max(STEP, -(-kept // STEP) * STEP))
            for channel in sorted(channels)[: wanted - kept]:
                channels.discard(channel)
                given = True
        return given

    # The narrower network.

    def without(self, removed: dict[int, set[int]]) -> Narrowed:
        """The graph without these channels, its biases holding what constants contributed."""
        kept = {
            tensor: [c for c in range(self._channels(tensor)) if c not in channels]
            for tensor, channels in removed.items()
            if channels
        }
        tensors = list(self._graph.tensors)
        for tensor, channels in kept.items():
            old = tensors[tensor]
            tensors[tensor] = replace(old, shape=(*old.shape[:-1], len(channels)))
        for op in self._graph.ops:
            if op.index in self._layers or op.kind in _MIXING:
                self._rewrite(op, kept, tensors)
        told = {}
        for op in self._graph.ops:
            if op.outputs and op.outputs[0] in kept:
                low, high = self._range(op.outputs[0])
                gone = removed[op.outputs[0]]
                told[op.index] = Kept(
                    channels=tuple(kept[op.outputs[0]]),
                    total=self._channels(op.outputs[0]),
                    constants={c: int(low[c]) for c in sorted(gone) if low[c] == high[c]},
                )
        return Narrowed(graph=replace(self._graph, tensors=tuple(tensors)), kept=told)

    def _rewrite(self, op: Op, kept: dict[int, list[int]], tensors: list[Tensor]) -> None:
        taken, made = kept.get(op.inputs[0]), kept.get(op.outputs[0])
        if taken is None and made is None:
            return
        weights = self._graph.tensor(op.inputs[1])
        assert weights.data is not None
        values = np.frombuffer(weights.data, dtype=np.int8).reshape(weights.shape)
        bias = self._bias(op, values, taken)
        if op.kind == "DEPTHWISE_CONV_2D":
            values = values[..., made] if made is not None else values
        else:
            values = values if taken is None else values[..., taken]
            values = values if made is None else values[made]
        tensors[op.inputs[1]] = replace(
            weights,
            shape=values.shape,
            data=values.tobytes(),
            quantization=_chosen(weights.quantization, made),
        )
        if bias is not None:
            index, numbers = bias
            old = self._graph.tensor(index)
            numbers = numbers if made is None else numbers[made]
            tensors[index] = replace(
                old,
                shape=numbers.shape,
                data=numbers.astype("<i4").tobytes(),
                quantization=_chosen(old.quantization, made),
            )

    def _bias(
        self, op: Op, weights: NDArray[np.int8], taken: list[int] | None
    ) -> tuple[int, NDArray[np.int64]] | None:
        """The bias with what removed constants contributed; None where the model has none: it is
        then spared only constants of the zero point, which contribute nothing."""
        if not _has_bias(op):
            return None
        data = self._graph.tensor(op.inputs[2]).data
        assert data is not None
        bias = np.frombuffer(data, dtype="<i4").astype(np.int64)
        if taken is None or op.kind == "DEPTHWISE_CONV_2D":
            return op.inputs[2], bias
        low, high = self._range(op.inputs[0])
        gone = np.ones(len(low), dtype=bool)
        gone[taken] = False
        gone &= low == high
        offset = np.where(gone, low - _zero(self._graph.tensor(op.inputs[0])), 0)
        sums = weights.astype(np.int64).reshape(len(weights), -1, weights.shape[-1]).sum(axis=1)
        return op.inputs[2], bias + sums @ offset


def _codes_of(layer: Layer, given: Codes) -> Codes:
    """Lowest and highest code of each output channel; places on padding are the zero point."""
    low, high = given
    if layer.window.leaves_input:
        low, high = np.minimum(low, layer.input_zero), np.maximum(high, layer.input_zero)
    wide = layer.weights.astype(np.int64)
    axes = (0, 1) if layer.depthwise else (1, 2, 3)
    bias = layer.bias.astype(np.int64)
    lowest = bias + np.minimum(wide * low, wide * high).sum(axis=axes)
    highest = bias + np.maximum(wide * low, wide * high).sum(axis=axes)
    ends = []
    for sums in (lowest, highest):
        codes = [
            min(max(requantize(int(total), *pair) + layer.output_zero, layer.low), layer.high)
            if pair[1] <= 0
            else None
            for total, pair in zip(sums, layer.pairs, strict=True)
        ]
        ends.append(codes)
    unknown = [code is None for code in ends[0]]
    bottom = [layer.low if u else int(c or 0) for u, c in zip(unknown, ends[0], strict=True)]
    top = [layer.high if u else int(c or 0) for u, c in zip(unknown, ends[1], strict=True)]
    return np.array(bottom, dtype=np.int64), np.array(top, dtype=np.int64)


def _chosen(quantization: Quantization | None, channels: list[int] | None) -> Quantization | None:
    """A per-channel quantization for some of its channels."""
    if quantization is None or channels is None or len(quantization.scales) == 1:
        return quantization
    zeros = quantization.zero_points
    return replace(
        quantization,
        scales=tuple(quantization.scales[c] for c in channels),
        zero_points=tuple(zeros[c] for c in channels) if len(zeros) > 1 else zeros,
    )


def _has_bias(op: Op) -> bool:
    return len(op.inputs) > 2 and op.inputs[2] >= 0


def _zero(tensor: Tensor) -> int:
    return 0 if tensor.quantization is None else tensor.quantization.zero_point
