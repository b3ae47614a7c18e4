"""A convolution, depthwise convolution or dense layer in numbers, before a kernel is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Tensor
from npubench.compiler.lower.requant import requantize
from npubench.compiler.lower.window import Window
from npubench.compiler.plan import Overlap

SUM_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Weights are [out_c, kernel_h, kernel_w, in_c], of a depthwise layer [kernel_h, kernel_w,
    out_c]. ``bias`` [out_c] has the input's offset folded in, ``pairs`` [out_c] are multiplier and
    shift as the reference forms them. ``low`` and ``high`` limit the output's codes.
    ``settled``: channels whose code is the same for every input; their weights and bias are zero.
    """

    source: Tensor
    target: Tensor
    weights: NDArray[np.int8]
    depthwise: bool
    bias: NDArray[np.int32]
    pairs: tuple[tuple[int, int], ...]
    window: Window
    input_zero: int
    output_zero: int
    low: int
    high: int
    settled: Mapping[int, int] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        """Output channels."""
        return len(self.bias)

    @property
    def pixels(self) -> int:
        """Output places, over all images of the batch."""
        return self.target.count // self.channels

    @property
    def by_channel(self) -> NDArray[np.int8]:
        """Weights as [out_c, tap]."""
        if self.depthwise:
            return self.weights.reshape(-1, self.channels).T
        return self.weights.reshape(self.channels, -1)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, taps on padding counted."""
        return self.target.count * int(self.by_channel.shape[1])

    @property
    def opens_at_zero(self) -> bool:
        """Whether the output's lowest code is its zero point and -128, its highest 127: what lies
        below zero is cut off by saturation alone, and how it is rounded does not matter."""
        return self.low == self.output_zero == -128 and self.high == 127

    def sums(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lowest and highest sum of each output channel, over all int8 inputs."""
        wide = self.by_channel.astype(np.int64)
        bias = self.bias.astype(np.int64)
        low = bias + np.minimum(-128 * wide, 127 * wide).sum(axis=1)
        high = bias + np.maximum(-128 * wide, 127 * wide).sum(axis=1)
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """How a convolution reads its input: the rows of a window with their padding in a ring of
    ``rows`` slots of ``pitch`` bytes, ``width`` pixels of each from the input; a window in
    ``runs`` (per kernel row) of ``run`` neighbouring bytes."""

    rows: int
    pitch: int
    width: int
    reach_h: int
    runs: int
    run: int

    @property
    def size_bytes(self) -> int:
        return self.rows * self.pitch


def ring_of(layer: Layer) -> Ring:
    """The ring of a convolution. Two windows are taken at once: where a row of outputs is odd, the
    second may lie one row of windows further, so that the ring holds the rows of both."""
    _, kernel_h, kernel_w, in_c = layer.weights.shape
    window = layer.window
    reach_h = (kernel_h - 1) * window.dilation[0] + 1
    reach_w = (kernel_w - 1) * window.dilation[1] + 1
    out_w = layer.target.shape[2]
    columns = (out_w - 1) * window.stride[1] + reach_w
    joined = window.dilation[1] == 1
    return Ring(
        rows=reach_h + (window.stride[0] if out_w % 2 else 0),
        pitch=columns * in_c,
        width=min(layer.source.shape[2], columns - window.pad[1]),
        reach_h=reach_h,
        runs=1 if joined else kernel_w,
        run=kernel_w * in_c if joined else in_c,
    )


