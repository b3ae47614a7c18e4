"""Operators that only say where each value comes from: SPLIT, PACK, SLICE, GATHER, MIRROR_PAD, ...

They move bytes and serve every element type. Where the place of a value is a sum over the axes of
offsets that are known here, the kernel reads tables of offsets (``picked``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from npubench.compiler.graph import DType, Tensor
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, write
from npubench.compiler.plan import Arg, Constant, ConstantArg, KernelCall, TensorArg

MOST = 10
DIMS = 5


def moved(tensor: Tensor) -> TensorArg:
    """A tensor of any type as bytes that are read."""
    return TensorArg(tensor=tensor.index, ctype="int8_t", const=True)


def same_values(site: Site, source: Tensor, target: Tensor) -> None:
    """Require that codes mean the same in both: one type and, where there is one, one scale."""
    site.require(source.dtype is target.dtype, f"{source.dtype} to {target.dtype}")
    a, b = source.quantization, target.quantization
    if source.dtype in (DType.INT8, DType.UINT8, DType.INT16) and a is not None and b is not None:
        site.require(
            a.scales == b.scales and a.zero_points == b.zero_points,
            "input and output are quantized differently, which the reference does not rescale",
        )


def _axis(site: Site, axis: int, rank: int) -> int:
    site.require(-rank <= axis < rank, f"axis {axis} of {rank} dimensions")
    return axis % rank


def dense_offsets(shape: Sequence[int]) -> list[list[int]]:
    """Per axis, the offset in elements of each index of a dense tensor."""
    tables: list[list[int]] = []
    step = 1
    for size in reversed(shape):
        tables.insert(0, [index * step for index in range(size)])
        step *= size
    return tables


def picked(site: Site, source: Tensor, target: Tensor, tables: list[list[int]]) -> Lowering:
    """The output whose element (i, j, ...) is the input's at tables[0][i] + tables[1][j] + ..."""
    run = 1
    axes = list(tables)
    while axes and axes[-1] == [index * run for index in range(len(axes[-1]))]:
        run *= len(axes.pop())
    axes = [table for table in axes if table != [0]]
    axes = _merged(axes)
    site.require(len(axes) <= DIMS, f"a selection in {len(axes)} dimensions")
    item = source.dtype.size_bytes
    dims = (1,) * (DIMS - len(axes)) + tuple(len(table) for table in axes)
    offsets = [0] * (DIMS - len(axes)) + [item * at for table in axes for at in table]
    constant = site.constant("offsets", "int32_t", np.array(offsets, "<i4").tobytes())
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_pick",
        source="pick.c",
        params_type="nb_pick_params",
        params=(("dims", dims), ("bytes", run * item)),
        args=(moved(source), ConstantArg(constant=constant.name), write(target)),
    )
    return call, (constant,)


def _merged(axes: list[list[int]]) -> list[list[int]]:
    """Small neighbouring axes as one, until there are few enough."""
    while len(axes) > DIMS:
        at = min(range(len(axes) - 1), key=lambda i: len(axes[i]) * len(axes[i + 1]))
        both = [a + b for a in axes[at] for b in axes[at + 1]]
        axes = [*axes[:at], both, *axes[at + 2 :]]
    return axes


def _parts(site: Site, source: Tensor, axis: int, sizes: Sequence[int]) -> Lowering:
    """Runs of the source along an axis, each into an output of its own."""
    count = len(site.op.outputs)
    site.require(1 <= count <= MOST, f"has {count} outputs, at most {MOST}")
    targets = [site.graph.tensor(index) for index in site.op.outputs]
    for target in targets:
        same_values(site, source, target)
        site.require(not target.is_constant, "an output is a constant")
    inner = prod(source.shape[axis + 1 :]) * source.dtype.size_bytes
    runs = [size * inner for size in sizes]
    outer = prod(source.shape[:axis])
    for target, run in zip(targets, runs, strict=True):
        site.require(target.size_bytes == outer * run, f"an output of shape {list(target.shape)}")
    empty = MOST - count
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_split",
        source="split.c",
        params_type="nb_split_params",
        params=(("outputs", count), ("outer", outer), ("run", (*runs, *(0,) * empty))),
        args=(
            moved(source),
            *(write(target) for target in targets),
            *(ConstantArg(constant=None),) * empty,
        ),
    )
    return call, ()


