"""What crosses the AXI ports: the pieces of feature maps that an operation moves, and their beats.

A beat is an aligned word of the port: a run of bytes that begins or ends inside one costs it whole.
Constants and bricks of 16 channels lie aligned; maps in NHWC order may not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from npubench.npu.ethosu.blocks import (
    BRICK,
    Blocks,
    Span,
    constants_of,
    divide_up,
    ifm_block_of,
    ofm_block_of,
    outputs_of,
    pieces_of,
    reach_of,
)
from npubench.npu.ethosu.operation import BlockOp, FeatureMap, OpKind
from npubench.npu.ethosu.units import sums_channels

INPUT_BUFFERS: Final = 2
Piece = tuple[Span, Span, Span]
"""Rows, columns and channels of a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """``size_bytes`` of a region cross its port in ``beats``."""

    region: int
    size_bytes: int
    beats: int
    is_read: bool


def transfers_of(op: BlockOp, axi_bytes: int, *, cores: int = 1) -> list[Transfer]:
    """Everything that a block operation moves, over ports of ``axi_bytes``. Constants are read
    again for each block of rows and columns."""
    found = [_moved(op.ofm, _stored(op, cores), axi_bytes, is_read=False)]
    found += [_moved(fmap, pieces, axi_bytes, is_read=True) for fmap, pieces in _inputs(op)]
    times = len(outputs_of(op, 0)) * len(outputs_of(op, 1))
    return found + _constants(op, axi_bytes, times=times, parts=1)


def first_reads_of(op: BlockOp, axi_bytes: int, steps: int) -> list[Transfer]:
    """What the first of the first block's ``steps`` needs: a piece of the input, its share of the
    constants."""
    found = [_moved(fmap, [next(pieces)], axi_bytes, is_read=True) for fmap, pieces in _inputs(op)]
    return found + _constants(op, axi_bytes, times=1, parts=max(1, steps) * len(outputs_of(op, 2)))


def last_write_of(op: BlockOp, axi_bytes: int, *, cores: int = 1) -> Transfer:
    """The last output block."""
    rows, columns, channels = (outputs_of(op, axis)[-1] for axis in (0, 1, 2))
    step = channels[1] - channels[0] if op.ofm.brick else BRICK * cores
    pieces = [
        (rows, columns, (z, min(z + step, channels[1]))) for z in range(*channels, max(1, step))
    ]
    return _moved(op.ofm, pieces, axi_bytes, is_read=False)


def extent_of(fmap: FeatureMap) -> tuple[int, int, int]:
    """Region, and the bytes from the first to the last of its tile 0."""
    height, width, depth = fmap.shape
    size = (height - 1) * fmap.stride_y + (width - 1) * fmap.stride_x
    if fmap.brick:
        size += (divide_up(depth, BRICK) - 1) * fmap.stride_c + BRICK * fmap.element_bytes
    else:
        size += depth * fmap.element_bytes
    return fmap.region, fmap.bases[0], fmap.bases[0] + size


def is_independent(before: BlockOp, op: BlockOp) -> bool:
    """Whether ``op`` reads nothing that ``before`` writes; false where tiles leave a doubt."""
    region, begin, end = extent_of(before.ofm)
    for fmap in (op.ifm, op.ifm2):
        if fmap is None:
            continue
        where, low, high = extent_of(fmap)
        if where == region and ((low < end and begin < high) or any(fmap.bases[1:])):
            return False
    return not any(before.ofm.bases[1:])


def _constants(op: BlockOp, axi_bytes: int, *, times: int, parts: int) -> list[Transfer]:
    return [
        Transfer(
            region=part.region,
            size_bytes=part.length * times // parts,
            beats=divide_up(divide_up(part.length, axi_bytes) * times, parts),
            is_read=True,
        )
        for part in constants_of(op)
    ]


def _inputs(op: BlockOp) -> list[tuple[FeatureMap, Iterator[Piece]]]:
    """The inputs, and the pieces in which they are fetched."""
    if op.kind is not OpKind.ELEMENTWISE:
        return [(op.ifm, _fetched(op))]
    block = ofm_block_of(op)
    return [(fmap, _cut(fmap, block)) for fmap in (op.ifm, op.ifm2) if fmap is not None]


def _cut(fmap: FeatureMap, block: Blocks) -> Iterator[Piece]:
    height, width, depth = fmap.shape
    for y in range(0, height, block[0]):
        for x in range(0, width, block[1]):
            for z in range(0, depth, block[2]):
                yield (
                    (y, min(y + block[0], height)),
                    (x, min(x + block[1], width)),
                    (z, min(z + block[2], depth)),
                )


def _stored(op: BlockOp, cores: int) -> Iterator[Piece]:
    """Pieces of the output. NHWC is written in groups of 16 channels of each core; two cores take
    every second channel, so that theirs are 32."""
    block = ofm_block_of(op)
    return _cut(op.ofm, block if op.ofm.brick else (block[0], block[1], BRICK * cores))


def _fetched(op: BlockOp) -> Iterator[Piece]:
    """Pieces of the input, as blocks of the output ask for them.

    A convolution needs all input channels for each block of output channels, these innermost. Two
    input blocks have a place: where those are all, they are still there and are not fetched again;
    with a kernel in pieces they are.
    """
    depth = op.ifm.shape[2]
    kernel = pieces_of(op)
    if sums_channels(op):
        step = ifm_block_of(op)[2]
        kept = len(kernel) == 1 and depth <= INPUT_BUFFERS * step
        times = 1 if kept else len(outputs_of(op, 2))
    else:
        step, times = ofm_block_of(op)[2], 1
    channels = [(z, min(z + step, depth)) for z in range(0, depth, step)] * times
    for rows in outputs_of(op, 0):
        for columns in outputs_of(op, 1):
            for piece in kernel:
                y, x = reach_of(rows, piece[0], op, 0), reach_of(columns, piece[1], op, 1)
                for z in channels:
                    yield y, x, z


def _moved(fmap: FeatureMap, pieces: Iterable[Piece], axi_bytes: int, *, is_read: bool) -> Transfer:
    moved, beats = 0, 0
    for y, x, z in pieces:
        rows, columns = y[1] - y[0], x[1] - x[0]
        if fmap.brick:
            bricks = divide_up(z[1], BRICK) - z[0] // BRICK
            size = rows * columns * bricks * BRICK * fmap.element_bytes
            moved += size
            beats += size // axi_bytes
            continue
        run = (z[1] - z[0]) * fmap.element_bytes
        moved += rows * columns * run
        start = fmap.bases[0] + y[0] * fmap.stride_y + x[0] * fmap.stride_x
        start += z[0] * fmap.element_bytes
        if run == fmap.stride_x:
            stride, run, columns, rows = fmap.stride_y, run * columns, rows, 1
        else:
            stride = fmap.stride_x
        for row in range(rows):
            at = (start + row * fmap.stride_y) % axi_bytes
            beats += _run_beats(at, stride % axi_bytes, run, columns, axi_bytes)
    return Transfer(region=fmap.region, size_bytes=moved, beats=beats, is_read=is_read)


@lru_cache(maxsize=4096)
def _run_beats(start: int, stride: int, length: int, count: int, axi_bytes: int) -> int:
    """Beats of ``count`` runs of ``length`` bytes, the first at ``start``, ``stride`` apart: both
    matter only as remainders of the port's width."""
    return sum(
        divide_up((start + index * stride) % axi_bytes + length, axi_bytes)
        for index in range(count)
    )
