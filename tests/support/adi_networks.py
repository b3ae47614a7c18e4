"""The three networks of ADI whose cycles are known, as int8 .tflite: the operators that a converter
makes of the Keras layers, with random weights. Structures: ai8x-training, models/ai85net.py (mnist
28x28x1, cifar-10 32x32x3) and models/ai85net-kws20-v3.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from support.tflite_writer import Field, ModelSpec, OpSpec, TensorSpec, write_model

SAME, VALID = 0, 1
NONE, RELU = 0, 1


class Builder:
    """Operators one after the other; ``last`` is the tensor that they have come to."""

    def __init__(self, *shape: int) -> None:
        self._random = np.random.default_rng(7)
        self._tensors = [TensorSpec(name="input", shape=shape, scales=(1 / 64,), zero_points=(-5,))]
        self._ops: list[OpSpec] = []
        self._shapes = [tuple(shape)]
        self.last = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shapes[self.last]

    def written(self, *outputs: int) -> bytes:
        """``outputs``: tensors; none: the last."""
        ends = outputs or (self.last,)
        return write_model(ModelSpec(tensors=self._tensors, ops=self._ops, outputs=ends))

    def back(self, tensor: int) -> Builder:
        """Go on from a tensor that was there before."""
        self.last = tensor
        return self

    def add(self, other: int, *, relu: bool = False) -> Builder:
        options: dict[int, Field] = {0: ("b", RELU if relu else NONE)}
        return self._op("ADD", (self.last, other), self.shape, options, relu)

    def depthwise(self, side: int, *, activation: int = RELU) -> Builder:
        _, high, wide, channels = self.shape
        scale = 1 / (64 * side)
        inputs = (
            self.last, self._weights((1, side, side, channels), scale), self._bias(channels, scale)
        )  # fmt: skip
        options: dict[int, Field] = {
            0: ("b", SAME), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1), 4: ("b", activation),
            5: ("i", 1), 6: ("i", 1),
        }  # fmt: skip
        shape = (1, high, wide, channels)
        return self._op("DEPTHWISE_CONV_2D", inputs, shape, options, activation == RELU)

    def double(self, out: int, side: int = 2) -> Builder:
        """A transposed convolution in steps of two."""
        _, high, wide, channels = self.shape
        shape = (1, 2 * high, 2 * wide, out)
        weights = self._weights((out, side, side, channels), 1 / (64 * np.sqrt(channels)))
        said = self._constant((4,), "int32", np.array(shape, np.int32).tobytes())
        options: dict[int, Field] = {0: ("b", SAME), 1: ("i", 2), 2: ("i", 2), 3: ("b", NONE)}
        return self._op("TRANSPOSE_CONV", (said, weights, self.last), shape, options, False)

    def conv(
        self, out: int, kernel: tuple[int, int], *, padding: int = SAME, bias: bool = False,
        activation: int = RELU,
    ) -> Builder:  # fmt: skip
        _, high, wide, channels = self.shape
        if padding == VALID:
            high, wide = high - kernel[0] + 1, wide - kernel[1] + 1
        scale = 1 / (64 * np.sqrt(channels * kernel[0] * kernel[1]))
        weights = self._weights((out, *kernel, channels), scale)
        options: dict[int, Field] = {
            0: ("b", padding), 1: ("i", 1), 2: ("i", 1), 3: ("b", activation), 4: ("i", 1),
            5: ("i", 1),
        }  # fmt: skip
        inputs = (self.last, weights, *([self._bias(out, scale)] if bias else []))
        return self._op("CONV_2D", inputs, (1, high, wide, out), options, activation == RELU)

    def pool(self, kind: str, size: tuple[int, int], stride: tuple[int, int]) -> Builder:
        _, high, wide, channels = self.shape
        high, wide = (high - size[0]) // stride[0] + 1, (wide - size[1]) // stride[1] + 1
        options: dict[int, Field] = {
            0: ("b", VALID), 1: ("i", stride[1]), 2: ("i", stride[0]), 3: ("i", size[1]),
            4: ("i", size[0]), 5: ("b", NONE),
        }  # fmt: skip
        return self._op(f"{kind}_POOL_2D", (self.last,), (1, high, wide, channels), options)

    def pad(self, *sides: tuple[int, int]) -> Builder:
        """``sides``: before and after, of each dimension between batch and channels."""
        pairs = [(0, 0), *sides, (0, 0)]
        constant = self._constant((len(pairs), 2), "int32", np.array(pairs, np.int32).tobytes())
        shape = tuple(n + sum(p) for n, p in zip(self.shape, pairs, strict=True))
        return self._op("PAD", (self.last, constant), shape, None)

    def reshape(self, *shape: int, kind: str = "RESHAPE") -> Builder:
        return self._op(kind, (self.last,), shape, None)

    def flatten_open(self, count: int) -> Builder:
        """As a converter flattens where the batch is open: it works the shape out, and reshapes
        the tensor from before the last reshape."""
        before = self._ops[-1].inputs[0]
        self._tensors += [
            TensorSpec(name=name, shape=shape, dtype="int32", scales=None)
            for name, shape in (("shape", (len(self.shape),)), ("batch", ()), ("packed", (2,)))
        ]
        self._shapes += [(len(self.shape),), (), (2,)]
        shape, batch, packed = range(len(self._tensors) - 3, len(self._tensors))
        begin, one = (
            self._constant((1,), "int32", np.array([value], np.int32).tobytes()) for value in (0, 1)
        )
        values = self._constant((), "int32", np.array(count, np.int32).tobytes())
        masks: dict[int, Field] = {4: ("i", 1)}
        self._ops += [
            OpSpec(kind="SHAPE", inputs=(self.last,), outputs=(shape,)),
            OpSpec(
                kind="STRIDED_SLICE", inputs=(shape, begin, one, one), outputs=(batch,),
                options=masks,
            ),
            OpSpec(
                kind="PACK", inputs=(batch, values), outputs=(packed,), options=None
            ),
        ]  # fmt: skip
        self.last = before
        return self._op("RESHAPE", (before, packed), (1, count), None)

    def dense(self, out: int, *, bias: bool = True) -> Builder:
        scale = 1 / (64 * np.sqrt(self.shape[-1]))
        weights = self._weights((out, self.shape[-1]), scale)
        inputs = (self.last, weights, *([self._bias(out, scale)] if bias else []))
        return self._op("FULLY_CONNECTED", inputs, (1, out), {0: ("b", NONE)}, False)

    def softmax(self) -> Builder:
        return self._op(
            "SOFTMAX", (self.last,), self.shape, {0: ("f", 1.0)}, scale=1 / 256, zero=-128
        )

    def _op(
        self, kind: str, inputs: Sequence[int], shape: tuple[int, ...],
        options: dict[int, Field] | None, relu: bool | None = None, *,
        scale: float | None = None, zero: int = 0,
    ) -> Builder:  # fmt: skip
        """``relu``: the output has a range of its own, from 0 or around it; else its input's."""
        before = self._tensors[self.last]
        scales, zeros = before.scales, before.zero_points
        if scale is not None:
            scales, zeros = (scale,), (zero,)
        elif relu is not None:
            scales, zeros = (1 / 40,), (-128 if relu else 3,)
        self._tensors.append(
            TensorSpec(name=f"t{len(self._ops)}", shape=shape, scales=scales, zero_points=zeros)
        )
        self._shapes.append(shape)
        self.last = len(self._tensors) - 1
        self._ops.append(OpSpec(kind=kind, inputs=inputs, outputs=(self.last,), options=options))
        return self

    def _weights(self, shape: tuple[int, ...], scale: float) -> int:
        data = self._random.integers(-127, 128, shape, dtype=np.int8)
        return self._constant(shape, "int8", data.tobytes(), scale)

    def _bias(self, out: int, scale: float) -> int:
        data = self._random.integers(-3000, 3000, out, dtype=np.int32)
        given = self._tensors[self.last].scales
        assert given is not None
        return self._constant((out,), "int32", data.tobytes(), scale * given[0])

    def _constant(
        self, shape: tuple[int, ...], dtype: str, data: bytes, scale: float | None = None
    ) -> int:
        self._tensors.append(
            TensorSpec(
                name=f"c{len(self._tensors)}", shape=shape, dtype=dtype, data=data,
                scales=None if scale is None else (scale,),
            )
        )  # fmt: skip
        self._shapes.append(shape)
        return len(self._tensors) - 1


