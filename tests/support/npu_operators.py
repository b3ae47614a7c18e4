"""Random networks of one operator, for each operator that Vela says an Ethos-U55 or U65 takes.

``OPERATORS`` has one drawing for each name of Vela's report (tests compare the two lists). A
drawing takes what chance it needs from the generator and gives a network of one operator with
activations of one type; some are beyond what Vela takes, and then stay on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from support.npu_networks import (
    NONE,
    RELU,
    RELU6,
    SAME,
    VALID,
    Net,
    extent,
    filled,
    scales_of,
    schema,
)

Shape = tuple[int, ...]
WIDTHS = {"int8": 8, "uint8": 8, "int16": 16, "int32": 32}


class Draw:
    """One network in the making: its generator, its type, and the tensors that it is made of."""

    def __init__(self, seed: int, dtype: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.dtype = dtype
        self.net = Net()

    def between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pick(self, items: Sequence[Any]) -> Any:
        return items[self.between(0, len(items) - 1)]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def image(self, largest: int = 12, depth: int = 40) -> Shape:
        return (1, self.between(1, largest), self.between(1, largest), self.between(1, depth))

    def any_shape(self) -> Shape:
        return self.pick([self.image(), self.image(), self.image()[1:], self.image()[2:]])

    def quantization(self) -> tuple[float, int]:
        if self.dtype == "int16":
            return float(self.rng.uniform(0.00005, 0.0008)), 0
        if self.dtype == "int32":
            return float(self.rng.uniform(0.00005, 0.0008)), 0
        zero = self.between(-40, 40) + (128 if self.dtype == "uint8" else 0)
        return float(self.rng.uniform(0.01, 0.12)), zero

    def input(self, shape: Shape, at: tuple[float, int] | None = None) -> int:
        return self.net.input(shape, *(at or self.quantization()), dtype=self.dtype)

    def output(self, shape: Shape, at: tuple[float, int] | None = None, dtype: str = "") -> int:
        return self.net.output(shape, *(at or self.quantization()), dtype=dtype or self.dtype)

    def bare(self, shape: Shape) -> int:
        """An input without scale and zero point: integers that are what they are."""
        return self.net.input(shape, dtype=self.dtype)

    def bare_output(self, shape: Shape) -> int:
        return self.net.output(shape, dtype=self.dtype)

    def numbers(self, values: Any) -> int:
        data = np.array(values, dtype=np.int32)
        return self.net.tensor(data.shape, dtype="int32", data=data)

    def constant(self, shape: Shape, at: tuple[float, int] | None = None) -> int:
        info = np.iinfo(self.dtype if self.dtype != "int32" else "int16")
        data = self.rng.integers(info.min, info.max + 1, shape)
        return self.net.tensor(shape, *(at or self.quantization()), dtype=self.dtype, data=data)

    def weights(self, shape: Shape, scales: Sequence[float], *, axis: int = 0) -> int:
        """Random weights; of unsigned networks they are unsigned, with one scale."""
        data = self.rng.integers(-127, 128, shape)
        if self.dtype != "uint8":
            return self.net.tensor(shape, scales, dtype="int8", data=data, axis=axis)
        return self.net.tensor(shape, scales[0], 128, dtype="uint8", data=data + 128)

    def bias(self, count: int, scales: Sequence[float]) -> int:
        wide = "int64" if self.dtype == "int16" else "int32"
        data = self.rng.integers(-3000, 3000, count)
        kept = scales[0] if self.dtype == "uint8" else scales
        return self.net.tensor([count], kept, dtype=wide, data=data)

    @property
    def unit(self) -> tuple[float, int]:
        """What probabilities are kept in."""
        if self.dtype == "int8":
            return 1 / 256, -128
        return (1 / 256, 0) if self.dtype == "uint8" else (1 / 32768, 0)


Drawing = Callable[[Draw], None]


def _unary(kind: str, options: Any = None, *, source: Any = None, target: Any = None) -> Drawing:
    def draw(d: Draw) -> None:
        shape = d.any_shape()
        x = d.input(shape, source(d) if source else None)
        d.net.op(kind, [x], [d.output(shape, target(d) if target else None)], options)

    return draw


def _same(kind: str, options: Any = None) -> Drawing:
    """Output quantized as the input."""

    def draw(d: Draw) -> None:
        shape, at = d.any_shape(), d.quantization()
        d.net.op(kind, [d.input(shape, at)], [d.output(shape, at)], options)

    return draw


def _tanh_unit(d: Draw) -> tuple[float, int]:
    return {"int16": (1 / 32768, 0), "uint8": (1 / 128, 128)}.get(d.dtype, (1 / 128, 0))


def _curve_source(d: Draw) -> tuple[float, int]:
    if d.dtype == "int16":
        return d.pick([1 / 4096, 1 / 8192, float(d.rng.uniform(0.00005, 0.001))]), 0
    return d.quantization()


def _positive(d: Draw) -> tuple[float, int]:
    """A quantization without negative values."""
    low = -128 if d.dtype == "int8" else 0
    return d.quantization()[0], low


def _binary(kind: str, options: Any, *, same: bool = False, fused: bool = False) -> Drawing:
    def draw(d: Draw) -> None:
        shape, at = d.any_shape(), d.quantization()
        second: Shape = shape
        if d.chance(0.4):
            second = tuple(1 if d.chance(0.5) else n for n in shape)
        if d.dtype == "int32" and d.chance(0.5):
            d.net.op(kind, [d.bare(shape), d.bare(second)], [d.bare_output(shape)], options())
            return
        x = d.input(shape, at)
        make = d.constant if d.chance(0.3) else d.input
        y = make(second, at if same else None)
        sources = [y, x] if d.chance(0.3) else [x, y]
        made = options()
        if fused:
            made.fusedActivationFunction = d.pick([NONE, NONE, RELU, RELU6])
        if kind in ("ADD", "SUB"):
            made.potScaleInt16 = False
        d.net.op(kind, sources, [d.output(shape, at if same else None)], made)

    return draw


def _conv(d: Draw, *, depthwise: bool = False) -> None:
    _, height, width, depth = shape = d.image()
    kernel = (d.between(1, min(9, height)), d.between(1, min(9, width)))
    stride = (d.between(1, 3), d.between(1, 3))
    dilation = (1, 1)
    padding = d.pick([SAME, VALID])
    if stride == (1, 1) and d.chance(0.5):
        dilation = (d.between(1, 3), d.between(1, 3))
        if any((k - 1) * s + 1 > n for k, s, n in zip(kernel, dilation, shape[1:3], strict=True)):
            dilation = (1, 1)
    groups = 1
    if depthwise:
        multiplier = d.between(2, 9) if depth == 1 or d.chance(0.2) else 1
        filters = depth * multiplier
    else:
        filters = d.between(1, 40)
    out = tuple(
        extent(n, k, s, g, padding)
        for n, k, s, g in zip((height, width), kernel, stride, dilation, strict=True)
    )
    scale, zero = d.quantization()
    target = d.quantization()
    taps = kernel[0] * kernel[1] * (1 if depthwise else depth)
    largest = 30000 * 120 if d.dtype == "int16" else 120 * 70
    span = 32000 if d.dtype == "int16" else 120
    scales = scales_of(d.rng, filters, span * target[0] / (scale * largest * np.sqrt(taps)))
    weights = (1, *kernel, filters) if depthwise else (filters, *kernel, depth // groups)
    x = d.input(shape, (scale, zero))
    w = d.weights(weights, scales, axis=3 if depthwise else 0)
    sources = [x, w]
    # LiteRT takes no unsigned CONV_2D without a bias.
    if d.chance(0.8) or (d.dtype == "uint8" and not depthwise):
        sources.append(d.bias(filters, [s * scale for s in scales]))
    options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
    filled(
        options,
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=d.pick([NONE, RELU, RELU6]),
    )
    if depthwise:
        options.depthMultiplier = filters // depth
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    d.net.op(kind, sources, [d.output((1, *out, filters), target)], options)


def _depthwise(d: Draw) -> None:
    _conv(d, depthwise=True)


def _transpose_conv(d: Draw) -> None:
    _, height, width, depth = shape = d.image(8, 20)
    kernel = (d.between(1, 4), d.between(1, 4))
    stride = d.pick([(1, 1), (2, 2), (2, 2), (2, 2)])
    padding = d.pick([SAME, VALID])
    if padding == SAME:
        out = (height * stride[0], width * stride[1])
    else:
        out = (
            height * stride[0] + max(kernel[0] - stride[0], 0),
            width * stride[1] + max(kernel[1] - stride[1], 0),
        )
    filters = d.between(1, 12)
    scale, zero = d.quantization()
    target = d.quantization()
    taps = kernel[0] * kernel[1] * depth
    largest = 30000 * 120 if d.dtype == "int16" else 120 * 70
    span = 32000 if d.dtype == "int16" else 120
    scales = scales_of(d.rng, filters, span * target[0] / (scale * largest * np.sqrt(taps)))
    weights = (filters, *kernel, depth)
    w = d.weights(weights, scales)
    sources = [d.numbers((1, *out, filters)), w, d.input(shape, (scale, zero))]
    if d.chance(0.5):
        sources.append(d.bias(filters, [s * scale for s in scales]))
    options = filled(
        schema.TransposeConvOptionsT(), padding=padding, strideH=stride[0], strideW=stride[1]
    )
    d.net.op("TRANSPOSE_CONV", sources, [d.output((1, *out, filters), target)], options)


def _dense(d: Draw) -> None:
    depth, units = d.between(1, 300), d.between(1, 60)
    rows = d.pick([1, 1, 1, 4])
    scale, zero = d.quantization()
    target = d.quantization()
    largest = 30000 * 120 if d.dtype == "int16" else 120 * 70
    span = 32000 if d.dtype == "int16" else 120
    size = float(span * target[0] / (scale * largest * np.sqrt(depth)))
    scales = scales_of(d.rng, units, size) if d.chance(0.2) else [size]
    x = d.input((rows, depth), (scale, zero))
    w = d.weights((units, depth), scales)
    sources = [x, w, d.bias(units, [s * scale for s in scales]) if d.chance(0.8) else -1]
    options = filled(schema.FullyConnectedOptionsT(), fusedActivationFunction=d.pick([NONE, RELU]))
    d.net.op("FULLY_CONNECTED", sources, [d.output((rows, units), target)], options)


def _pool(kind: str) -> Drawing:
    def draw(d: Draw) -> None:
        shape = d.image()
        padding = d.pick([SAME, VALID])
        size = tuple(d.between(1, min(8, n)) for n in shape[1:3])
        stride = (d.between(1, 3), d.between(1, 3))
        if padding == VALID and d.chance(0.2):
            stride = (d.between(3, 6), d.between(3, 6))
        out = tuple(
            extent(n, k, s, 1, padding) for n, k, s in zip(shape[1:3], size, stride, strict=True)
        )
        at = d.quantization()
        options = filled(
            schema.Pool2DOptionsT(), padding=padding, strideH=stride[0], strideW=stride[1],
            filterHeight=size[0], filterWidth=size[1],
            fusedActivationFunction=d.pick([NONE, NONE, RELU, RELU6]),
        )  # fmt: skip
        d.net.op(kind, [d.input(shape, at)], [d.output((1, *out, shape[3]), at)], options)

    return draw


def _concatenation(d: Draw) -> None:
    shape, at = d.any_shape(), d.quantization()
    axis = d.between(0, len(shape) - 1)
    if len(shape) == 4:
        axis = d.between(1, 3)
    count = d.between(2, 4)
    sources, total = [], 0
    for _ in range(count):
        size = d.between(1, 9)
        total += size
        part = (*shape[:axis], size, *shape[axis + 1 :])
        sources.append(d.input(part, at))
    target = (*shape[:axis], total, *shape[axis + 1 :])
    options = filled(schema.ConcatenationOptionsT(), axis=axis, fusedActivationFunction=NONE)
    d.net.op("CONCATENATION", sources, [d.output(target, at)], options)


def _batch_matmul(d: Draw) -> None:
    batch, rows, depth, columns = (
        d.between(1, 3),
        d.between(1, 9),
        d.between(1, 20),
        d.between(1, 9),
    )
    left = (1, batch, depth, rows) if (adj_x := d.chance(0.3)) else (1, batch, rows, depth)
    right = (1, batch, columns, depth) if (adj_y := d.chance(0.3)) else (1, batch, depth, columns)
    at, other = d.quantization(), d.quantization()
    size = float(at[0] * other[0] * np.sqrt(depth) * 40)
    sources = [d.input(left, at), d.input(right, other)]
    target = d.output((1, batch, rows, columns), (size, d.quantization()[1]))
    options = filled(schema.BatchMatMulOptionsT(), adjX=adj_x, adjY=adj_y)
    d.net.op("BATCH_MATMUL", sources, [target], options)


def _mean(d: Draw, kind: str = "MEAN") -> None:
    shape = d.image()
    axes = d.pick([[1, 2], [1, 2], [1], [2], [3], [1, 2, 3]])
    if kind != "MEAN":
        axes = d.pick([[1], [2], [3]])
    keep = d.chance(0.7)
    out = tuple(1 if i in axes else n for i, n in enumerate(shape))
    if not keep:
        out = tuple(n for i, n in enumerate(shape) if i not in axes)
    x = d.quantization()
    y = d.quantization()
    if kind == "SUM":
        y = (float(x[0] * np.sqrt(shape[axes[0]])), y[1])
    if kind.startswith("REDUCE"):
        y = x
    options = filled(schema.ReducerOptionsT(), keepDims=keep)
    if kind == "SUM" and d.dtype == "int32" and d.chance(0.5):
        d.net.op(kind, [d.bare(shape), d.numbers(axes)], [d.bare_output(out)], options)
        return
    d.net.op(kind, [d.input(shape, x), d.numbers(axes)], [d.output(out, y)], options)


def _reduction(kind: str) -> Drawing:
    return lambda d: _mean(d, kind)


def _arg_max(d: Draw) -> None:
    shape = d.image(8, 60)
    target = d.net.output(shape[:3], dtype=d.pick(["int32", "int64"]))
    options = filled(
        schema.ArgMaxOptionsT(),
        outputType=d.net.graph.tensors[target].type,
    )
    d.net.op("ARG_MAX", [d.input(shape), d.numbers(3)], [target], options)


def _padding(kind: str) -> Drawing:
    def draw(d: Draw) -> None:
        shape, at = d.image(), d.quantization()
        limit = [0, *(min(4, n - 1) if kind == "MIRROR_PAD" else 4 for n in shape[1:3]), 0]
        if kind != "MIRROR_PAD" and d.chance(0.3):
            limit[3] = 5
        pads = np.array([[d.between(0, n), d.between(0, n)] for n in limit], dtype=np.int32)
        out = tuple(int(n + sum(p)) for n, p in zip(shape, pads, strict=True))
        sources = [d.input(shape, at), d.numbers(pads)]
        options: Any = schema.PadOptionsT()
        if kind == "MIRROR_PAD":
            options = filled(schema.MirrorPadOptionsT(), mode=d.between(0, 1))
        elif kind == "PADV2":
            options = schema.PadV2OptionsT()
            value = np.array([d.between(0, 100)])
            sources.append(d.net.tensor([1], *at, dtype=d.dtype, data=value))
        d.net.op(kind, sources, [d.output(out, at)], options)

    return draw


def _pack(d: Draw) -> None:
    shape, at = d.image(8, 12)[1:], d.quantization()
    count, axis = d.between(2, 4), d.between(0, 3)
    sources = [d.input(shape, at) for _ in range(count)]
    target = d.output((*shape[:axis], count, *shape[axis:]), at)
    options = filled(schema.PackOptionsT(), valuesCount=count, axis=axis)
    d.net.op("PACK", sources, [target], options)


def _unpack(d: Draw) -> None:
    at = d.quantization()
    shape = (d.between(1, 4), d.between(1, 6), d.between(1, 6), d.between(1, 6))
    axis = d.between(0, 3)
    rest = (*shape[:axis], *shape[axis + 1 :])
    targets = [d.output(rest, at) for _ in range(shape[axis])]
    options = filled(schema.UnpackOptionsT(), num=shape[axis], axis=axis)
    d.net.op("UNPACK", [d.input(shape, at)], targets, options)


def _prelu(d: Draw) -> None:
    shape = d.image()
    slopes = (1, 1, shape[3])
    data = d.rng.integers(-100, 100, slopes)
    zero = d.between(-5, 5) if d.dtype == "int8" else (3 if d.dtype == "uint8" else 0)
    if d.dtype == "uint8":
        data = data + 100
    alpha = d.net.tensor(slopes, 0.008, zero, dtype=d.dtype, data=data)
    d.net.op("PRELU", [d.input(shape), alpha], [d.output(shape)])


def _resize(kind: str, make: Any) -> Drawing:
    def draw(d: Draw) -> None:
        _, height, width, depth = shape = d.image(6, 12)
        factor = d.pick([2, 2, 4, 8])
        corners = d.chance(0.3)
        half = not corners and d.chance(0.3)
        out = [height * factor, width * factor]
        if corners:
            out = [(n - 1) * factor + 1 for n in (height, width)]
        at = d.quantization()
        options = filled(make(), alignCorners=corners, halfPixelCenters=half)
        sources = [d.input(shape, at), d.numbers(out)]
        d.net.op(kind, sources, [d.output((1, *out, depth), at)], options)

    return draw


def _reverse(d: Draw) -> None:
    shape, at = d.image(), d.quantization()
    sources = [d.input(shape, at), d.numbers([d.between(1, 3)])]
    d.net.op("REVERSE_V2", sources, [d.output(shape, at)], schema.ReverseV2OptionsT())


def _moved(kind: str) -> Drawing:
    """RESHAPE, SQUEEZE and EXPAND_DIMS, before an ADD or NEG: alone they move nothing."""

    def draw(d: Draw) -> None:
        height, width, depth = d.image()[1:]
        at = d.quantization()
        if kind == "SQUEEZE":
            shape: Shape = (1, 1, width, depth)
            out: Shape = (width, depth)
        elif kind == "EXPAND_DIMS":
            shape, out = (height, width, depth), (1, height, width, depth)
        else:
            shape, out = (1, height, width, depth), (height, width * depth)
        between = d.net.tensor(out, *at, dtype=d.dtype)
        x = d.input(shape, at)
        if kind == "SQUEEZE":
            options = filled(schema.SqueezeOptionsT(), squeezeDims=[0, 1])
            d.net.op(kind, [x], [between], options)
        elif kind == "EXPAND_DIMS":
            d.net.op(kind, [x, d.numbers(0)], [between], schema.ExpandDimsOptionsT())
        else:
            options = filled(schema.ReshapeOptionsT(), newShape=list(out))
            d.net.op(kind, [x, d.numbers(out)], [between], options)
        if d.dtype == "int32":  # whose ADD knows no scales
            d.net.op("NEG", [between], [d.output(out, at)], schema.NegOptionsT())
            return
        add = filled(schema.AddOptionsT(), potScaleInt16=False)
        d.net.op("ADD", [between, d.constant(out)], [d.output(out)], add)

    return draw


def _slice(d: Draw) -> None:
    shape, at = d.image(), d.quantization()
    begin = [0, *(d.between(0, n - 1) for n in shape[1:])]
    size = [1, *(d.between(1, n - b) for n, b in zip(shape[1:], begin[1:], strict=True))]
    sources = [d.input(shape, at), d.numbers(begin), d.numbers(size)]
    d.net.op("SLICE", sources, [d.output(tuple(size), at)], schema.SliceOptionsT())


def _strided_slice(d: Draw) -> None:
    shape, at = d.image(), d.quantization()
    begin = [0, *(d.between(0, n - 1) for n in shape[1:])]
    end = [1, *(d.between(b + 1, n) for n, b in zip(shape[1:], begin[1:], strict=True))]
    step = [1, d.between(1, 3), d.between(1, 3), d.between(1, 2)]
    if d.chance(0.2):  # backwards: Vela leaves it on the CPU
        begin, end, step = [0, shape[1] - 1, 0, 0], [1, 0, *shape[2:]], [1, -1, 1, 1]
        if shape[1] == 1:
            return _slice(d)
    out = tuple(-(-abs(e - b) // abs(s)) for b, e, s in zip(begin, end, step, strict=True))
    sources = [d.input(shape, at), *(d.numbers(v) for v in (begin, end, step))]
    d.net.op("STRIDED_SLICE", sources, [d.output(out, at)], schema.StridedSliceOptionsT())
    return None


def _split(d: Draw) -> None:
    at, count = d.quantization(), d.between(2, 4)
    shape = list(d.image(8, 12))
    axis = d.between(1, 3)
    part = tuple(shape)
    shape[axis] *= count
    targets = [d.output(part, at) for _ in range(count)]
    sources = [d.numbers(axis), d.input(tuple(shape), at)]
    d.net.op("SPLIT", sources, targets, filled(schema.SplitOptionsT(), numSplits=count))


def _split_v(d: Draw) -> None:
    at, shape, axis = d.quantization(), list(d.image(8, 12)), d.between(1, 3)
    sizes = [d.between(1, 6) for _ in range(d.between(2, 4))]
    targets = [d.output((*shape[:axis], n, *shape[axis + 1 :]), at) for n in sizes]
    shape[axis] = sum(sizes)
    sources = [d.input(tuple(shape), at), d.numbers(sizes), d.numbers(axis)]
    d.net.op("SPLIT_V", sources, targets, filled(schema.SplitVOptionsT(), numSplits=len(sizes)))


def _tile(d: Draw) -> None:
    at, shape = d.quantization(), d.image(6, 9)
    times = [1, d.between(1, 3), d.between(1, 3), d.between(1, 3)]
    out = tuple(n * t for n, t in zip(shape, times, strict=True))
    sources = [d.input(shape, at), d.numbers(times)]
    d.net.op("TILE", sources, [d.output(out, at)], schema.TileOptionsT())


def _transpose(d: Draw) -> None:
    at, shape = d.quantization(), d.image()
    order = [0, *(1 + int(n) for n in d.rng.permutation(3))]
    if d.chance(0.3):
        shape = shape[1:]
        order = [int(n) for n in d.rng.permutation(3)]
    out = tuple(shape[axis] for axis in order)
    sources = [d.input(shape, at), d.numbers(order)]
    d.net.op("TRANSPOSE", sources, [d.output(out, at)], schema.TransposeOptionsT())


def _softmax(d: Draw) -> None:
    shape = d.pick([(1, d.between(1, 40)), d.image(6, 20), (d.between(1, 6), d.between(1, 20))])
    options = filled(schema.SoftmaxOptionsT(), beta=1.0)
    at = d.quantization()
    d.net.op("SOFTMAX", [d.input(shape, at)], [d.output(shape, d.unit)], options)


def _leaky(d: Draw) -> None:
    shape = d.any_shape()
    alpha = float(d.pick([0.01, 0.1, 0.3, 0.99]))
    options = filled(schema.LeakyReluOptionsT(), alpha=alpha)
    d.net.op("LEAKY_RELU", [d.input(shape)], [d.output(shape)], options)


def _quantize(d: Draw) -> None:
    shape = d.any_shape()
    target = d.pick(["int8", "uint8", "int16"])
    x = d.input(shape)
    other = Draw(d.between(0, 1 << 30), target).quantization()
    y = d.net.output(shape, *other, dtype=target)
    d.net.op("QUANTIZE", [x], [y], schema.QuantizeOptionsT())


def _relu(kind: str) -> Drawing:
    def draw(d: Draw) -> None:
        shape, at = d.any_shape(), d.quantization()
        y = at if d.chance(0.5) else d.quantization()
        d.net.op(kind, [d.input(shape, at)], [d.output(shape, y)], None)

    return draw


def _lstm(d: Draw) -> None:
    """Inputs and outputs as TFLite Micro takes them: int8 (or int16) with an int16 cell."""
    net, rng = d.net, d.rng
    batch, time = 1, d.between(1, 5)
    features, units = d.between(1, 20), d.between(1, 20)
    major = d.chance(0.3)
    shape = (time, batch, features) if major else (batch, time, features)
    at = d.quantization()
    hidden = (1 / 32768, 0) if d.dtype == "int16" else (1 / 128, d.pick([0, 0, 5, -7]))
    if d.dtype in ("uint8", "int32"):
        hidden = (hidden[0], abs(hidden[1]) if d.dtype == "uint8" else 0)
    x = d.input(shape, at)

    def weights(columns: int) -> int:
        data = rng.integers(-127, 128, (units, columns))
        scale = float(rng.uniform(0.002, 0.02))
        return net.tensor((units, columns), scale, dtype="int8", data=data)

    ws = [weights(features) for _ in range(4)]
    rs = [weights(units) for _ in range(4)]
    biases = []
    for w in ws:
        scale = float(net.graph.tensors[w].quantization.scale[0]) * at[0]
        kind = "int64" if d.dtype == "int16" else "int32"
        data = rng.integers(-2000, 2000, units)
        biases.append(net.tensor([units], scale, dtype=kind, data=data))
    out_state = net.tensor((batch, units), *hidden, dtype=d.dtype)
    cell = net.tensor((batch, units), float(2.0 ** -d.between(9, 13)), 0, dtype="int16")
    for index in (out_state, cell):
        net.graph.tensors[index].isVariable = True
    out = (time, batch, units) if major else (batch, time, units)
    y = d.output(out, hidden)
    sources = [x, *ws, *rs, -1, -1, -1, *biases, -1, -1, out_state, cell, -1, -1, -1, -1]
    options = filled(
        schema.UnidirectionalSequenceLSTMOptionsT(),
        fusedActivationFunction=schema.ActivationFunctionType.TANH,
        cellClip=float(d.pick([0.0, 10.0])),
        projClip=0.0,
        timeMajor=major,
    )
    net.op("UNIDIRECTIONAL_SEQUENCE_LSTM", sources, [y], options)
    gates = [float(2**-12)] * 4
    net.graph.operators[-1].intermediates = [
        *(net.tensor([0], g, 0, dtype="int16") for g in gates),
        net.tensor([0], hidden[0], hidden[1], dtype=d.dtype),
    ]


OPERATORS: dict[str, Drawing] = {
    "ABS": _unary("ABS", schema.AbsOptionsT()),
    "ADD": _binary("ADD", schema.AddOptionsT, fused=True),
    "ARG_MAX": _arg_max,
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": _batch_matmul,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "ELU": _unary("ELU"),
    "EXP": _unary("EXP", schema.ExpOptionsT(), target=_positive),
    "EXPAND_DIMS": _moved("EXPAND_DIMS"),
    "FULLY_CONNECTED": _dense,
    "GELU": _unary("GELU", schema.GeluOptionsT()),
    "HARD_SWISH": _unary("HARD_SWISH", schema.HardSwishOptionsT()),
    "LEAKY_RELU": _leaky,
    "LOG": _unary("LOG", source=_positive),
    "LOGISTIC": _unary("LOGISTIC", source=_curve_source, target=lambda d: d.unit),
    "MAXIMUM": _binary("MAXIMUM", schema.MaximumMinimumOptionsT, same=True),
    "MAX_POOL_2D": _pool("MAX_POOL_2D"),
    "MEAN": _reduction("MEAN"),
    "MINIMUM": _binary("MINIMUM", schema.MaximumMinimumOptionsT, same=True),
    "MIRROR_PAD": _padding("MIRROR_PAD"),
    "MUL": _binary("MUL", schema.MulOptionsT, fused=True),
    "NEG": _same("NEG", schema.NegOptionsT()),
    "PACK": _pack,
    "PAD": _padding("PAD"),
    "PADV2": _padding("PADV2"),
    "PRELU": _prelu,
    "QUANTIZE": _quantize,
    "REDUCE_MAX": _reduction("REDUCE_MAX"),
    "REDUCE_MIN": _reduction("REDUCE_MIN"),
    "RELU": _relu("RELU"),
    "RELU6": _relu("RELU6"),
    "RELU_0_TO_1": _relu("RELU_0_TO_1"),
    "RELU_N1_TO_1": _relu("RELU_N1_TO_1"),
    "RESHAPE": _moved("RESHAPE"),
    "RESIZE_BILINEAR": _resize("RESIZE_BILINEAR", schema.ResizeBilinearOptionsT),
    "RESIZE_NEAREST_NEIGHBOR": _resize(
        "RESIZE_NEAREST_NEIGHBOR", schema.ResizeNearestNeighborOptionsT
    ),
    "REVERSE_V2": _reverse,
    "RSQRT": _unary("RSQRT", source=_positive, target=_positive),
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUARED_DIFFERENCE": _binary("SQUARED_DIFFERENCE", schema.SquaredDifferenceOptionsT),
    "SQUEEZE": _moved("SQUEEZE"),
    "STRIDED_SLICE": _strided_slice,
    "SUB": _binary("SUB", schema.SubOptionsT, fused=True),
    "SUM": _reduction("SUM"),
    "TANH": _unary("TANH", source=_curve_source, target=_tanh_unit),
    "TILE": _tile,
    "TRANSPOSE": _transpose,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "UNPACK": _unpack,
}


def operator_network(kind: str, dtype: str, seed: int) -> bytes:
    """The network that ``seed`` draws for an operator."""
    d = Draw(seed, dtype)
    OPERATORS[kind](d)
    return d.net.bytes()
