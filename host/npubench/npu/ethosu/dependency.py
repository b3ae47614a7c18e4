"""BLOCKDEP: how far an operation may begin before the one ahead of it has written its output.

Operations are cut into block jobs, which run in a pipeline. BLOCKDEP says how many jobs may still
be under way when the first job of an operation reads its input; at most two operations are in the
pipeline, so that only the one directly ahead matters. The functional core runs operations one after
the other and would hide a number that is too large; hardware would read what is not yet written.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from npubench.npu.ethosu.blocks import BRICK, divide_up
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.isa import StreamError
from npubench.npu.ethosu.operation import BlockOp, FeatureMap, OpKind, Pooling
from npubench.npu.ethosu.shram import layout_of, table_bank

LARGEST: Final = 3
Span = tuple[int, int]
Volume = tuple[Span, Span, Span]
"""Rows, columns and channels, each begin..end."""
Runs = npt.NDArray[np.int64]
"""(count, 2): bytes begin..end."""


def check_dependency(before: BlockOp, op: BlockOp, accelerator: Accelerator) -> None:
    """Raise StreamError when ``op`` may run into ``before``, the block operation ahead of it."""
    if op.blockdep == 0:
        return
    if before.lut is not None and op.lut is None and _reaches_tables(op, accelerator):
        raise StreamError(
            f"BLOCKDEP {op.blockdep}: its buffers lie over the tables that the operation at "
            f"{before.offset_bytes:#x} still uses",
            offset_bytes=op.offset_bytes,
        )
    largest = permitted(before, op)
    if op.blockdep > largest:
        raise StreamError(
            f"BLOCKDEP {op.blockdep}: its first blocks read what the operation at "
            f"{before.offset_bytes:#x} writes in its last ones; at most {largest} may be under way",
            offset_bytes=op.offset_bytes,
        )


def permitted(before: BlockOp, op: BlockOp) -> int:
    """The largest BLOCKDEP of ``op`` that is right behind ``before``: 0 to 3."""
    largest = LARGEST
    for fmap in (op.ifm, op.ifm2):
        if fmap is None or not _near(fmap, before.ofm):
            continue
        for ahead in range(LARGEST):
            volume = _input_volume(op, fmap, ahead)
            if volume is None or ahead >= largest:
                break
            for behind in range(largest - ahead):
                written = _output_volume(before, behind)
                if written is None:
                    break
                if _meet(fmap, volume, before.ofm, written):
                    largest = ahead + behind
                    break
    return largest


def _reaches_tables(op: BlockOp, accelerator: Accelerator) -> bool:
    layout = layout_of(op, accelerator)
    last = layout.accumulators or layout.second or layout.first
    return last[1] > table_bank(accelerator)


def _near(one: FeatureMap, two: FeatureMap) -> bool:
    """Whether the spans of two maps overlap anywhere; false tells for sure."""
    if one.region != two.region:
        return False
    left, right = _all_runs(one), _all_runs(two)
    return bool(left[:, 0].min() < right[:, 1].max() and right[:, 0].min() < left[:, 1].max())


def _all_runs(fmap: FeatureMap) -> Runs:
    height, width, depth = fmap.shape
    return _runs(fmap, ((0, height), (0, width), (0, depth)))


def _block(op: BlockOp, index: int) -> tuple[int, int, int] | None:
    """Where an output block begins; from the end for a negative number. Depth runs fastest, then
    columns, then rows."""
    counts = [divide_up(size, part) for size, part in zip(op.ofm.shape, op.block, strict=True)]
    total = counts[0] * counts[1] * counts[2]
    if index < 0:
        index += total
    if not 0 <= index < total:
        return None
    return (
        index // (counts[2] * counts[1]) * op.block[0],
        index // counts[2] % counts[1] * op.block[1],
        index % counts[2] * op.block[2],
    )


def _output_volume(op: BlockOp, behind: int) -> Volume | None:
    """What the block writes that is ``behind`` the last."""
    begin = _block(op, -1 - behind)
    if begin is None:
        return None
    rows, columns, channels = (
        (first, min(first + part, size))
        for first, part, size in zip(begin, op.block, op.ofm.shape, strict=True)
    )
    return rows, columns, channels


def _input_volume(op: BlockOp, fmap: FeatureMap, job: int) -> Volume | None:
    """What job number ``job`` reads of an input: a block takes a job for each slice of the input's
    depth where it sums over it."""
    sums = op.kind is OpKind.CONV or (op.kind is OpKind.POOL and op.mode == Pooling.REDUCE_SUM)
    slice_depth = fmap.shape[2]
    if sums:
        slice_depth = 16 if op.part_kernel else 256 // op.ifm.bits
    slices = divide_up(fmap.shape[2], slice_depth)
    begin = _block(op, job // slices)
    if begin is None:
        return None
    spans: list[Span] = []
    for axis in (0, 1):
        last = min(begin[axis] + op.block[axis], op.ofm.shape[axis])
        if op.kind is OpKind.ELEMENTWISE:
            whole = fmap.shape[axis] == 1
            spans.append((0, 1) if whole else (begin[axis], last))
            continue
        low = begin[axis] * op.stride[axis] - op.pad[axis]
        high = (last - 1) * op.stride[axis] - op.pad[axis] + op.kernel[axis]
        if op.upscale:
            low, high = low // 2, divide_up(high, 2)
        spans.append((max(0, low), min(fmap.shape[axis], high)))
    if sums:
        first = job % slices * slice_depth
        channels = (first, min(first + slice_depth, fmap.shape[2]))
    elif fmap.shape[2] == 1:
        channels = (0, 1)
    else:
        channels = (begin[2], min(begin[2] + op.block[2], fmap.shape[2]))
    if any(low >= high for low, high in (*spans, channels)):
        return None
    return spans[0], spans[1], channels


def _meet(one: FeatureMap, volume: Volume, two: FeatureMap, written: Volume) -> bool:
    """Whether two parts of two maps share a byte."""
    if _placed(one) == _placed(two):
        return all(a[0] < b[1] and b[0] < a[1] for a, b in zip(volume, written, strict=True))
    left, right = _runs(one, volume), _runs(two, written)
    if left[:, 0].min() >= right[:, 1].max() or right[:, 0].min() >= left[:, 1].max():
        return False
    right = right[np.argsort(right[:, 0])]
    ends = np.maximum.accumulate(right[:, 1])
    # The last run that begins before each of the others ends, if it or one before it ends late.
    found = np.searchsorted(right[:, 0], left[:, 1], side="left") - 1
    return bool(((found >= 0) & (ends[np.maximum(found, 0)] > left[:, 0])).any())


def _placed(fmap: FeatureMap) -> tuple[object, ...]:
    return (
        fmap.bases, fmap.width0, fmap.height0, fmap.height1, fmap.shape, fmap.stride_y,
        fmap.stride_x, fmap.stride_c, fmap.bits, fmap.brick,
    )  # fmt: skip


def _runs(fmap: FeatureMap, volume: Volume) -> Runs:
    """Bytes of a part of a map, a run for each row, column and (of bricks) brick."""
    rows, columns = (np.arange(*span, dtype=np.int64) for span in volume[:2])
    low, high = volume[2]
    left = (columns < fmap.width0)[None, :]
    top = np.where(left, (rows < fmap.height0)[:, None], (rows < fmap.height1)[:, None])
    tile = np.where(top, np.where(left, 0, 1), np.where(left, 2, 3))
    first_row = np.where(top, 0, np.where(left, fmap.height0, fmap.height1))
    base = np.asarray(fmap.bases, dtype=np.int64)[tile]
    y = rows[:, None] - first_row
    x = columns[None, :] - np.where(left, 0, fmap.width0)
    start = (base + y * fmap.stride_y + x * fmap.stride_x).reshape(-1, 1)
    size = fmap.element_bytes
    if not fmap.brick:
        return np.concatenate([start + low * size, start + high * size], axis=1)
    parts = []
    for brick in range(low // BRICK, divide_up(high, BRICK)):
        inside = (max(low - brick * BRICK, 0), min(high - brick * BRICK, BRICK))
        begin = start + brick * fmap.stride_c
        parts.append(np.concatenate([begin + inside[0] * size, begin + inside[1] * size], axis=1))
    return np.concatenate(parts)
