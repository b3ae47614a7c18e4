"""What crosses the AXI ports: which pieces of feature maps an operation moves, and in how many beats.

A beat is an aligned word of the port: a run of bytes that begins or ends inside one costs it whole.
Constants and bricks of 16 channels lie aligned; maps in NHWC order may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from npubench.npu.ethosu.blocks import (
    BRICK,
    SUB_KERNEL,
    constants_of,
    divide_up,
    ifm_block_of,
    ofm_block_of,
)
from npubench.npu.ethosu.operation import BlockOp, FeatureMap, OpKind, Pooling

INPUT_BUFFERS: Final = 2

Span = tuple[int, int]
"""Begin and end of rows, columns or channels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """``size_bytes`` of a region cross its port in ``beats``."""

    region: int
    size_bytes: int
    beats: int
    is_read: bool


def transfers_of(op: BlockOp, axi_bytes: int) -> list[Transfer]:
    """Everything that a block operation moves, over ports of ``axi_bytes``."""
    found = [_moved(op.ofm, _stored(op), axi_bytes, is_read=False)]
    if op.kind is OpKind.ELEMENTWISE:
        found += [
            _moved(fmap, _blocks(fmap, ofm_block_of(op)), axi_bytes, is_read=True)
            for fmap in (op.ifm, op.ifm2)
            if fmap is not None
        ]
    else:
        found.append(_moved(op.ifm, _fetched(op), axi_bytes, is_read=True))
    times = len(_outputs(op, 0)) * len(_outputs(op, 1))
    found += [
        Transfer(
            region=part.region,
            size_bytes=part.length * times,
            beats=divide_up(part.length, axi_bytes) * times,
            is_read=True,
        )
        for part in constants_of(op)
    ]
    return found


def _outputs(op: BlockOp, axis: int) -> list[Span]:
    """Rows (or columns) of the output, block by block."""
    size, step = op.ofm.shape[axis], ofm_block_of(op)[axis]
    return [(begin, min(begin + step, size)) for begin in range(0, size, step)]


def _blocks(fmap: FeatureMap, block: tuple[int, int, int]) -> Iterator[tuple[Span, Span, Span]]:
    height, width, depth = fmap.shape
    for y in range(0, height, block[0]):
        for x in range(0, width, block[1]):
            for z in range(0, depth, block[2]):
                yield (
                    (y, min(y + block[0], height)),
                    (x, min(x + block[1], width)),
                    (z, min(z + block[2], depth)),
                )


def _stored(op: BlockOp) -> Iterator[tuple[Span, Span, Span]]:
    """Pieces of the output. NHWC is written in groups of 16 channels."""
    block = ofm_block_of(op)
    return _blocks(op.ofm, block if op.ofm.brick else (block[0], block[1], BRICK))


def _fetched(op: BlockOp) -> Iterator[tuple[Span, Span, Span]]:
    """Pieces of the input, as blocks of the output ask for them: for each piece of the kernel what
    lies under it and inside the map; padding is not fetched.

    A convolution needs all input channels for each block of output channels, these innermost. Two
    input blocks have a place: where those are all, they are still there and are not fetched again;
    with a kernel in pieces they are.
    """
    depth = op.ifm.shape[2]
    reduces = op.kind is OpKind.POOL and op.mode == Pooling.REDUCE_SUM
    if op.kind is OpKind.CONV or reduces:
        step = ifm_block_of(op)[2]
        times = divide_up(op.ofm.shape[2], ofm_block_of(op)[2])
        pieces = len(range(0, op.kernel[0], SUB_KERNEL)) * len(range(0, op.kernel[1], SUB_KERNEL))
        if pieces == 1 and depth <= INPUT_BUFFERS * step:
            times = 1
    else:
        step, times = ofm_block_of(op)[2], 1
    channels = [(z, min(z + step, depth)) for z in range(0, depth, step)] * times
    for rows in _outputs(op, 0):
        for columns in _outputs(op, 1):
            for piece_y in range(0, op.kernel[0], SUB_KERNEL):
                for piece_x in range(0, op.kernel[1], SUB_KERNEL):
                    y = _reach(rows, piece_y, op, 0)
                    x = _reach(columns, piece_x, op, 1)
                    if y[1] > y[0] and x[1] > x[0]:
                        for z in channels:
                            yield y, x, z


def _reach(outputs: Span, piece: int, op: BlockOp, axis: int) -> Span:
    """Rows (or columns) of the input under a piece of the kernel for ``outputs``."""
    size = op.ifm.shape[axis] * (2 if op.upscale else 1)
    length = min(SUB_KERNEL, op.kernel[axis] - piece)
    first = max(0, outputs[0] * op.stride[axis] - op.pad[axis] + piece)
    last = min(size, (outputs[1] - 1) * op.stride[axis] - op.pad[axis] + piece + length)
    return (first // 2, divide_up(last, 2)) if op.upscale else (first, last)


def _moved(
    fmap: FeatureMap, pieces: Iterator[tuple[Span, Span, Span]], axi_bytes: int, *, is_read: bool
) -> Transfer:
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
            beats += _run_beats(
                start % axi_bytes, fmap.stride_y % axi_bytes, run * columns, rows, axi_bytes
            )
        else:
            for row in range(rows):
                at = start + row * fmap.stride_y
                beats += _run_beats(
                    at % axi_bytes, fmap.stride_x % axi_bytes, run, columns, axi_bytes
                )
    return Transfer(region=fmap.region, size_bytes=moved, beats=beats, is_read=is_read)


@lru_cache(maxsize=4096)
def _run_beats(start: int, stride: int, length: int, count: int, axi_bytes: int) -> int:
    """Beats of ``count`` runs of ``length`` bytes, the first at ``start``, ``stride`` apart: both
    matter only as remainders of the port's width."""
    return sum(
        divide_up((start + index * stride) % axi_bytes + length, axi_bytes)
        for index in range(count)
    )
