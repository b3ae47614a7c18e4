"""How an operation is cut: blocks of input and output, pieces of a kernel, stored elements."""

from __future__ import annotations

from typing import Final

from npubench.npu.ethosu.operation import BlockOp, FeatureMap, Range

SUB_KERNEL: Final = 8
BRICK: Final = 16

Blocks = tuple[int, int, int]


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


def stored_elements(fmap: FeatureMap, shape: Blocks) -> int:
    """Elements of ``shape`` as the map's format stores them."""
    height, width, depth = shape
    return height * width * (divide_up(depth, BRICK) * BRICK if fmap.brick else depth)


def constants_of(op: BlockOp) -> tuple[Range, ...]:
    """All constants that an operation reads."""
    parts = (op.weights, op.scales, op.weights1, op.scales1)
    return tuple(part for part in parts if part is not None)


def fetched_elements(op: BlockOp) -> int:
    """Input elements that all blocks of rows and columns of the output fetch once: for each piece
    of the kernel what lies under it and inside the map. Padding is not fetched."""
    block = ofm_block_of(op)
    rows, columns = (
        sum(
            _reach((begin, min(begin + block[axis], op.ofm.shape[axis])), piece, op, axis)
            for begin in range(0, op.ofm.shape[axis], block[axis])
            for piece in range(0, op.kernel[axis], SUB_KERNEL)
        )
        for axis in (0, 1)
    )
    return rows * columns * stored_elements(op.ifm, (1, 1, op.ifm.shape[2]))


def _reach(outputs: tuple[int, int], piece: int, op: BlockOp, axis: int) -> int:
    """Rows (or columns) of the input under a piece of the kernel for ``outputs``, begin to end."""
    size = op.ifm.shape[axis] * (2 if op.upscale else 1)
    length = min(SUB_KERNEL, op.kernel[axis] - piece)
    first = max(0, outputs[0] * op.stride[axis] - op.pad[axis] + piece)
    last = min(size, (outputs[1] - 1) * op.stride[axis] - op.pad[axis] + piece + length)
    reach = max(0, last - first)
    return -(-reach // 2) if op.upscale else reach
