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
