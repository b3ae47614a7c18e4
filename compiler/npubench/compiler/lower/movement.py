"""Operators that move values unchanged: CONCATENATION, PAD, STRIDED_SLICE, TRANSPOSE, resizing and
the reshapes that move nothing."""

from __future__ import annotations

import numpy as np

from npubench.compiler.graph import DType, Tensor
from npubench.compiler.lower.requant import round_away
from npubench.compiler.lower.site import Lowering, LoweringFunction, Site, read, write
from npubench.compiler.plan import Alias, Arg, Constant, ConstantArg, KernelCall

DIMS = 5
CONCAT_INPUTS = 10


def _alias(site: Site) -> Lowering:
    source, target = site.activation(0), site.output()
    site.require(
        source.dtype is target.dtype and source.count == target.count,
        f"{source.dtype} {list(source.shape)} to {target.dtype} {list(target.shape)}",
    )
    if source.dtype is DType.INT8:
        site.same_quantization(source, target, "input and output")
    return (
        Alias(op_index=site.op.index, source_tensor=source.index, target_tensor=target.index),
        (),
    )


def _alike(site: Site, first: Tensor, second: Tensor, what: str) -> int:
    """Require that values move unchanged; bytes of one."""
    if first.dtype is DType.INT8:
        site.same_quantization(first, second, what)
    site.require(
        first.dtype is second.dtype and first.dtype.size_bytes > 0,
        f"{what} are {first.dtype} and {second.dtype}",
    )
    return first.dtype.size_bytes


def _concatenation(site: Site) -> Lowering:
    target = site.output()
    count = len(site.op.inputs)
    site.require(1 <= count <= CONCAT_INPUTS, f"has {count} inputs, at most {CONCAT_INPUTS}")
    rank = len(target.shape)
    axis = site.integer("axis", 0)
    site.require(-rank <= axis < rank, f"axis {axis} of {rank} dimensions")
    axis %= rank
    activation = site.word("fused_activation_function", "NONE")
    site.require(activation == "NONE", f"fused activation {activation}")
    args: list[Arg] = []
    runs: list[int] = []
    constants: tuple[Constant, ...] = ()
    total = 0
    for position in range(count):
        tensor = site.input(position)
        size_bytes = _alike(site, tensor, target, "inputs and output")
        site.require(
            len(tensor.shape) == rank
            and tensor.shape[:axis] == target.shape[:axis]
            and tensor.shape[axis + 1 :] == target.shape[axis + 1 :],
            f"shape {list(tensor.shape)} into {list(target.shape)} along axis {axis}",
        )
        total += tensor.shape[axis]
        operand = site.operand(tensor, f"input{position}")
        args.append(operand.arg)
        constants += operand.constants
        runs.append(size_bytes * int(np.prod(tensor.shape[axis:], dtype=np.int64)))
    site.require(total == target.shape[axis], f"{total} values along axis {axis}")
    site.require(
        any(site.graph.tensor(index).data is None for index in site.op.inputs),
        "all inputs are constants",
    )
    empty = CONCAT_INPUTS - count
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_concat_s8",
        source="concat_s8.c",
        params_type="nb_concat_s8_params",
        params=(
            ("inputs", count),
            ("outer", int(np.prod(target.shape[:axis], dtype=np.int64))),
            ("run", tuple(runs) + (0,) * empty),
        ),
        args=(*args, *(ConstantArg(constant=None),) * empty, write(target)),
    )
    return call, constants


