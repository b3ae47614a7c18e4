"""What the accelerator runs: layers in floats, in their order, each with its pooling before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Tensor

Floats = NDArray[np.float64]
Shape = tuple[int, int, int]
"""Channels, height, width."""
Kind = Literal["conv", "conv1d", "depthwise", "transposed", "dense", "pool", "copy", "add"]
INPUT = -1
"""In the place of a layer: the network's input."""
WEIGHTLESS = ("pool", "copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Pooling of a layer's input: height and width of the window and of its steps."""

    kind: Literal["max", "avg"]
    size: tuple[int, int]
    stride: tuple[int, int]

    def of(self, shape: Shape) -> Shape:
        """The shape after it."""
        channels, *sides = shape
        high, wide = (
            (side - size) // stride + 1
            for side, size, stride in zip(sides, self.size, self.stride, strict=True)
        )
        return channels, high, wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, in floats. ``weights`` are OIHW (a dense layer: O, C, H, W of what it flattens; a
    layer that only pools or copies: none); ``pad`` in rows and columns, on both sides; ``source``
    and ``target`` are tensors of the network. ``inputs``: the layers whose outputs it takes, two
    where it adds. ``gapped``: its output leaves room for the other operand of the sum that takes
    it. A sum that is rectified has weights, which hand it through."""

    op_indices: tuple[int, ...]
    kind: Kind
    pool: Pool | None
    pad: tuple[int, int]
    relu: bool
    weights: Floats
    bias: Floats
    source: int
    target: int
    source_shape: Shape
    target_shape: Shape
    inputs: tuple[int, ...] = (INPUT,)
    gapped: bool = False

    @property
    def has_weights(self) -> bool:
        """Whether it multiplies."""
        return self.weights.size > 0

    @property
    def pooled_shape(self) -> Shape:
        """What the convolution sees."""
        return self.source_shape if self.pool is None else self.pool.of(self.source_shape)

    @property
    def flattens(self) -> bool:
        """Whether it is a dense layer over several pixels."""
        return self.kind == "dense" and self.weights.shape[2] * self.weights.shape[3] > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The accelerator's layers, those among them that are its outputs, and the operators after them
    that stay on the CPU."""

    layers: tuple[Layer, ...]
    rest: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def op_indices(self) -> tuple[int, ...]:
        """Every operator that the accelerator runs."""
        return tuple(sorted({index for layer in self.layers for index in layer.op_indices}))

    @property
    def is_plain(self) -> bool:
        """Whether each layer takes the one before it, and the last is the output."""
        order = all(layer.inputs == (at - 1,) for at, layer in enumerate(self.layers))
        return order and self.outputs == (len(self.layers) - 1,)


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
