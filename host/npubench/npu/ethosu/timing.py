"""How long it takes: from an operation, an accelerator and its memories to cycles and bytes.

Pure functions. The formulas are those by which Arm's compiler Vela estimates (its sources are open,
Apache-2.0; only the facts were taken): a transcription, checked against Vela's own figures. Neither
they nor we have validated them against silicon: the result is ``modelled``, never ``measured``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from npubench.npu.ethosu.blocks import (
    BRICK,
    Blocks,
    constants_of,
    divide_up,
    elements_of,
    fetched_elements,
    ifm_block_of,
    kernel_of,
    ofm_block_of,
    stored_elements,
    sub_kernels_of,
)
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.memory_system import Memory, MemorySystem
from npubench.npu.ethosu.operation import (
    BlockOp,
    DmaOp,
    Elementwise,
    FeatureMap,
    OpKind,
    Pooling,
)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTime:
    """One operation. Cycles of the NPU's clock; tuples are by AXI port.

    ``mac_cycles``: the MAC unit; ``drain_cycles``: from its last step until the last output block
    is written. ``npu_cycles`` is what all units take, ``port_cycles`` what the memories take,
    ``cycles`` the larger of all. A DMA takes no unit. ``bits``: of an input element.
    """

    offset_bytes: int
    macs: int
    mac_cycles: int
    drain_cycles: int
    output_cycles: int
    issue_cycles: int
    npu_cycles: int
    read_bytes: tuple[int, int]
    write_bytes: tuple[int, int]
    port_cycles: tuple[int, int]
    weight_bytes: int
    bits: int = 8

    @property
    def cycles(self) -> int:
        return max(self.npu_cycles, *self.port_cycles)

    @property
    def bound_by_memory(self) -> bool:
        """Whether a memory takes longer than the NPU's units."""
        return max(self.port_cycles) > self.npu_cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class _Units:
    """Cycles of the units, see OperationTime."""

    mac: int = 0
    drain: int = 0
    output: int = 0
    issue: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Transfer:
    """``size_bytes`` cross the port; they cost the bandwidth of ``cost_bytes``."""

    region: int
    size_bytes: int
    cost_bytes: int
    is_read: bool


def operation_time(
    op: BlockOp | DmaOp, accelerator: Accelerator, system: MemorySystem
) -> OperationTime:
    """The time of one operation on its own."""
    if isinstance(op, DmaOp):
        return _dma_time(op, system)
    if op.kind is OpKind.ELEMENTWISE:
        units = _elementwise_cycles(op, accelerator, system)
    else:
        units = _mac_cycles(op, accelerator, system)
    transfers = _transfers(op, system)
    return _finish(
        op.offset_bytes,
        transfers,
        system,
        macs=_macs(op),
        units=units,
        weight_bytes=sum(part.length for part in constants_of(op)),
        bits=op.ifm.bits,
    )


def _finish(
    offset_bytes: int,
    transfers: Sequence[_Transfer],
    system: MemorySystem,
    *,
    macs: int = 0,
    units: _Units,
    weight_bytes: int = 0,
    bits: int = 8,
    latency_cycles: tuple[int, int] = (0, 0),
) -> OperationTime:
    read, write, cycles = [0, 0], [0, 0], [0.0, 0.0]
    for transfer in transfers:
        port = system.region_port(transfer.region)
        side = read if transfer.is_read else write
        side[port] += transfer.size_bytes
        cycles[port] += transfer.cost_bytes / system.ports[port].bytes_per_cycle
    return OperationTime(
        offset_bytes=offset_bytes,
        macs=macs,
        mac_cycles=units.mac,
        drain_cycles=units.drain,
        output_cycles=units.output,
        issue_cycles=units.issue,
        npu_cycles=units.total,
        read_bytes=(read[0], read[1]),
        write_bytes=(write[0], write[1]),
        port_cycles=(int(cycles[0]) + latency_cycles[0], int(cycles[1]) + latency_cycles[1]),
        weight_bytes=weight_bytes,
        bits=bits,
    )