def _pad(site: Site) -> Lowering:
    site.arity(inputs=(2,) if site.op.kind == "PAD" else (3,))
    source, target = site.activation(0), site.output()
    size_bytes = _alike(site, source, target, "input and output")
    value = 0 if target.quantization is None else target.quantization.zero_point
    if site.op.kind == "PADV2":
        filler = site.input(2)
        _alike(site, filler, target, "filler and output")
        site.require(filler.count == 1 and filler.data is not None, "its filler is no constant")
        value = int.from_bytes(filler.data or b"\0", "little", signed=True)
    site.require(size_bytes == 1 or value in (0, -1), f"its filler is {value} of {source.dtype}")
    if source.dtype is DType.UINT8 and value > 127:
        value -= 256  # the kernel's parameter is a signed byte
    amounts = site.integers(1, "its padding")
    rank = len(source.shape)
    site.require(len(amounts) == 2 * rank, f"{len(amounts)} paddings of {rank} dimensions")
    site.require(len(target.shape) == rank, f"{rank} dimensions to {len(target.shape)}")
    dims: list[int] = []
    before: list[int] = []
    after: list[int] = []
    for axis, size in enumerate(source.shape):
        low, high = amounts[2 * axis], amounts[2 * axis + 1]
        site.require(
            low >= 0 and high >= 0 and low + size + high == target.shape[axis],
            f"{size} values padded by {low} and {high} to {target.shape[axis]}",
        )
        if dims and low == high == 0:
            dims[-1] *= size
            before[-1] *= size
            after[-1] *= size
        else:
            dims.append(size)
            before.append(low)
            after.append(high)
    site.require(len(dims) <= DIMS, f"padding of {len(dims)} dimensions")
    if before[-1] == after[-1] == 0 or size_bytes > 1:
        # The innermost run is counted in bytes.
        dims[-1], before[-1], after[-1] = (
            size_bytes * count for count in (dims[-1], before[-1], after[-1])
        )
    fill = DIMS - len(dims)
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_pad_s8",
        source="pad_s8.c",
        params_type="nb_pad_s8_params",
        params=(
            ("dims", (1,) * fill + tuple(dims)),
            ("before", (0,) * fill + tuple(before)),
            ("after", (0,) * fill + tuple(after)),
            ("value", value),
        ),
        args=(read(source), write(target)),
    )
    return call, ()


def _dense_strides(shape: tuple[int, ...]) -> list[int]:
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return strides


def _copy(
    site: Site, source: Tensor, target: Tensor, dims: list[int], strides: list[int], first: int
) -> Lowering:
    """A strided gather of bytes; neighbouring dimensions that form one run are merged."""
    size_bytes = source.dtype.size_bytes
    dims = [*dims, size_bytes]
    strides = [*(stride * size_bytes for stride in strides), 1]
    first *= size_bytes
    merged: list[tuple[int, int]] = []
    for size, stride in zip(dims, strides, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1] == size * stride:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    site.require(len(merged) <= DIMS, f"a copy in {len(merged)} dimensions")
    if not merged:
        merged = [(1, 1)]
    fill = DIMS - len(merged)
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_copy_s8",
        source="copy_s8.c",
        params_type="nb_copy_s8_params",
        params=(
            ("dims", (1,) * fill + tuple(size for size, _ in merged)),
            ("stride", (0,) * fill + tuple(stride for _, stride in merged)),
            ("first", first),
        ),
        args=(read(source), write(target)),
    )
    return call, ()


