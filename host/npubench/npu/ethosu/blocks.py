"""How an operation is cut: blocks of input and output, pieces of a kernel."""

from __future__ import annotations

from collections import Counter
from typing import Final

from npubench.npu.ethosu.operation import BlockOp, Range

SUB_KERNEL: Final = 8
BRICK: Final = 16

Blocks = tuple[int, int, int]
Span = tuple[int, int]
"""Begin and end of rows, columns or channels."""


def kernel_of(op: BlockOp) -> tuple[int, int]:
    """Kernel height and width in elements."""
    return ((op.kernel[0] - 1) // op.dilation[0] + 1, (op.kernel[1] - 1) // op.dilation[1] + 1)


def divide_up(value: int, by: int) -> int:
    return -(-value // by)


def elements_of(shape: Blocks) -> int:
    return shape[0] * shape[1] * shape[2]


def ifm_block_of(op: BlockOp) -> Blocks:
    """The input block that an output block needs, cut to the input."""
    limit = 8 if op.part_kernel and op.ifm.shape[2] <= 8 else 16
    if not op.part_kernel:
        limit = max(BRICK, 8 * 32 // op.ifm.bits)
    height = min((op.block[0] - 1) * op.stride[0] + min(op.kernel[0], SUB_KERNEL), op.ifm.shape[0])
    width = min((op.block[1] - 1) * op.stride[1] + min(op.kernel[1], SUB_KERNEL), op.ifm.shape[1])
    return height, width, min(limit, op.ifm.shape[2])


def ofm_block_of(op: BlockOp) -> Blocks:
    return (
        min(op.block[0], op.ofm.shape[0]),
        min(op.block[1], op.ofm.shape[1]),
        min(op.block[2], op.ofm.shape[2]),
    )


def sub_kernels_of(op: BlockOp) -> list[int]:
    """Elements of each piece of at most 8x8 that the kernel is cut into."""
    height, width = kernel_of(op)
    return [
        min(SUB_KERNEL, height - y) * min(SUB_KERNEL, width - x)
        for x in range(0, width, SUB_KERNEL)
        for y in range(0, height, SUB_KERNEL)
    ]


def constants_of(op: BlockOp) -> tuple[Range, ...]:
    """All constants that an operation reads."""
    parts = (op.weights, op.scales, op.weights1, op.scales1)
    return tuple(part for part in parts if part is not None)


def outputs_of(op: BlockOp, axis: int) -> list[Span]:
    """Rows (0), columns (1) or channels (2) of the output, block by block."""
    size, step = op.ofm.shape[axis], ofm_block_of(op)[axis]
    return [(begin, min(begin + step, size)) for begin in range(0, size, step)]


def block_sizes_of(op: BlockOp) -> list[tuple[Blocks, int]]:
    """Sizes of the output's blocks, and how many there are of each: whole ones and those that an
    edge cuts."""
    sizes = [Counter(end - begin for begin, end in outputs_of(op, axis)) for axis in (0, 1, 2)]
    return [
        ((height, width, depth), sizes[0][height] * sizes[1][width] * sizes[2][depth])
        for height in sizes[0]
        for width in sizes[1]
        for depth in sizes[2]
    ]


def pieces_of(op: BlockOp) -> list[tuple[int, int]]:
    """Row and column of the kernel (dilated) at which each of its pieces begins."""
    return [
        (y, x)
        for x in range(0, op.kernel[1], SUB_KERNEL)
        for y in range(0, op.kernel[0], SUB_KERNEL)
    ]


def reach_of(outputs: Span, piece: int, op: BlockOp, axis: int) -> Span:
    """Rows (or columns) of the input under a piece of the kernel for ``outputs``, inside the map:
    padding is not fetched."""
    size = op.ifm.shape[axis] * (2 if op.upscale else 1)
    length = min(SUB_KERNEL, op.kernel[axis] - piece)
    first = max(0, outputs[0] * op.stride[axis] - op.pad[axis] + piece)
    last = max(first, min(size, (outputs[1] - 1) * op.stride[axis] - op.pad[axis] + piece + length))
    return (first // 2, divide_up(last, 2)) if op.upscale else (first, last)
