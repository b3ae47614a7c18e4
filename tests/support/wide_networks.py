"""Networks of one operator on int16, from random shapes and scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from support.networks import Network, Rng, act, const, one
from support.tflite_writer import Field, ModelSpec, OpSpec, TensorSpec, write_model

_ACTIVATIONS = (0, 1, 3, 2)  # none, RELU, RELU6, RELU_N1_TO_1


def wide(shape: Any, scale: float) -> TensorSpec:
    """An int16 activation."""
    return act(shape, "int16", scale=scale)


def step(rng: Rng, low: float = -15, high: float = -9) -> float:
    """A scale of int16 codes."""
    return float(2.0 ** rng.uniform(low, high))


def weights(
    rng: Rng, shape: tuple[int, ...], axis: int | None, *, full: bool = False
) -> TensorSpec:
    """int8 weights; ``full``: of the largest size, so that sums need more than 32 bits."""
    codes = rng.integers(-127, 128, shape) if not full else np.full(shape, 127)
    count = 1 if axis is None else shape[axis]
    return TensorSpec(
        shape=shape,
        data=codes.astype(np.int8).tobytes(),
        scales=[float(2.0 ** rng.uniform(-9, -5)) for _ in range(count)],
        zero_points=(0,) * count,
        axis=axis or 0,
        name="w",
    )


def bias(rng: Rng, count: int, dtype: str = "int64") -> TensorSpec:
    """A bias of about what one input adds."""
    limit = 30_000 if dtype == "int16" else 3_000_000
    return const(rng.integers(-limit, limit, count), dtype)


def _fitting(source: TensorSpec, filters: TensorSpec, taps: int) -> float:
    """An output scale at which random sums neither vanish nor all saturate."""
    assert source.scales is not None
    assert filters.scales is not None
    return float(source.scales[0] * max(filters.scales) * 73 * 19000 * taps**0.5 / 32768 * 2)


def layers(rng: Rng) -> Iterator[Network]:
    """Convolution, depthwise, dense and transposed: every type of bias, sums of both widths."""
    number = 0
    for in_c, out_c, kernel, groups in (
        (5, 7, (3, 2), 1), (8, 4, (1, 1), 1), (6, 9, (3, 3), 3), (64, 3, (3, 3), 1),
    ):  # fmt: skip
        for kind in ("int64", "int32", None):
            stride, dilation = ((1, 2), (1, 1)) if number % 2 else ((1, 1), (2, 1))
            source = wide((2, 8, 7, in_c), step(rng))
            full = kind == "int64" and in_c == 64
            filters = weights(rng, (out_c, *kernel, in_c // groups), 0, full=full)
            padding = number % 2
            size = [
                -(-length // by) if padding == 0 else (length - (reach - 1) * apart - 1) // by + 1
                for length, by, reach, apart in zip((8, 7), stride, kernel, dilation, strict=True)
            ]
            taps = kernel[0] * kernel[1] * in_c // groups
            out = wide((2, *size, out_c), _fitting(source, filters, taps))
            inputs = [source, filters, *([bias(rng, out_c, kind)] if kind else [])]
            options: dict[int, Field] = {
                0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0]),
                3: ("b", _ACTIVATIONS[number % 4]), 4: ("i", dilation[1]), 5: ("i", dilation[0]),
            }  # fmt: skip
            if kind is None and number % 2:
                options[6] = ("b", 2)  # no bias, but sums as one of int32 would have them
            yield f"wide_conv_{number}", one("CONV_2D", inputs, [out], options)
            number += 1
    for number, (channels, multiplier, kernel) in enumerate(
        ((5, 1, (3, 3)), (4, 2, (2, 3)), (1, 6, (5, 1)), (8, 1, (32, 20)))
    ):
        source = wide((1, 9, 8, channels), step(rng))
        out_c = channels * multiplier
        filters = weights(rng, (1, *kernel, out_c), 3, full=number == 3)
        stride, dilation = ((2, 1), (1, 1)) if number % 2 else ((1, 1), (2, 2))
        size = [-(-length // by) for length, by in zip((9, 8), stride, strict=True)]
        out = wide((1, *size, out_c), _fitting(source, filters, kernel[0] * kernel[1]))
        inputs = [source, filters, *([bias(rng, out_c)] if number else [])]
        options = {
            0: ("b", 0), 1: ("i", stride[1]), 2: ("i", stride[0]), 3: ("i", multiplier),
            4: ("b", _ACTIVATIONS[number]), 5: ("i", dilation[1]), 6: ("i", dilation[0]),
        }  # fmt: skip
        yield f"wide_depthwise_{number}", one("DEPTHWISE_CONV_2D", inputs, [out], options)
    for number, (rows, depth, outputs) in enumerate(((3, 17, 5), (1, 64, 9), (2, 800, 3))):
        for each in (None, 0):
            kind = ("int64", "int32", None)[(number + (each is None)) % 3]
            source = wide((rows, depth), step(rng))
            filters = weights(rng, (outputs, depth), each, full=depth == 800 and kind != "int32")
            out = wide((rows, outputs), _fitting(source, filters, depth))
            inputs = [source, filters, *([bias(rng, outputs, kind)] if kind else [])]
            options = {0: ("b", _ACTIVATIONS[number]), 1: ("b", 0)}
            if kind is None and number == 1:
                options[4] = ("b", 2)
            name = f"wide_dense_{number}_{'each' if each == 0 else 'whole'}"
            yield name, one("FULLY_CONNECTED", inputs, [out], options)
    for number, (kernel, stride, padding) in enumerate(
        (((2, 4), (2, 2), 0), ((3, 2), (1, 3), 1), ((3, 3), (2, 1), 1), ((1, 2), (3, 3), 0))
    ):
        size = [
            length * by if padding == 0 else (length - 1) * by + reach
            for length, by, reach in zip((3, 4), stride, kernel, strict=True)
        ]
        source, filters = wide((2, 3, 4, 5), step(rng)), weights(rng, (6, *kernel, 5), 0)
        out = wide((2, *size, 6), _fitting(source, filters, 5 * kernel[0] * kernel[1]))
        inputs = [const(out.shape), filters, source]
        if number != 1:
            inputs.append(bias(rng, 6, "int16" if number == 2 else "int64"))
        options = {0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0])}
        yield f"wide_transpose_conv_{number}", one("TRANSPOSE_CONV", inputs, [out], options)
    for number, (left, right, product) in enumerate(
        (((4, 5), (5, 3), (4, 3)), ((1, 3, 4, 6), (2, 1, 6, 2), (2, 3, 4, 2)))
    ):
        for turn in range(4):
            a = left if turn < 2 else (*left[:-2], left[-1], left[-2])
            b = right if turn % 2 == 0 else (*right[:-2], right[-1], right[-2])
            scales = step(rng), step(rng)
            out = wide(product, scales[0] * scales[1] * 19000 * left[-1])
            options = {0: ("B", turn // 2), 1: ("B", turn % 2)}
            inputs = [wide(a, scales[0]), wide(b, scales[1])]
            yield f"wide_matmul_{number}_{turn}", one("BATCH_MATMUL", inputs, [out], options)


_SHAPES = (((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((1, 3, 1), (2, 1, 4)), ((2, 3, 4), ()))


def elements(rng: Rng) -> Iterator[Network]:
    """Two inputs with broadcasting, and functions of one."""
    for number, (a, b) in enumerate(_SHAPES):
        for again in range(2):
            for kind in ("ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"):
                first, second = wide(a, step(rng)), wide(b, step(rng))
                if number == 1 and again:
                    second = replace(
                        second, data=rng.integers(-32768, 32768, b).astype(np.int16).tobytes()
                    )
                assert first.scales is not None
                assert second.scales is not None
                scales = first.scales[0], second.scales[0]
                out = {
                    "ADD": max(scales) * rng.uniform(0.7, 2),
                    "SUB": max(scales) * rng.uniform(0.7, 2),
                    "MUL": scales[0] * scales[1] * 2.0 ** rng.uniform(12, 15),
                    "SQUARED_DIFFERENCE": max(scales) ** 2 * 2.0 ** rng.uniform(13, 16),
                }[kind]
                options: dict[int, Field] = {0: ("b", _ACTIVATIONS[(number + again) % 4])}
                yield (
                    f"wide_{kind.lower()}_{number}_{again}",
                    one(kind, [first, second], [wide((2, 3, 4), float(out))],
                        None if kind == "SQUARED_DIFFERENCE" else options),
                )  # fmt: skip
        if number == 0:
            # A state that is always zero: its product underflows, and so may the product's scale.
            zero = replace(wide(a, 0.0), data=bytes(48))
            nothing, state = wide(a, 3.6e-43), wide(a, step(rng))
            yield "wide_mul_nothing", one("MUL", [state, zero], [nothing], {0: ("b", 0)})
            yield "wide_add_nothing", one("ADD", [nothing, state], [state], {0: ("b", 0)})
        scale = step(rng)
        for kind in ("MINIMUM", "MAXIMUM"):
            inputs = [wide(a, scale), wide(b, scale)]
            yield f"wide_{kind.lower()}_{number}", one(kind, inputs, [wide((2, 3, 4), scale)])
    for number in range(4):
        many = (3, 700)
        source = wide(many, step(rng) * (4 if number == 3 else 1))
        assert source.scales is not None
        target = wide(many, source.scales[0] * float(rng.uniform(0.6, 3)))
        same = wide(many, source.scales[0])
        yield f"wide_relu_{number}", one("RELU", [source], [target])
        yield f"wide_relu6_{number}", one("RELU6", [same], [same])
        slope: dict[int, Field] = {0: ("f", (0.1, 0.0, 1.5, 0.3)[number])}
        yield f"wide_leaky_{number}", one("LEAKY_RELU", [source], [target], slope)
        yield f"wide_abs_{number}", one("ABS", [source], [same if number == 2 else target])
        slopes = const(rng.integers(-128, 128, (6,)), "int8", scale=0.01)
        slopes = replace(slopes, zero_points=(number,))
        yield (
            f"wide_prelu_{number}",
            one("PRELU", [wide((1, 4, 5, 6), 0.001), slopes], [wide((1, 4, 5, 6), 0.0013)]),
        )
    for number, scale in enumerate((2.0**-12, 2.0**-11, 2.0**-13, 0.001, 7e-5, 0.9)):
        for kind in ("LOGISTIC", "TANH"):
            source, out = wide((64, 64), scale), wide((64, 64), 2.0**-15)
            yield f"wide_{kind.lower()}_{number}", one(kind, [source], [out])
    for number, (beta, scale) in enumerate(
        ((1.0, 2.0**-11), (1.0, 3e-4), (2.5, 1e-3), (1.0, 2e-5))
    ):
        for depth in (3, 10, 90):
            source, out = wide((12, depth), scale), wide((12, depth), 2.0**-15)
            options = {0: ("f", beta)}
            yield f"wide_softmax_{number}_{depth}", one("SOFTMAX", [source], [out], options)


def reductions(rng: Rng) -> Iterator[Network]:
    """Pooling, means, sums and what only moves values."""
    scale = step(rng)
    for number, (window, stride, padding) in enumerate(
        (((2, 2), (2, 2), 1), ((3, 2), (1, 2), 0), ((6, 5), (1, 1), 1))
    ):
        size = [
            -(-length // by) if padding == 0 else (length - reach) // by + 1
            for length, by, reach in zip((6, 5), stride, window, strict=True)
        ]
        options: dict[int, Field] = {
            0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0]), 3: ("i", window[1]),
            4: ("i", window[0]), 5: ("b", _ACTIVATIONS[number]),
        }  # fmt: skip
        for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
            inputs, out = [wide((2, 6, 5, 3), scale)], wide((2, *size, 3), scale)
            yield f"wide_{kind.lower()}_{number}", one(kind, inputs, [out], options)
    for number, axes in enumerate(((1, 2), (3,), (0, 2), (-1, 1))):
        left = [n for axis, n in enumerate((2, 3, 4, 5)) if axis not in {a % 4 for a in axes}]
        source = wide((2, 3, 4, 5), scale)
        options = {0: ("B", 0)}
        yield (
            f"wide_mean_{number}",
            one("MEAN", [source, const(axes)], [wide(left, scale * 0.7)], options),
        )
        yield (
            f"wide_sum_{number}",
            one("SUM", [source, const(axes)], [wide(left, scale * 6)], options),
        )
    for align, half in ((0, 0), (1, 0), (0, 1)):
        yield (
            f"wide_resize_nearest_{align}_{half}",
            one("RESIZE_NEAREST_NEIGHBOR", [wide((2, 4, 5, 3), scale), const((7, 9))],
                [wide((2, 7, 9, 3), scale)], {0: ("B", align), 1: ("B", half)}),
        )  # fmt: skip
    yield (
        "wide_reshape",
        one("RESHAPE", [wide((2, 6), scale), const((3, 4))], [wide((3, 4), scale)]),
    )


def recurrences(rng: Rng) -> Iterator[Network]:
    """LSTM: two batches with the time outside or inside, with and without a clip of the cell."""
    for time_major, clip, power in ((0, 0.0, -11), (1, 10.0, -12), (0, 3.0, -15)):
        depth, units, batches, steps = 5, 7, 2, 3
        first, second = (steps, batches) if time_major else (batches, steps)
        kept: dict[int, Field] = {5: ("B", 1)}
        tensors = [wide((first, second, depth), step(rng, -13, -10))]
        tensors += [
            replace(weights(rng, (units, width), None), scales=(float(rng.uniform(0.002, 0.02)),))
            for width in (*(depth,) * 4, *(units,) * 4)
        ]
        tensors += [bias(rng, units) for _ in range(4)]
        tensors += [replace(wide((batches, units), 2.0**-15), extra=kept)]
        tensors += [replace(wide((batches, units), 2.0**power), extra=kept)]
        tensors += [wide((first, second, units), 2.0**-15)]
        none = (-1, -1)
        op = OpSpec(
            kind="UNIDIRECTIONAL_SEQUENCE_LSTM",
            inputs=(*range(9), *none, -1, *range(9, 13), *none, 13, 14, *none, *none),
            outputs=(15,),
            options={0: ("b", 4), 1: ("f", clip), 3: ("B", time_major)},
        )
        spec = ModelSpec(tensors=tensors, ops=(op,), inputs=(0,), outputs=(15,))
        yield f"wide_lstm_{time_major}_{power}", write_model(spec)


FAMILIES = (layers, elements, reductions, recurrences)
