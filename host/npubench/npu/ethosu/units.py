"""Cycles of the NPU's units: what the MAC and the output unit take for one output block.

The formulas are those by which Arm's compiler Vela estimates (its sources are open, Apache-2.0;
only the facts were taken). Where its two cores differ, the older one's is taken: the newer counts
four times the cycles for an 8-bit pooling, which Arm's own model of the NPU does not show.
"""

from __future__ import annotations

from typing import Final

from npubench.npu.ethosu.blocks import (
    Blocks,
    divide_up,
    elements_of,
    ifm_block_of,
    kernel_of,
    sub_kernels_of,
)
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.operation import BlockOp, Elementwise, OpKind, Pooling

ACC_40: Final = 1

# Cycles per output element: 32-bit unary and binary elementwise, MUL to 32 bits, MUL or 40-bit
# accumulators, simple ADD/SUB, ADD/SUB with scaling, maximum pooling, all else.
_OUTPUT_CYCLES: Final = {
    32: (2.0, 3.0, 3.0, 3.0, 4.0, 6.0, 1.0, 2.0),
    64: (1.0, 1.5, 1.5, 1.5, 2.0, 3.0, 0.5, 1.0),
    128: (0.75, 1.25, 0.75, 0.75, 1.0, 1.5, 0.25, 0.5),
    256: (0.625, 1.125, 0.5, 0.375, 0.5, 0.75, 0.125, 0.25),
}
# Cycles per element of an activation: table or curve, clamp, none.
_ACTIVATION_CYCLES: Final = {
    32: (1.0, 1.0, 0.0),
    64: (1.0, 1.0, 0.0),
    128: (1.0, 0.5, 0.0),
    256: (1.0, 0.25, 0.0),
}


def sums_channels(op: BlockOp) -> bool:
    """Whether each output channel needs all of the input's."""
    return op.kind is OpKind.CONV or (op.kind is OpKind.POOL and op.mode == Pooling.REDUCE_SUM)


def micro_block_of(op: BlockOp, accelerator: Accelerator) -> Blocks:
    """The micro-block that a core works on: flat ones for rows on their own."""
    ublock = accelerator.ublock
    flat = op.ofm.shape[0] == 1 and op.ofm.shape[1] % 2 == 0 and kernel_of(op)[0] == 1
    if ublock[0] == 2 and op.kind is OpKind.CONV and flat:
        return (1, 4, ublock[2])
    return ublock


def mac_steps(op: BlockOp, accelerator: Accelerator, block: Blocks) -> list[int]:
    """Cycles of the MAC unit for an output block of the size ``block``, for each piece of the
    kernel and (of sums) each slice of the input's depth, in their order. Cores take the output
    channels by turns; a core's share is filled up to whole micro-blocks."""
    if op.kind is OpKind.ELEMENTWISE:
        return []
    ublock = micro_block_of(op, accelerator)
    ublocks_hw = divide_up(block[0], ublock[0]) * divide_up(block[1], ublock[1])
    ublocks_z = divide_up(divide_up(block[2], accelerator.cores), ublock[2])
    slices = divide_up(op.ifm.shape[2], ifm_block_of(op)[2]) if sums_channels(op) else 1
    steps: list[int] = []
    for elements in sub_kernels_of(op):
        cycles = _sub_kernel_cycles(
            op, accelerator, elements, ublock[2], ublocks_hw, ublocks_z, block
        )
        steps += [cycles] * slices
    return steps


def output_cycles(op: BlockOp, accelerator: Accelerator, block: Blocks) -> float:
    """Cycles of the output unit for a block; its channels are filled up as those of the MACs."""
    depth = accelerator.ublock[2]
    channels = divide_up(divide_up(block[2], accelerator.cores), depth) * depth * accelerator.cores
    return element_cycles(op, accelerator) * elements_of((block[0], block[1], channels))


def _sub_kernel_cycles(
    op: BlockOp,
    accelerator: Accelerator,
    elements: int,
    ublock_depth: int,
    ublocks_hw: int,
    ublocks_z: int,
    block: Blocks,
) -> int:
    """Cycles of one output block and one piece of the kernel."""
    weights_floor = 32 * ublock_depth // 8
    bits = op.ifm.bits
    depth_steps = 1
    if op.kind is OpKind.POOL and op.mode != Pooling.REDUCE_SUM:
        steps = 1
        cycles = max(4, elements) * ublocks_hw * ublocks_z
        if accelerator.macs != 32:
            cycles *= bits // 8
    elif op.kind is OpKind.DEPTHWISE:
        steps = divide_up(elements, 4)
        cycles = max(weights_floor, 4 * ublocks_hw * (bits // 8)) * steps * ublocks_z
    elif op.kind is OpKind.CONV and op.part_kernel:
        steps = divide_up(elements, 2 if bits == 16 else 4)
        depth_steps = divide_up(ifm_block_of(op)[2], 8)
        cycles = max(weights_floor, 4 * ublocks_hw) * steps * ublocks_z * depth_steps
    else:
        steps = elements
        cycles = max(weights_floor, 4 * ublocks_hw) * steps * ublocks_z
    return cycles + _delay(accelerator, op, steps, ublocks_hw, ublocks_z, block) * depth_steps


def _delay(
    accelerator: Accelerator,
    op: BlockOp,
    steps: int,
    ublocks_hw: int,
    ublocks_z: int,
    block: Blocks,
) -> int:
    """Cycles that blocks of a single micro-block lose in the pipeline."""
    wide = op.acc_format == ACC_40
    if accelerator.macs == 32:
        delay = 7 if wide else 3
    else:
        delay = 3 if wide and accelerator.macs <= 128 else 2
    lost = 0
    if ublocks_hw == 1:
        if ublocks_z == 1:
            lost = delay * steps
        elif steps > 1:
            lost = delay * (steps - 1) * ublocks_z
    if accelerator.macs == 32 and wide and ublocks_z > 1 and 1 in block[:2]:
        lost += delay * ublocks_z
    return lost


def element_cycles(op: BlockOp, accelerator: Accelerator) -> float:
    """Cycles per element that leaves the output unit."""
    row = _OUTPUT_CYCLES[accelerator.macs // accelerator.cores]
    elementwise = op.kind is OpKind.ELEMENTWISE
    mode = Elementwise(op.mode) if elementwise else None
    if elementwise and op.ifm.bits == 32:
        index = 0 if op.ifm2 is None and op.ifm2_scalar is None else 1
    elif mode is Elementwise.MUL and op.ofm.bits == 32:
        index = 2
    elif mode is Elementwise.MUL or (not elementwise and op.acc_format == ACC_40):
        index = 3
    elif mode in (Elementwise.ADD, Elementwise.SUB):
        index = 5
    elif op.kind is OpKind.POOL and op.mode == Pooling.MAX:
        index = 6
    else:
        index = 7
    curve = _ACTIVATION_CYCLES[accelerator.macs // accelerator.cores]
    if op.lut is not None or op.activation in (3, 4):
        activation = curve[0]
    else:
        low, high = op.activation_range
        full = (-(1 << (op.ofm.bits - 1)), (1 << (op.ofm.bits - 1)) - 1)
        activation = curve[2] if op.ofm.bits == 32 or (low, high) == full else curve[1]
    return max(row[index], activation) / accelerator.cores