def _transpose(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    _alike(site, source, target, "input and output")
    order = site.integers(1, "its permutation")
    rank = len(source.shape)
    site.require(
        sorted(axis % rank if -rank <= axis < rank else -1 for axis in order) == list(range(rank)),
        f"permutation {list(order)} of {rank} dimensions",
    )
    axes = [axis % rank for axis in order]
    dims = [source.shape[axis] for axis in axes]
    site.require(tuple(dims) == target.shape, f"shape {dims} is not {list(target.shape)}")
    strides = _dense_strides(source.shape)
    return _copy(site, source, target, dims, [strides[axis] for axis in axes], 0)


def _strided_slice(site: Site) -> Lowering:
    site.arity(inputs=(4,))
    source, target = site.activation(0), site.output()
    _alike(site, source, target, "input and output")
    for name in ("ellipsis_mask", "new_axis_mask"):
        site.require(site.integer(name, 0) == 0, f"{name} is {site.integer(name, 0)}")
    site.require(not site.flag("offset"), "its end is relative to its begin")
    begin = site.integers(1, "its begin")
    end = site.integers(2, "its end")
    step = site.integers(3, "its step")
    rank = len(source.shape)
    site.require(
        len(begin) == len(end) == len(step) <= rank,
        f"begin, end and step of {len(begin)}, {len(end)} and {len(step)} of {rank} dimensions",
    )
    masks = {name: site.integer(name, 0) for name in ("begin_mask", "end_mask", "shrink_axis_mask")}
    dense = _dense_strides(source.shape)
    first = 0
    dims: list[int] = []
    strides: list[int] = []
    kept: list[int] = []
    for axis, size in enumerate(source.shape):
        if axis >= len(begin):
            start, count, stride, shrink = 0, size, 1, False
        else:
            stride = step[axis]
            site.require(stride != 0, "a step is zero")
            shrink = bool(masks["shrink_axis_mask"] >> axis & 1)
            wanted = slice(
                None if masks["begin_mask"] >> axis & 1 else begin[axis],
                None if masks["end_mask"] >> axis & 1 else end[axis],
                stride,
            )
            if shrink:
                start, count = begin[axis] + (size if begin[axis] < 0 else 0), 1
                site.require(0 <= start < size, f"index {begin[axis]} of {size}")
            else:
                start, stop, _ = wanted.indices(size)
                count = len(range(start, stop, stride))
            site.require(count >= 1, "it selects nothing")
        first += start * dense[axis]
        dims.append(count)
        strides.append(stride * dense[axis])
        if not shrink:
            kept.append(count)
    site.require(tuple(kept) == target.shape, f"shape {kept} is not {list(target.shape)}")
    return _copy(site, source, target, dims, strides, first)


def _nearest(index: int, size: int, count: int, *, align: bool, half: bool) -> int:
    """The source index of output ``index``, in the reference's float32 arithmetic."""
    if align and count > 1:
        scale = np.float32(size - 1) / np.float32(count - 1)
    else:
        scale = np.float32(size) / np.float32(count)
    place = float((np.float32(index) + np.float32(0.5 if half else 0.0)) * scale)
    return max(0, min(round_away(place) if align else int(place), size - 1))


def _resize_nearest(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    source, target = site.activation(0), site.output()
    site.same_quantization(source, target, "input and output")
    size = site.integers(1, "its size")
    site.require(
        len(source.shape) == len(target.shape) == 4
        and len(size) == 2
        and target.shape == (source.shape[0], size[0], size[1], source.shape[3]),
        f"shapes {list(source.shape)} and {list(target.shape)} for size {list(size)}",
    )
    site.require(max(source.shape[1:3]) <= 65536, f"input of shape {list(source.shape)}")
    align, half = site.flag("align_corners"), site.flag("half_pixel_centers")
    constants = tuple(
        site.constant(
            name,
            "uint16_t",
            np.array(
                [
                    _nearest(i, source.shape[axis], target.shape[axis], align=align, half=half)
                    for i in range(target.shape[axis])
                ],
                dtype="<u2",
            ).tobytes(),
        )
        for axis, name in ((1, "rows"), (2, "columns"))
    )
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_resize_nearest_s8",
        source="resize_nearest_s8.c",
        params_type="nb_resize_nearest_s8_params",
        params=(
            ("batches", source.shape[0]),
            ("in_h", source.shape[1]),
            ("in_w", source.shape[2]),
            ("channels", source.shape[3] * source.dtype.size_bytes),  # the kernel moves bytes
            ("out_h", target.shape[1]),
            ("out_w", target.shape[2]),
        ),
        args=(
            read(source),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(target),
        ),
    )
    return call, constants


LOWERINGS: dict[str, LoweringFunction] = {
    "RESHAPE": _alias,
    "SQUEEZE": _alias,
    "EXPAND_DIMS": _alias,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "PADV2": _pad,
    "TRANSPOSE": _transpose,
    "STRIDED_SLICE": _strided_slice,
    "RESIZE_NEAREST_NEIGHBOR": _resize_nearest,
}