def point_overlap(layer: Layer) -> tuple[Overlap, ...]:
    """Of a 1x1 convolution that takes two pixels in before it writes their outputs."""
    out_c, in_c = layer.channels, layer.source.shape[3]
    pairs = -(-layer.pixels // 2)
    lead = max(0, 2 * (pairs - 1) * (out_c - in_c))
    return (Overlap(tensor=layer.source.index, lead_bytes=lead),)


def row_overlap(layer: Layer, reach_h: int) -> tuple[Overlap, ...]:
    """Of a convolution that brings the rows of a window into a ring before it writes a row of
    outputs."""
    batches, in_h, in_w, in_c = layer.source.shape
    if batches != 1:
        return ()
    _, out_h, out_w, out_c = layer.target.shape
    lead = 0
    for row in range(out_h):
        unread = row * layer.window.stride[0] - layer.window.pad[0] + reach_h
        if unread < in_h:
            lead = max(lead, (row + 1) * out_w * out_c - max(unread, 0) * in_w * in_c)
    return (Overlap(tensor=layer.source.index, lead_bytes=lead),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addend:
    """An input of an addition and how it is scaled, as the reference forms it."""

    tensor: Tensor
    zero: int
    multiplier: int
    shift: int

    @property
    def is_half(self) -> bool:
        """Whether scaling is nothing but halving."""
        return (self.multiplier, self.shift) == (1 << 30, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The output of an addition, and how the sum is scaled to it."""

    tensor: Tensor
    zero: int
    multiplier: int
    shift: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescale:
    """How sums become codes where every shift goes right: multiply by ``multipliers`` (rounding
    doubling high half), add ``roundings``, shift right by ``shifts``. The output's zero point and
    half of the last place are in the rounding. ``exact``: a negative product must first lose one,
    so that ties go away from zero.
    """

    multipliers: NDArray[np.int64]
    roundings: NDArray[np.int64]
    shifts: NDArray[np.int64]
    exact: bool


def settle(layer: Layer) -> Layer:
    """The layer with the channels marked whose code cannot vary: requantization never falls as the
    sum rises, so a channel is settled when the lowest and the highest sum give one code."""
    low, high = layer.sums()
    settled: dict[int, int] = {}
    for channel, (multiplier, shift) in enumerate(layer.pairs):
        codes = {
            min(
                max(
                    requantize(int(total), multiplier, shift) + layer.output_zero,
                    layer.low,
                ),
                layer.high,
            )
            for total in (low[channel], high[channel])
        }
        if shift <= 0 and len(codes) == 1:
            settled[channel] = codes.pop()
    if not settled:
        return layer
    bias = layer.bias.copy()
    weights = layer.weights.copy()
    for channel in settled:
        bias[channel] = 0
        if layer.depthwise:
            weights[..., channel] = 0
        else:
            weights[channel] = 0
    return replace(layer, bias=bias, weights=weights, settled=settled)


LARGEST_SHIFT = 23


def rescale(layer: Layer, *, unshifted: bool = False) -> Rescale | str:
    """The layer's requantization in one add and one shift, or why that would not be exact.
    ``unshifted``: the kernel knows that a product that is not shifted has no ties.
    """
    low, high = layer.sums()
    largest = np.maximum(np.abs(low), np.abs(high))
    if int(largest.max()) >= SUM_LIMIT:
        return "a sum may exceed 30 bits"
    exact = not layer.opens_at_zero
    multipliers, roundings, shifts = [], [], []
    for channel, (bound, (given, shift)) in enumerate(
        zip(largest.tolist(), layer.pairs, strict=True)
    ):
        if channel in layer.settled:
            multipliers.append(0)
            roundings.append(2 * layer.settled[channel] + 1)
            shifts.append(1)
            continue
        multiplier, right = given, -shift
        if right < 0:
            return "a scale multiplies by one or more"
        if right > LARGEST_SHIFT:
            if (bound * multiplier >> 31) + 2 >= 1 << (right - 1):
                return f"a scale shifts by {right} places"
            multiplier = 0
        if multiplier == 0:
            right = 1
        if right == 0 and exact and not unshifted:
            return "a scale is one half or more and negative results count"
        half = 1 << (right - 1) if right else 0
        multipliers.append(multiplier)
        roundings.append((layer.output_zero << right) + half)
        shifts.append(right)
    return Rescale(
        multipliers=np.array(multipliers),
        roundings=np.array(roundings),
        shifts=np.array(shifts),
        exact=exact,
    )
