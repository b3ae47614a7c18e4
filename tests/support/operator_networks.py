"""Small networks of one or few operators, made from random shapes and scales: what the kernels are
held to TensorFlow Lite Micro on, beside the files of tests/data/ops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from support import wide_networks
from support.networks import Network, Rng, act, const, one, quant
from support.tflite_writer import Field, ModelSpec, OpSpec, TensorSpec, write_model


def networks() -> dict[str, bytes]:
    """Name to model; the same ones every time."""
    made: dict[str, bytes] = {}
    for number, family in enumerate(_FAMILIES):
        for name, data in family(np.random.default_rng(1000 + number)):
            assert name not in made, name
            made[name] = data
    return made


def _state(rng: Rng) -> Iterator[Network]:
    """A buffer of the last rows, with a first value, without one, and with a zero point."""
    for name, first, zero in (("first", True, 0), ("zero_point", False, -7), ("empty", False, 0)):
        row, rows = act((1, 1, 4), zero=zero), act((1, 3, 4), zero=zero)
        handle = TensorSpec(shape=(), dtype="resource", scales=None, name="h")
        window = replace(rows, shape=(1, 4, 4))
        options: dict[int, Field] = {0: ("s", "box"), 1: ("s", "state")}
        ops = [
            OpSpec(kind="VAR_HANDLE", inputs=(), outputs=(2,), options=options),
            OpSpec(kind="READ_VARIABLE", inputs=(2,), outputs=(3,)),
            OpSpec(kind="CONCATENATION", inputs=(3, 0), outputs=(4,), options={0: ("i", 1)}),
            OpSpec(kind="SPLIT_V", inputs=(4, 5, 6), outputs=(7, 8), options={0: ("i", 2)}),
            OpSpec(kind="ASSIGN_VARIABLE", inputs=(2, 8), outputs=()),
        ]
        tensors = (
            row, rows, handle, rows, window, const((1, 3)), const(np.int32(1)), row, rows,
        )  # fmt: skip
        others: tuple[ModelSpec, ...] = ()
        if first:
            ops.insert(0, OpSpec(kind="CALL_ONCE", inputs=(), outputs=(), options={0: ("i", 1)}))
            value = rng.integers(-128, 128, 12).astype(np.int8).tobytes()
            start = (
                OpSpec(kind="VAR_HANDLE", inputs=(), outputs=(0,), options=options),
                OpSpec(kind="ASSIGN_VARIABLE", inputs=(0, 1), outputs=()),
            )
            held = (handle, replace(rows, data=value))
            others = (ModelSpec(tensors=held, ops=start, inputs=(), outputs=()),)
        yield (
            f"state_{name}",
            write_model(
                ModelSpec(tensors=tensors, ops=ops, inputs=(0,), outputs=(4, 7), others=others)
            ),
        )


def _rearranged(rng: Rng) -> Iterator[Network]:
    for dtype in ("int8", "int16", "int32"):
        shape = (*(int(n) for n in rng.integers(2, 6, 3)), 6)
        source = act(shape, dtype)
        for axis in (3, -1, 1):
            sizes = [shape[axis] - 1, 1]
            parts = [replace(source, shape=_put(shape, axis, size)) for size in sizes]
            yield (
                f"split_v_{dtype}_{axis % 4}_{axis < 0}",
                one("SPLIT_V", [source, const(sizes), const(np.int32(axis))], parts,
                    {0: ("i", 2)}),
            )  # fmt: skip
        half = replace(source, shape=_put(shape, 3, 2))
        yield (
            f"split_{dtype}",
            one("SPLIT", [const(np.int32(3)), source], [half] * 3, {0: ("i", 3)}),
        )
        slab = replace(source, shape=shape[:1] + shape[2:])
        options: dict[int, Field] = {0: ("i", shape[1]), 1: ("i", 1)}
        if dtype != "int16":
            yield f"unpack_{dtype}", one("UNPACK", [source], [slab] * shape[1], options)
            yield f"pack_{dtype}", one("PACK", [slab] * shape[1], [source], options)
        size = (-1, 1, *(n - 1 for n in shape[2:]))
        cut = (shape[0], 1, *size[2:])
        yield (
            f"slice_{dtype}",
            one("SLICE", [source, const((0, 1, 1, 1)), const(size)], [replace(source, shape=cut)]),
        )
    source = act((2, 5, 3))
    for name, indices in (("known", const((4, 0, 0, 2))), ("column", const((1,)))):
        count = indices.shape[0]
        yield (
            f"gather_{name}",
            one("GATHER", [source, indices], [act((2, count, 3))], {0: ("i", 1)}),
        )
    for mode, name in ((0, "reflect"), (1, "symmetric")):
        yield (
            f"mirror_pad_{name}",
            one("MIRROR_PAD", [act((1, 4, 5, 2)), const(((0, 0), (2, 1), (3, 0), (0, 1)))],
                [act((1, 7, 8, 3))], {0: ("b", mode)}),
        )  # fmt: skip
    yield (
        "depth_to_space",
        one("DEPTH_TO_SPACE", [act((2, 3, 2, 12))], [act((2, 6, 4, 3))], {0: ("i", 2)}),
    )
    yield (
        "space_to_depth",
        one("SPACE_TO_DEPTH", [act((2, 6, 4, 3))], [act((2, 3, 2, 12))], {0: ("i", 2)}),
    )
    yield (
        "broadcast_to",
        one("BROADCAST_TO", [act((3, 1, 2)), const((2, 3, 4, 2))], [act((2, 3, 4, 2))]),
    )
    yield "reverse", one("REVERSE_V2", [act((2, 3, 4)), const((1,))], [act((2, 3, 4))])


def _weights(rng: Rng, rows: int, columns: int) -> TensorSpec:
    codes = rng.integers(-127, 128, (rows, columns))
    return const(codes, "int8", scale=float(rng.uniform(0.002, 0.02)))


def _lstm(rng: Rng) -> Iterator[Network]:
    """Two batches with the time outside or inside, with and without a clip of the cell."""
    for time_major, clip, power in ((0, 0.0, -11), (1, 10.0, -12), (0, 3.0, -15)):
        depth, units, batches, steps = 5, 7, 2, 3
        first, second = (steps, batches) if time_major else (batches, steps)
        given, out = quant(rng), {"scale": 1 / 128, "zero": int(rng.integers(-9, 9))}

        inputs: list[TensorSpec | None] = [act((first, second, depth), **given)]
        inputs += [_weights(rng, units, depth) for _ in range(4)]
        inputs += [_weights(rng, units, units) for _ in range(4)]
        inputs += [None] * 3
        inputs += [const(rng.integers(-3000, 3000, units)) for _ in range(4)]
        inputs += [None] * 2
        inputs += [
            replace(act((batches, units), **out), extra={5: ("B", 1)}),
            replace(act((batches, units), "int16", scale=2.0**power), extra={5: ("B", 1)}),
        ]
        inputs += [None] * 4
        tensors = [tensor for tensor in inputs if tensor is not None]
        indices = []
        for tensor in inputs:
            indices.append(-1 if tensor is None else sum(index >= 0 for index in indices))
        options: dict[int, Field] = {0: ("b", 4), 1: ("f", clip), 3: ("B", time_major)}
        tensors.append(act((first, second, units), **out))
        made = (len(tensors) - 1,)
        ops = (
            OpSpec(
                kind="UNIDIRECTIONAL_SEQUENCE_LSTM", inputs=indices, outputs=made, options=options
            ),
        )
        spec = ModelSpec(tensors=tensors, ops=ops, inputs=(0,), outputs=made)
        yield f"lstm_{time_major}_{power}", write_model(spec)


def _spatial(rng: Rng) -> Iterator[Network]:
    codes = quant(rng)
    for name, align, half in (("plain", 0, 0), ("align", 1, 0), ("half", 0, 1)):
        for size in ((7, 9), (2, 3), (1, 16)):
            yield (
                f"resize_bilinear_{name}_{size[0]}x{size[1]}",
                one("RESIZE_BILINEAR", [act((2, 4, 5, 3), **codes), const(size)],
                    [act((2, *size, 3), **codes)], {2: ("B", align), 3: ("B", half)}),
            )  # fmt: skip
    small, large = act((12, 3, 2, 3), **codes), act((2, 4, 5, 3), **codes)
    edges, whole = const(((1, 1), (0, 1))), act((2, 6, 6, 3), **codes)
    none = const(((0, 0), (0, 0)))  # with padding the reference's answer varies from run to run
    yield "space_to_batch", one("SPACE_TO_BATCH_ND", [whole, const((2, 3)), none], [small])
    yield "batch_to_space", one("BATCH_TO_SPACE_ND", [small, const((2, 3)), edges], [large])
    for name, shape in (("channels", (1, 1, 6)), ("each", (4, 5, 6))):
        slopes = const(rng.integers(-128, 128, shape), "int8", scale=0.01)
        image = (1, 4, 5, 6) if name == "channels" else (4, 5, 6)
        yield (
            f"prelu_{name}",
            one("PRELU", [act(image, **quant(rng)), slopes], [act(image, **quant(rng))]),
        )


def _known(rng: Rng) -> Iterator[Network]:
    """A shape asked for at run time, and a reshape to what is made of it."""
    del rng
    tensors = (
        act((2, 3, 4)), act((3,), "int32"), const((0,)), const((1,)), const((1,)),
        act((), "int32"), const(np.int32(12)), act((2,), "int32"), act((2, 12)), act((), "int32"),
    )  # fmt: skip
    slice_options: dict[int, Field] = dict.fromkeys(range(4), ("i", 0))
    slice_options[4] = ("i", 1)
    ops = (
        OpSpec(kind="SHAPE", inputs=(0,), outputs=(1,)),
        OpSpec(kind="STRIDED_SLICE", inputs=(1, 2, 3, 4), outputs=(5,), options=slice_options),
        OpSpec(kind="PACK", inputs=(5, 6), outputs=(7,), options={0: ("i", 2), 1: ("i", 0)}),
        OpSpec(kind="RESHAPE", inputs=(0, 7), outputs=(8,)),
    )
    yield (
        "shape_known",
        write_model(ModelSpec(tensors=tensors[:9], ops=ops, inputs=(0,), outputs=(8,))),
    )


def _put(shape: Sequence[int], axis: int, size: int) -> tuple[int, ...]:
    changed = list(shape)
    changed[axis] = size
    return tuple(changed)


def _random_weights(rng: Rng, shape: Sequence[int], *, axis: int | None = None) -> TensorSpec:
    """int8 weights with one scale, or one for each along an axis."""
    count = 1 if axis is None else shape[axis]
    return TensorSpec(
        shape=shape,
        data=rng.integers(-127, 128, tuple(shape)).astype(np.int8).tobytes(),
        scales=[float(2.0 ** rng.uniform(-9, -5)) for _ in range(count)],
        zero_points=(0,) * count,
        axis=axis or 0,
        name="w",
    )


def _random_bias(rng: Rng, count: int) -> TensorSpec:
    return const(rng.integers(-3000, 3000, count))


def _turned(rng: Rng) -> Iterator[Network]:
    """Transposed and grouped convolutions, by channel and as a whole, with and without bias."""
    shapes = ((1, 3, 4, 5, 6), (2, 2, 3, 1, 4), (1, 5, 2, 8, 1))
    for number, (batch, high, wide, depth, channels) in enumerate(shapes):
        for padding, stride in ((0, (2, 2)), (1, (1, 3)), (0, (3, 1))):
            kernel = (3, 2) if number else (2, 4)
            size = [
                length * step if padding == 0 else (length - 1) * step + reach
                for length, step, reach in zip((high, wide), stride, kernel, strict=True)
            ]
            out = act((batch, *size, channels), **quant(rng))
            inputs = [
                const(out.shape), _random_weights(rng, (channels, *kernel, depth), axis=0),
                act((batch, high, wide, depth), **quant(rng)),
            ]  # fmt: skip
            if number != 1:
                inputs.append(_random_bias(rng, channels))
            options: dict[int, Field] = {
                0: ("b", padding), 1: ("i", stride[1]), 2: ("i", stride[0]),
            }  # fmt: skip
            yield (
                f"transpose_conv_{number}_{padding}_{stride[0]}",
                one("TRANSPOSE_CONV", inputs, [out], options),
            )
    for groups, each, out_each in ((2, 3, 1), (3, 2, 4), (6, 1, 1)):
        channels = groups * out_each
        inputs = [
            act((2, 6, 5, groups * each), **quant(rng)),
            _random_weights(rng, (channels, 3, 2, each), axis=0),
            _random_bias(rng, channels),
        ]
        options = {0: ("b", 0), 1: ("i", 2), 2: ("i", 1), 4: ("i", 1), 5: ("i", 1)}
        out = act((2, 6, 3, channels), **quant(rng))
        yield f"grouped_conv_{groups}", one("CONV_2D", inputs, [out], options)


def _matrices(rng: Rng) -> Iterator[Network]:
    cases = (
        ((4, 5), (5, 3), (4, 3)), ((2, 4, 5), (2, 5, 3), (2, 4, 3)),
        ((1, 3, 4, 6), (2, 1, 6, 2), (2, 3, 4, 2)), ((3, 4, 6), (1, 6, 2), (3, 4, 2)),
    )  # fmt: skip
    for number, (left, right, out) in enumerate(cases):
        for turn in range(4):
            a = left if turn < 2 else (*left[:-2], left[-1], left[-2])
            b = right if turn % 2 == 0 else (*right[:-2], right[-1], right[-2])
            options: dict[int, Field] = {0: ("B", turn // 2), 1: ("B", turn % 2)}
            second = act(b, **quant(rng)) if number != 3 else _random_weights(rng, b)
            yield (
                f"batch_matmul_{number}_{turn}",
                one("BATCH_MATMUL", [act(a, **quant(rng)), second], [act(out, **quant(rng))],
                    options),
            )  # fmt: skip


def _filters(rng: Rng) -> Iterator[Network]:
    for kind in ("int16", "int8"):
        for rank, batches in ((1, 1), (2, 3)):
            filters, depth, memory = 6, 5, 4
            limit = 3000 if kind == "int16" else 128
            time = const(rng.integers(-limit, limit, (filters, memory)), kind, scale=2.0**-11)
            state = replace(
                act((batches, filters * memory), kind, scale=2.0**-10,
                    zero=0 if kind == "int16" else 3),
                extra={5: ("B", 1)},
            )  # fmt: skip
            tensors = (
                act((batches, depth), **quant(rng)), _random_weights(rng, (filters, depth)), time,
                _random_bias(rng, filters // rank), state,
                act((batches, filters // rank), **quant(rng)),
            )  # fmt: skip
            op = OpSpec(
                kind="SVDF", inputs=range(5), outputs=(5,),
                options={0: ("i", rank), 1: ("b", 1)},
            )  # fmt: skip
            yield (
                f"svdf_{kind}_{rank}",
                write_model(ModelSpec(tensors=tensors, ops=(op,), inputs=(0,), outputs=(5,))),
            )


def _reduced(rng: Rng) -> Iterator[Network]:
    shape = (2, 3, 4, 5)
    for number, axes in enumerate(((1, 2), (3,), (0, 2), (-1, 1), (0, 1, 2, 3))):
        left = [size for axis, size in enumerate(shape) if axis not in {a % 4 for a in axes}]
        kept = [1 if axis in {a % 4 for a in axes} else size for axis, size in enumerate(shape)]
        keep = number % 2
        out = kept if keep else left
        codes = quant(rng)
        options: dict[int, Field] = {0: ("B", keep)}
        source = act(shape, **codes)
        for kind in ("REDUCE_MAX", "REDUCE_MIN"):
            yield (
                f"{kind.lower()}_{number}",
                one(kind, [source, const(axes)], [act(out, **codes)], options),
            )
        wider = act(out, scale=codes["scale"] * 8, zero=int(rng.integers(-128, 128)))
        yield f"sum_{number}", one("SUM", [source, const(axes)], [wider], options)
    for axis in (0, 2, -1):
        cut = [size for number, size in enumerate(shape) if number != axis % 4]
        for kind in ("ARG_MAX", "ARG_MIN"):
            yield (
                f"{kind.lower()}_{axis % 4}",
                one(kind, [act(shape, **quant(rng)), const(np.int32(axis))],
                    [act(cut, "int32")]),
            )  # fmt: skip
    for depth in (1, 7, 64):
        source = act((3, depth), **quant(rng))
        yield f"l2_{depth}", one("L2_NORMALIZATION", [source], [act((3, depth), scale=1 / 128)])


_SHAPES = (((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (4,)), ((1, 3, 1), (2, 1, 4)))


def _logical(rng: Rng) -> Iterator[Network]:
    compared = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
    for number, (a, b) in enumerate(_SHAPES):
        out = act((2, 3, 4), "bool")
        for kind in compared:
            same = {"scale": 0.125, "zero": 3}
            first = act(a, **(same if number == 0 else quant(rng)))
            second = act(b, **(same if number == 0 else quant(rng)))
            yield f"{kind.lower()}_{number}", one(kind, [first, second], [out])
        wholes = [act(a, "int32"), act(b, "int32")]
        yield f"less_int32_{number}", one("LESS", wholes, [out])
        bits = [act(a, "bool"), act(b, "bool")]
        for kind in ("LOGICAL_AND", "LOGICAL_OR", "EQUAL"):
            yield f"{kind.lower()}_bool_{number}", one(kind, bits, [out])
        for dtype in ("int8", "int16"):
            inputs = [act(b, "bool"), act(a, dtype), act((2, 3, 4), dtype)]
            if number == 0:
                inputs[2] = replace(inputs[2], data=bytes(24 * np.dtype(dtype).itemsize))
            yield (
                f"select_{dtype}_{number}",
                one("SELECT_V2", inputs, [act((2, 3, 4), dtype)]),
            )
    yield "logical_not", one("LOGICAL_NOT", [act((2, 5), "bool")], [act((2, 5), "bool")])
    for source in ("int8", "int16", "int32", "bool"):
        for target in ("int8", "int16", "int32"):
            if source != target:
                yield (
                    f"cast_{source}_{target}",
                    one("CAST", [act((2, 5), source)], [act((2, 5), target)]),
                )


def _arithmetic(rng: Rng) -> Iterator[Network]:
    for number in range(3):
        source = act((3, 40), **quant(rng))
        for kind in ("ABS", "ELU"):
            yield f"{kind.lower()}_{number}", one(kind, [source], [act((3, 40), **quant(rng))])
        # The reference refuses to run below zero.
        low = act((3, 40), scale=float(2.0 ** rng.uniform(-7, 0)), zero=-128)
        yield f"rsqrt_{number}", one("RSQRT", [low], [act((3, 40), **quant(rng))])
        for shape, (a, b) in enumerate(_SHAPES):
            first, second = act(a, **quant(rng)), act(b, **quant(rng))
            out = act((2, 3, 4), **quant(rng))
            yield (
                f"squared_difference_{number}_{shape}",
                one("SQUARED_DIFFERENCE", [first, second], [out]),
            )
            # Dividing by zero has no answer, and a quotient far below its output's scale makes the
            # reference shift by more than 31 bits, which C leaves open.
            codes = rng.integers(1, 127, b) * rng.choice([-1, 1], b)
            step = float(2.0 ** rng.uniform(-7, 0))
            divisor = const(codes, "int8", scale=step)
            fine = (
                act((2, 3, 4), scale=first.scales[0] / step / 100, zero=-7) if first.scales else out
            )
            yield f"div_{number}_{shape}", one("DIV", [first, divisor], [fine], {0: ("b", 0)})
    yield "abs_same", one("ABS", [act((3, 9), zero=5)], [act((3, 9), zero=-9)])


def _moved(rng: Rng) -> Iterator[Network]:
    """Movement of values wider than a byte."""
    for dtype in ("int16", "int32"):
        shape = (2, 3, 4, 5)
        source = act(shape, dtype)
        tall = act((2, 5, 4, 5), dtype)
        yield (
            f"concatenation_{dtype}",
            one("CONCATENATION", [source, act((2, 2, 4, 5), dtype)], [tall], {0: ("i", 1)}),
        )
        edges = const(((0, 0), (1, 2), (0, 1), (2, 0)))
        yield (
            f"pad_{dtype}",
            one("PAD", [source, edges], [act((2, 6, 5, 7), dtype)]),
        )
        begin, end, step = const((0, 2, 0, 1)), const((2, 0, 4, 5)), const((1, -1, 2, 2))
        yield (
            f"strided_slice_{dtype}",
            one("STRIDED_SLICE", [source, begin, end, step], [act((2, 2, 2, 2), dtype)],
                dict.fromkeys(range(5), ("i", 0))),
        )  # fmt: skip
        if dtype == "int16":
            turned = [source, const((0, 3, 1, 2))]
            yield f"transpose_{dtype}", one("TRANSPOSE", turned, [act((2, 5, 3, 4), dtype)])
    del rng


def _widths(rng: Rng) -> Iterator[Network]:
    """Codes of two widths, and a softmax that widens."""
    for source, target in (
        ("int8", "int16"), ("int16", "int8"), ("int16", "int16"), ("int16", "int32"),
        ("int8", "int32"), ("int32", "int8"), ("int32", "int16"),
    ):  # fmt: skip
        tensors = [
            replace(act((3, 30), dtype), scales=(float(2.0 ** rng.uniform(-6, -1)),))
            for dtype in (source, target)
        ]
        yield f"quantize_{source}_{target}", one("QUANTIZE", tensors[:1], tensors[1:])
    for number in range(3):
        source = act((4, 9), **quant(rng))
        out = act((4, 9), "int16", scale=1 / 65536, zero=-32768)
        yield f"softmax_wide_{number}", one("SOFTMAX", [source], [out], {0: ("f", 1.0)})


_FAMILIES = (
    _state, _rearranged, _known, _lstm, _spatial, _turned, _matrices, _filters, _reduced, _logical,
    _arithmetic, _widths, _moved, *wide_networks.FAMILIES,
)  # fmt: skip
