"""Random networks of several operators, for what single operators cannot show.

Each seed gives one network: a chain with branches of two to six operators that an Ethos-U55 may
run, int8 or int16, with shapes, scales and options drawn within what TFLite Micro takes. The same
seed gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data" / "ops"))

from make_ops import (
    NONE,
    RELU,
    RELU6,
    SAME,
    TYPES,
    VALID,
    Net,
    extent,
    filled,
    scales_of,
    schema,
)

TYPES.setdefault("int16", (schema.TensorType.INT16, np.int16))
TYPES.setdefault("int64", (schema.TensorType.INT64, np.int64))


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the network so far."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero: int


class Builder:
    """A random network under construction. ``dtype``: of all activations."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.net = Net()
        self.dtype = "int16" if self.rng.random() < 0.15 else "int8"
        self.kinds: list[str] = []
        self.used: set[int] = set()
        self.values: list[Value] = []

    def quantization(self) -> tuple[float, int]:
        if self.dtype == "int16":
            return float(self.rng.uniform(0.00005, 0.0008)), 0
        return float(self.rng.uniform(0.01, 0.12)), int(self.rng.integers(-40, 41))

    def value(
        self,
        shape: tuple[int, ...],
        *,
        like: Value | None = None,
        at: tuple[float, int] | None = None,
    ) -> Value:
        scale, zero = at or ((like.scale, like.zero) if like else self.quantization())
        index = self.net.tensor(shape, scale, zero, dtype=self.dtype)
        made = Value(index, shape, scale, zero)
        self.values.append(made)
        return made

    def number(self, values: list[int] | NDArray[np.int32]) -> int:
        data = np.array(values, dtype=np.int32)
        return self.net.tensor(data.shape, dtype="int32", data=data)

    def op(self, kind: str, sources: list[int], target: Value, options: object = None) -> None:
        self.net.op(kind, sources, [target.index], options)
        self.kinds.append(kind)
        self.used.update(sources)

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pick(self, items: list[int]) -> int:
        return items[self.between(0, len(items) - 1)]

    # --- operators: each returns False where the value does not suit it -------------------------

    def conv(self, x: Value, *, depthwise: bool = False) -> bool:
        if len(x.shape) != 4:
            return False
        _, height, width, depth = x.shape
        kernel = (self.between(1, min(4, height)), self.between(1, min(4, width)))
        stride = (self.pick([1, 1, 2]),) * 2
        padding = SAME if self.chance(0.6) else VALID
        dilation = (self.pick([1, 1, 1, 2]),) * 2 if stride == (1, 1) else (1, 1)
        if any(
            (k - 1) * dilation[0] + 1 > size for k, size in zip(kernel, x.shape[1:3], strict=True)
        ):
            dilation = (1, 1)
        filters = depth * self.pick([1, 1, 2]) if depthwise and depth == 1 else depth
        if not depthwise:
            filters = self.between(1, 20)
        out = tuple(
            extent(n, k, s, d, padding)
            for n, k, s, d in zip((height, width), kernel, stride, dilation, strict=True)
        )
        y = self.value((1, *out, filters))
        shape = (1, *kernel, filters) if depthwise else (filters, *kernel, depth)
        taps = kernel[0] * kernel[1] * (1 if depthwise else depth)
        largest = 120 if self.dtype == "int8" else 30000
        scales = scales_of(
            self.rng, filters, largest * y.scale / (x.scale * 120 * 70 * np.sqrt(taps))
        )
        if self.dtype == "int16":
            scales = scales_of(self.rng, filters, y.scale / (x.scale * 70 * np.sqrt(taps)))
        data = self.rng.integers(-127, 128, shape)
        w = self.net.tensor(shape, scales, dtype="int8", data=data, axis=3 if depthwise else 0)
        kind = "int64" if self.dtype == "int16" else "int32"
        bias = self.net.tensor(
            [filters],
            [s * x.scale for s in scales],
            dtype=kind,
            data=self.rng.integers(-3000, 3000, filters),
        )
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        filled(
            options,
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            dilationHFactor=dilation[0],
            dilationWFactor=dilation[1],
            fusedActivationFunction=self.pick([NONE, RELU, RELU6]),
        )
        if depthwise:
            options.depthMultiplier = filters // depth
        self.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x.index, w, bias], y, options)
        return True

    def depthwise(self, x: Value) -> bool:
        return self.conv(x, depthwise=True)

    def transpose_conv(self, x: Value) -> bool:
        if len(x.shape) != 4 or self.dtype != "int8":
            return False
        _, height, width, depth = x.shape
        filters = self.between(1, 12)
        y = self.value((1, height * 2, width * 2, filters))
        scales = scales_of(self.rng, filters, y.scale / (x.scale * 70 * np.sqrt(9 * depth)))
        shape = (filters, 3, 3, depth)
        w = self.net.tensor(shape, scales, dtype="int8", data=self.rng.integers(-127, 128, shape))
        options = filled(schema.TransposeConvOptionsT(), padding=SAME, strideH=2, strideW=2)
        self.op("TRANSPOSE_CONV", [self.number(list(y.shape)), w, x.index], y, options)
        return True

    def dense(self, x: Value) -> bool:
        count = int(np.prod(x.shape))
        if count > 1500:
            return False
        flat = self.value((1, count), like=x)
        reshape = filled(schema.ReshapeOptionsT(), newShape=[1, count])
        self.op("RESHAPE", [x.index, self.number([1, count])], flat, reshape)
        units = self.between(1, 24)
        y = self.value((1, units))
        scale = float(y.scale / (x.scale * 70 * np.sqrt(count)))
        data = self.rng.integers(-127, 128, (units, count))
        w = self.net.tensor((units, count), scale, dtype="int8", data=data)
        bias = self.net.tensor(
            [units],
            scale * x.scale,
            dtype="int64" if self.dtype == "int16" else "int32",
            data=self.rng.integers(-3000, 3000, units),
        )
        options = filled(
            schema.FullyConnectedOptionsT(), fusedActivationFunction=self.pick([NONE, RELU])
        )
        self.op("FULLY_CONNECTED", [flat.index, w, bias], y, options)
        return True

    def pool(self, x: Value) -> bool:
        if len(x.shape) != 4:
            return False
        size = tuple(self.between(1, min(3, n)) for n in x.shape[1:3])
        step = self.pick([1, 2])
        padding = SAME if self.chance(0.5) else VALID
        out = tuple(extent(n, k, step, 1, padding) for n, k in zip(x.shape[1:3], size, strict=True))
        options = filled(
            schema.Pool2DOptionsT(),
            filterHeight=size[0],
            filterWidth=size[1],
            strideH=step,
            strideW=step,
            padding=padding,
            fusedActivationFunction=self.pick([NONE, NONE, RELU]),
        )
        y = self.value((1, *out, x.shape[3]), like=x)
        kind = "MAX_POOL_2D" if self.chance(0.5) else "AVERAGE_POOL_2D"
        self.op(kind, [x.index], y, options)
        return True

    def slice_strided(self, x: Value) -> bool:
        rank = len(x.shape)
        if rank != 4:
            return False
        begin, end, step = [0] * rank, list(x.shape), [1] * rank
        for axis in (1, 2):
            if x.shape[axis] > 3 and self.chance(0.7):
                step[axis] = self.pick([1, 2])
                begin[axis] = self.between(0, 1)
                end[axis] = x.shape[axis] - self.between(0, 1)
        shape = tuple(-(-(e - b) // s) for b, e, s in zip(begin, end, step, strict=True))
        options = schema.StridedSliceOptionsT()
        y = self.value(shape, like=x)
        sources = [x.index, self.number(begin), self.number(end), self.number(step)]
        self.op("STRIDED_SLICE", sources, y, options)
        return True

    def pad(self, x: Value) -> bool:
        if len(x.shape) != 4:
            return False
        mirror = self.dtype == "int8" and min(x.shape[1:3]) > 2 and self.chance(0.4)
        pads = [[0, 0], *([self.between(0, 2), self.between(0, 2)] for _ in "hw"), [0, 0]]
        shape = tuple(n + sum(p) for n, p in zip(x.shape, pads, strict=True))
        y = self.value(shape, like=x)
        sources = [x.index, self.number(np.array(pads, dtype=np.int32))]
        if mirror:
            options = filled(schema.MirrorPadOptionsT(), mode=self.between(0, 1))
            self.op("MIRROR_PAD", sources, y, options)
        else:
            self.op("PAD", sources, y, schema.PadOptionsT())
        return True

    def curve(self, x: Value) -> bool:
        kind = ["LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "HARD_SWISH"][self.between(0, 5)]
        options: object = None
        if self.dtype == "int16":
            if kind in ("RELU", "RELU6", "HARD_SWISH", "LEAKY_RELU"):
                return False
            y = self.value(x.shape, at=(1 / 32768, 0))
        elif kind == "LOGISTIC":
            y = self.value(x.shape, at=(1 / 256, -128))
        elif kind == "TANH":
            y = self.value(x.shape, at=(1 / 128, 0))
        elif kind in ("RELU", "RELU6"):
            y = self.value(x.shape, like=x if self.chance(0.7) else None)
        else:
            y = self.value(x.shape)
            if kind == "LEAKY_RELU":
                options = filled(schema.LeakyReluOptionsT(), alpha=0.1)
            else:
                options = schema.HardSwishOptionsT()
        self.op(kind, [x.index], y, options)
        return True

    def softmax(self, x: Value) -> bool:
        if len(x.shape) > 4:
            return False
        y = self.value(x.shape, at=(1 / 32768, 0) if self.dtype == "int16" else (1 / 256, -128))
        self.op("SOFTMAX", [x.index], y, filled(schema.SoftmaxOptionsT(), beta=1.0))
        return True

    def elementwise(self, x: Value) -> bool:
        kind = ["ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"][self.between(0, 5)]
        if self.dtype == "int16" and kind not in ("ADD", "SUB", "MUL"):
            return False
        others = [v for v in self.values if v.shape == x.shape]
        other = others[self.between(0, len(others) - 1)]
        second = other.index
        extreme = kind in ("MINIMUM", "MAXIMUM")
        if extreme and (other.scale, other.zero) != (x.scale, x.zero):
            return False
        if self.chance(0.3):
            shape = [1] * (len(x.shape) - 1) + [x.shape[-1]]
            scale, zero = (x.scale, x.zero) if extreme else self.quantization()
            largest = 127 if self.dtype == "int8" else 32767
            data = self.rng.integers(-largest, largest, shape)
            second = self.net.tensor(shape, scale, zero, dtype=self.dtype, data=data)
        y = self.value(x.shape, like=x if extreme else None)
        options = {
            "ADD": schema.AddOptionsT,
            "SUB": schema.SubOptionsT,
            "MUL": schema.MulOptionsT,
            "SQUARED_DIFFERENCE": schema.SquaredDifferenceOptionsT,
        }.get(kind, schema.MaximumMinimumOptionsT)()
        if kind in ("ADD", "SUB", "MUL"):
            options.fusedActivationFunction = self.pick([NONE, RELU])
            if self.dtype == "int16" and kind != "MUL":
                options.potScaleInt16 = False
        self.op(kind, [x.index, second], y, options)
        return True

    def concatenation(self, x: Value) -> bool:
        others = [
            v for v in self.values if v.shape[:-1] == x.shape[:-1] and v.scale == x.scale
            and v.zero == x.zero
        ]  # fmt: skip
        other = others[self.between(0, len(others) - 1)]
        y = self.value((*x.shape[:-1], x.shape[-1] + other.shape[-1]), like=x)
        options = filled(
            schema.ConcatenationOptionsT(), axis=len(x.shape) - 1, fusedActivationFunction=NONE
        )
        self.op("CONCATENATION", [x.index, other.index], y, options)
        return True

    def split(self, x: Value) -> bool:
        axis = len(x.shape) - 1
        if x.shape[axis] % 2:
            return False
        half = (*x.shape[:-1], x.shape[axis] // 2)
        left, right = self.value(half, like=x), self.value(half, like=x)
        options = filled(schema.SplitOptionsT(), numSplits=2)
        axis_of = self.net.tensor([1], dtype="int32", data=np.array([axis]))
        self.net.op("SPLIT", [axis_of, x.index], [left.index, right.index], options)
        self.kinds.append("SPLIT")
        self.used.add(x.index)
        return True

    def transpose(self, x: Value) -> bool:
        if len(x.shape) != 4 or self.dtype != "int8":
            return False
        order = [0, *(1 + self.rng.permutation(3))]
        y = self.value(tuple(x.shape[axis] for axis in order), like=x)
        self.op("TRANSPOSE", [x.index, self.number(order)], y, schema.TransposeOptionsT())
        return True

    def mean(self, x: Value) -> bool:
        if len(x.shape) != 4:
            return False
        y = self.value((1, 1, 1, x.shape[3]))
        options = filled(schema.ReducerOptionsT(), keepDims=True)
        self.op("MEAN", [x.index, self.number([1, 2])], y, options)
        return True

    def resize(self, x: Value) -> bool:
        if len(x.shape) != 4 or self.dtype != "int8" or x.shape[1] * x.shape[2] > 200:
            return False
        size = [x.shape[1] * 2, x.shape[2] * 2]
        y = self.value((1, *size, x.shape[3]), like=x)
        if self.chance(0.5):
            kind, options = "RESIZE_BILINEAR", schema.ResizeBilinearOptionsT()
        else:
            kind, options = "RESIZE_NEAREST_NEIGHBOR", schema.ResizeNearestNeighborOptionsT()
        filled(options, alignCorners=False, halfPixelCenters=False)
        self.op(kind, [x.index, self.number(size)], y, options)
        return True

    def requantize(self, x: Value) -> bool:
        if self.dtype != "int8":
            return False
        self.op("QUANTIZE", [x.index], self.value(x.shape), schema.QuantizeOptionsT())
        return True


def random_network(seed: int, only: tuple[str, ...] = ()) -> tuple[bytes, tuple[str, ...]]:
    """(the .tflite, its operators in order). ``only``: names of Builder's methods to draw from."""
    build = Builder(seed)
    steps: list[Callable[[Value], bool]] = [
        build.conv, build.conv, build.depthwise, build.transpose_conv, build.dense, build.pool,
        build.slice_strided, build.pad, build.curve, build.softmax, build.elementwise,
        build.elementwise, build.concatenation, build.split, build.transpose, build.mean,
        build.resize, build.requantize,
    ]  # fmt: skip
    if only:
        steps = [step for step in steps if step.__name__ in only]
    shape = (1, build.between(3, 12), build.between(3, 12), build.between(1, 18))
    first = build.value(shape)
    build.net.graph.inputs.append(first.index)
    wanted = build.between(2, 6)
    for _ in range(60):
        if len(build.kinds) >= wanted:
            break
        recent = build.values[-3:] if build.chance(0.8) else build.values
        source = recent[build.between(0, len(recent) - 1)]
        if np.prod(source.shape) < 20000:
            steps[build.between(0, len(steps) - 1)](source)
    build.net.graph.outputs = [
        v.index for v in build.values if v.index not in build.used and v.index != first.index
    ]
    return build.net.bytes(), tuple(build.kinds)