def _split(site: Site) -> Lowering:
    by_sizes = site.op.kind == "SPLIT_V"
    source = site.activation(0 if by_sizes else 1)
    axes = site.integers(2 if by_sizes else 0, "its axis")
    site.require(len(axes) == 1, f"{len(axes)} axes")
    axis = _axis(site, axes[0], len(source.shape))
    count, size = len(site.op.outputs), source.shape[axis]
    if by_sizes:
        sizes = list(site.integers(1, "its sizes"))
        rest = size - sum(value for value in sizes if value >= 0)
        sizes = [value if value >= 0 else rest for value in sizes]
    else:
        site.require(count > 0 and size % count == 0, f"{size} values in {count} parts")
        sizes = [size // count] * count
    site.require(
        len(sizes) == count and sum(sizes) == size and min(sizes) > 0,
        f"{size} values in parts of {sizes}",
    )
    return _parts(site, source, axis, sizes)


def _unpack(site: Site) -> Lowering:
    source = site.activation(0)
    axis = _axis(site, site.integer("axis", 0), len(source.shape))
    site.require(
        source.shape[axis] == len(site.op.outputs),
        f"{source.shape[axis]} values in {len(site.op.outputs)} outputs",
    )
    return _parts(site, source, axis, [1] * source.shape[axis])


def _pack(site: Site) -> Lowering:
    target = site.output()
    count = len(site.op.inputs)
    site.require(1 <= count <= MOST, f"has {count} inputs, at most {MOST}")
    axis = _axis(site, site.integer("axis", 0), len(target.shape))
    inner = prod(target.shape[axis + 1 :]) * target.dtype.size_bytes
    site.require(target.shape[axis] == count, f"{count} inputs to {list(target.shape)}")
    args: list[Arg] = []
    constants: tuple[Constant, ...] = ()
    for position in range(count):
        tensor = site.input(position)
        same_values(site, tensor, target)
        site.require(tensor.count * count == target.count, f"shape {list(tensor.shape)}")
        if tensor.data is None:
            args.append(moved(tensor))
        else:
            constants += (site.constant(f"input{position}", "int8_t", tensor.data),)
            args.append(ConstantArg(constant=constants[-1].name))
    empty = MOST - count
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_concat_s8",
        source="concat_s8.c",
        params_type="nb_concat_s8_params",
        params=(
            ("inputs", count),
            ("outer", prod(target.shape[:axis])),
            ("run", (inner,) * count + (0,) * empty),
        ),
        args=(*args, *(ConstantArg(constant=None),) * empty, write(target)),
    )
    return call, constants


def _slice(site: Site) -> Lowering:
    site.arity(inputs=(3,))
    source, target = site.activation(0), site.output()
    same_values(site, source, target)
    begin, size = site.integers(1, "its begin"), site.integers(2, "its size")
    rank = len(source.shape)
    site.require(len(begin) == len(size) == rank, f"begin {list(begin)} of {rank} dimensions")
    tables = []
    for axis, table in enumerate(dense_offsets(source.shape)):
        count = source.shape[axis] - begin[axis] if size[axis] < 0 else size[axis]
        site.require(
            begin[axis] >= 0 and count >= 1 and begin[axis] + count <= source.shape[axis],
            f"{count} values from {begin[axis]} of {source.shape[axis]}",
        )
        tables.append(table[begin[axis] : begin[axis] + count])
    _fits(site, tables, target)
    return picked(site, source, target, tables)


def _fits(site: Site, tables: list[list[int]], target: Tensor) -> None:
    made = prod(len(table) for table in tables)
    site.require(made == target.count, f"{made} values into {list(target.shape)}")