def _dma_time(op: DmaOp, system: MemorySystem) -> OperationTime:
    length = op.source.length
    transfers = [
        _Transfer(region=op.source.region, size_bytes=length, cost_bytes=length, is_read=True)
    ]
    if not op.to_shram:
        transfers.append(
            _Transfer(region=op.target.region, size_bytes=length, cost_bytes=length, is_read=False)
        )
    latency_cycles = [0, 0]
    port = system.region_port(op.source.region)
    latency_cycles[port] = system.ports[port].read_latency_cycles
    return _finish(
        op.offset_bytes,
        transfers,
        system,
        units=_Units(),
        latency_cycles=(latency_cycles[0], latency_cycles[1]),
    )


def _macs(op: BlockOp) -> int:
    """Multiply-accumulates that the operation asks for, padding included."""
    if op.kind is OpKind.ELEMENTWISE:
        return 0
    height, width = kernel_of(op)
    height_out, width_out, depth_out = op.ofm.shape
    macs = height * width * height_out * width_out * depth_out
    reduces = op.kind is OpKind.POOL and op.mode == Pooling.REDUCE_SUM
    return macs * op.ifm.shape[2] if op.kind is OpKind.CONV or reduces else macs


def _mac_cycles(op: BlockOp, accelerator: Accelerator, system: MemorySystem) -> _Units:
    """Convolution, depthwise and pooling."""
    block = ofm_block_of(op)
    ublock = accelerator.ublock
    if (
        ublock[0] == 2
        and op.kind is OpKind.CONV
        and op.ofm.shape[0] == 1
        and op.ofm.shape[1] % 2 == 0
        and kernel_of(op)[0] == 1
    ):
        ublock = (1, 4, ublock[2])
        block = (1, block[1], block[2])
    ublocks_hw = divide_up(block[0], ublock[0]) * divide_up(block[1], ublock[1])
    ublocks_z = divide_up(block[2], ublock[2])
    per_block = sum(
        _sub_kernel_cycles(op, accelerator, elements, ublock[2], ublocks_hw, ublocks_z, block)
        for elements in sub_kernels_of(op)
    )
    ifm_depth = ifm_block_of(op)[2]
    if op.kind is OpKind.CONV or (op.kind is OpKind.POOL and op.mode == Pooling.REDUCE_SUM):
        per_block *= divide_up(op.ifm.shape[2], ifm_depth)
    # Cores take the output channels of a block by turns.
    per_block = divide_up(per_block, accelerator.cores)
    # A block that is cut at an edge costs its share, in whole micro-blocks.
    blocks = 1.0
    for size, part, unit in zip(op.ofm.shape, block, ublock, strict=True):
        blocks *= divide_up(size, unit) / divide_up(part, unit)
    element = _output_cycles(op, accelerator)
    output_block = int(element * elements_of(block))
    written = output_block
    if op.scales is not None:
        latency = system.memory(op.scales.region).read_latency_cycles
        written = max(written, 10 * block[2] * latency // 256)
    issue_block = (_first_and_last(op, system) + written + per_block) // 4
    longer, shorter = max(per_block, issue_block), max(written, issue_block)
    if longer <= shorter:
        longer, shorter = shorter, longer
    return _Units(
        mac=int(per_block * blocks),
        drain=written,
        output=int(output_block * blocks) + per_block,
        issue=int(issue_block * blocks),
        total=int(longer * blocks) + shorter,
    )


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


def _output_cycles(op: BlockOp, accelerator: Accelerator) -> float:
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


def _elementwise_cycles(op: BlockOp, accelerator: Accelerator, system: MemorySystem) -> _Units:
    height, width, depth = op.ofm.shape
    if op.ofm.brick:
        depth = divide_up(depth, BRICK) * BRICK
    count = height * width * depth
    element = _output_cycles(op, accelerator)
    issue = (_first_and_last(op, system) / elements_of(op.block) + element) / 4
    return _Units(
        output=int(element * count),
        issue=int(issue * count),
        total=int(max(element, issue) * count),
    )


def _first_and_last(op: BlockOp, system: MemorySystem) -> int:
    """Cycles to fetch one input block and to store one output block."""
    fetched = 0
    block = ifm_block_of(op) if op.kind is not OpKind.ELEMENTWISE else ofm_block_of(op)
    for fmap in (op.ifm, op.ifm2):
        if fmap is not None:
            present = (
                min(block[0], fmap.shape[0]),
                min(block[1], fmap.shape[1]),
                min(block[2], fmap.shape[2]),
            )
            memory = system.memory(fmap.region)
            moved = _burst(
                fmap, block, elements_of(present) * fmap.element_bytes, memory, is_read=True
            )
            fetched = max(fetched, memory.read_latency_cycles + int(moved / memory.bytes_per_cycle))
    memory = system.memory(op.ofm.region)
    block = ofm_block_of(op)
    moved = _burst(op.ofm, block, elements_of(block) * op.ofm.element_bytes, memory, is_read=False)
    return fetched + memory.write_latency_cycles + int(moved / memory.bytes_per_cycle)


def _burst(fmap: FeatureMap, block: Blocks, moved: int, memory: Memory, *, is_read: bool) -> int:
    """Bytes of bandwidth that ``moved`` bytes cost when bursts are shorter than the memory's."""
    size = fmap.element_bytes
    _, block_width, block_depth = block
    whole_rows = fmap.shape[2] * size == block_depth
    if fmap.brick:
        burst = BRICK * size * block_width
    elif is_read:
        burst = size * block_depth * (block_width if whole_rows else 1)
    elif block_depth <= BRICK and whole_rows:
        burst = size * block_depth * block_width
    else:
        burst = min(64, BRICK * size, block_depth * size)
    burst = max(1, min(memory.burst_bytes, burst))
    return moved * memory.burst_bytes // burst


def _transfers(op: BlockOp, system: MemorySystem) -> list[_Transfer]:
    """Everything that crosses the AXI ports."""
    found: list[_Transfer] = []
    ofm_block = ofm_block_of(op)
    blocks_hw = divide_up(op.ofm.shape[0], ofm_block[0]) * divide_up(op.ofm.shape[1], ofm_block[1])

    def move(fmap: FeatureMap, block: Blocks, elements: int, moved: int, *, is_read: bool) -> None:
        memory = system.memory(fmap.region)
        cost = _burst(fmap, block, elements * fmap.element_bytes, memory, is_read=is_read)
        found.append(
            _Transfer(
                region=fmap.region,
                size_bytes=moved * fmap.element_bytes,
                cost_bytes=cost,
                is_read=is_read,
            )
        )

    if op.kind is OpKind.ELEMENTWISE:
        for fmap in (op.ifm, op.ifm2):
            if fmap is not None:
                elements = stored_elements(fmap, fmap.shape)
                move(fmap, ofm_block, elements, elements, is_read=True)
    else:
        block = ifm_block_of(op)
        per_channel = op.kind is OpKind.DEPTHWISE or (
            op.kind is OpKind.POOL and op.mode != Pooling.REDUCE_SUM
        )
        times = 1 if per_channel else divide_up(op.ofm.shape[2], ofm_block[2])
        fetch = stored_elements(op.ifm, (block[0], block[1], op.ifm.shape[2])) * blocks_hw
        fetch *= len(sub_kernels_of(op))
        move(op.ifm, block, fetch * times, fetched_elements(op) * times, is_read=True)
    for part in constants_of(op):
        size = part.length * blocks_hw
        found.append(_Transfer(region=part.region, size_bytes=size, cost_bytes=size, is_read=True))
    elements = stored_elements(op.ofm, op.ofm.shape)
    move(op.ofm, ofm_block, elements, elements, is_read=False)
    return found


def beats(size_bytes: int, axi_bytes: int) -> int:
    """Data beats of an AXI port of ``axi_bytes`` for a number of bytes."""
    return divide_up(size_bytes, axi_bytes)