def image_net(side: int, channels: int) -> bytes:
    """AI85Net5: MNIST's 28x28x1 with a padding of 2 before the second convolution, CIFAR-10's
    32x32x3."""
    net = Builder(1, side, side, channels).conv(60, (3, 3)).pool("MAX", (2, 2), (2, 2))
    if side == 28:
        net.pad((2, 2), (2, 2)).conv(60, (3, 3), padding=VALID)
    else:
        net.conv(60, (3, 3))
    net.pool("MAX", (2, 2), (2, 2)).conv(56, (3, 3))
    net.pool("AVERAGE", (2, 2), (2, 2)).conv(12, (3, 3))
    return net.reshape(1, 192).dense(10).softmax().written()


def keyword_net() -> bytes:
    """AI85KWS20Netv3: Conv1D, which TFLite shows as CONV_2D of a row between reshapes."""
    net = Builder(1, 128, 128)

    def conv(out: int, taps: int) -> None:
        _, length, channels = net.shape
        net.reshape(1, 1, length, channels, kind="EXPAND_DIMS")
        net.conv(out, (1, taps), padding=VALID)
        net.reshape(1, net.shape[2], out)

    def pool(kind: str) -> None:
        _, length, channels = net.shape
        net.reshape(1, length, 1, channels).pool(kind, (2, 1), (2, 1))
        net.reshape(1, length // 2, channels, kind="SQUEEZE")

    conv(100, 1)
    conv(96, 3)
    for kind, first, second in (("MAX", 64, 48), ("MAX", 64, 96)):
        pool(kind)
        net.pad((1, 1))
        conv(first, 3)
        conv(second, 3)
    for kind, out, taps in (("AVERAGE", 100, 3), ("MAX", 64, 6)):
        pool(kind)
        net.pad((1, 1))
        conv(out, taps)
    return net.flatten_open(256).dense(21, bias=False).written()


def residual_net(side: int = 16, channels: int = 12) -> bytes:
    """Two blocks with a connection around them: one rectified after the sum, one whose sum goes on
    to two layers; then a sum of what was summed, pooling and a dense layer."""
    net = Builder(1, side, side, 3).conv(channels, (3, 3))
    around = net.last
    net.conv(channels, (3, 3)).conv(channels, (3, 3), activation=NONE).add(around, relu=True)
    around = net.last
    net.conv(channels, (3, 3)).conv(channels, (1, 1), activation=NONE).add(around)
    around = net.last
    net.conv(channels, (3, 3), bias=True).add(around, relu=True)
    return net.pool("AVERAGE", (side, side), (1, 1)).reshape(1, channels).dense(10).written()


def heads_net() -> bytes:
    """A detector's shape: two outputs of several pixels, one from halfway."""
    net = Builder(1, 24, 16, 3).conv(20, (3, 3)).pool("MAX", (2, 2), (2, 2)).conv(24, (3, 3))
    halfway = net.last
    first = net.conv(6, (3, 3), activation=NONE).last
    net.back(halfway).pool("MAX", (2, 2), (2, 2)).conv(70, (3, 3), bias=True)
    return net.written(first, net.conv(9, (1, 1), activation=NONE).last)


def upsampling_net() -> bytes:
    """Down and up again, with the connection of a U-net as a sum."""
    net = Builder(1, 16, 16, 2).conv(8, (3, 3))
    across = net.last
    net.pool("MAX", (2, 2), (2, 2)).conv(16, (3, 3)).double(8).add(across)
    return net.conv(3, (1, 1), activation=NONE).written()


def large_net(high: int = 120, wide: int = 160) -> bytes:
    """An input that no data memory of the MAX78000 holds."""
    net = Builder(1, high, wide, 3).conv(12, (3, 3))
    net.pool("MAX", (2, 2), (2, 2)).conv(16, (3, 3))
    net.pool("MAX", (4, 4), (4, 4)).conv(16, (3, 3))
    net.pool("MAX", (4, 4), (4, 4)).conv(16, (3, 3))
    return net.pool("AVERAGE", net.shape[1:3], (1, 1)).reshape(1, 16).dense(5).written()


def separable_net(blocks: int = 3, channels: int = 24) -> bytes:
    """Depthwise and pointwise convolutions in turn."""
    net = Builder(1, 16, 16, 3).conv(channels, (3, 3), bias=True)
    for _ in range(blocks):
        net.depthwise(3).conv(channels, (1, 1), bias=True)
    net.pool("AVERAGE", (16, 16), (1, 1)).reshape(1, channels)
    return net.dense(10).written()