def _gather(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    same_values(site, source, target)
    site.require(site.integer("batch_dims", 0) == 0, "batch_dims is not 0")
    axis = _axis(site, site.integer("axis", 0), len(source.shape))
    indices = site.input(1)
    size = source.shape[axis]
    if indices.data is not None:
        wanted = site.integers(1, "its indices")
        site.require(all(0 <= index < size for index in wanted), f"an index beyond {size}")
        tables = dense_offsets(source.shape)
        tables[axis] = [tables[axis][index] for index in wanted]
        _fits(site, tables, target)
        return picked(site, source, target, tables)
    site.require(indices.dtype is DType.INT32, f"its indices are {indices.dtype}")
    inner = prod(source.shape[axis + 1 :]) * source.dtype.size_bytes
    outer = prod(source.shape[:axis])
    site.require(target.size_bytes == outer * indices.count * inner, f"shape {list(target.shape)}")
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_gather",
        source="gather.c",
        params_type="nb_gather_params",
        params=(("outer", outer), ("axis", size), ("count", indices.count), ("bytes", inner)),
        args=(
            moved(source),
            TensorArg(tensor=indices.index, ctype="int32_t", const=True),
            write(target),
        ),
    )
    return call, ()


def _mirror_pad(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    same_values(site, source, target)
    amounts = site.integers(1, "its padding")
    rank = len(source.shape)
    site.require(len(amounts) == 2 * rank, f"{len(amounts)} paddings of {rank} dimensions")
    edge = 0 if site.word("mode", "REFLECT") == "SYMMETRIC" else 1
    tables = []
    for axis, table in enumerate(dense_offsets(source.shape)):
        low, high, size = amounts[2 * axis], amounts[2 * axis + 1], source.shape[axis]
        site.require(0 <= low <= size - edge and 0 <= high <= size - edge, f"padding of {size}")
        before = [table[index] for index in range(low - 1 + edge, edge - 1, -1)]
        after = [table[size - 1 - edge - index] for index in range(high)]
        tables.append([*before, *table, *after])
    _fits(site, tables, target)
    return picked(site, source, target, tables)


def _block(site: Site) -> Lowering:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE: both sides as 6 axes."""
    site.arity(inputs=(1,))
    source, target = site.activation(0), site.output()
    same_values(site, source, target)
    block = site.integer("block_size", 1)
    site.require(block >= 1, f"block_size {block}")
    deep = site.op.kind == "SPACE_TO_DEPTH"
    wide, flat = (source, target) if deep else (target, source)
    site.require(len(wide.shape) == len(flat.shape) == 4, f"shape {list(source.shape)}")
    n, height, width, depth = wide.shape
    site.require(
        flat.shape == (n, height // block, width // block, depth * block * block)
        and height % block == width % block == 0,
        f"shapes {list(source.shape)} and {list(target.shape)}",
    )
    if deep:
        parts = (n, height // block, block, width // block, block, depth)
        order = (0, 1, 3, 2, 4, 5)
    else:
        parts = (n, height // block, width // block, block, block, depth)
        order = (0, 1, 3, 2, 4, 5)
    tables = dense_offsets(parts)
    return picked(site, source, target, [tables[axis] for axis in order])


def _broadcast_to(site: Site) -> Lowering:
    source, target = site.activation(0), site.output()
    same_values(site, source, target)
    rank = len(target.shape)
    shape = (1,) * (rank - len(source.shape)) + source.shape
    site.require(
        len(shape) == rank and all(a in (1, b) for a, b in zip(shape, target.shape, strict=True)),
        f"shape {list(source.shape)} to {list(target.shape)}",
    )
    tables = [
        table if len(table) == size else [0] * size
        for table, size in zip(dense_offsets(shape), target.shape, strict=True)
    ]
    return picked(site, source, target, tables)


def _reverse(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    same_values(site, source, target)
    rank = len(source.shape)
    axes = {_axis(site, axis, rank) for axis in site.integers(1, "its axes")}
    tables = [
        table[::-1] if axis in axes else table
        for axis, table in enumerate(dense_offsets(source.shape))
    ]
    _fits(site, tables, target)
    return picked(site, source, target, tables)


LOWERINGS: dict[str, LoweringFunction] = {
    "SPLIT": _split,
    "SPLIT_V": _split,
    "UNPACK": _unpack,
    "PACK": _pack,
    "SLICE": _slice,
    "GATHER": _gather,
    "MIRROR_PAD": _mirror_pad,
    "SPACE_TO_DEPTH": _block,
    "DEPTH_TO_SPACE": _block,
    "BROADCAST_TO": _broadcast_to,
    "REVERSE_V2": _reverse,
}
