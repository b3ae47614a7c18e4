"""When the operations of a command stream run: one after the other, with copies beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from npubench.npu.ethosu.blocks import divide_up
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.memory_system import REGION_CONSTANTS, MemorySystem
from npubench.npu.ethosu.operation import BlockOp, DmaOp, Operation, PmuMaskOp, WaitOp
from npubench.npu.ethosu.timing import OperationTime, operation_time
from npubench.npu.ethosu.traffic import is_independent


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramTime:
    """A whole command stream. ``cycles``: from the first command to the last operation's end.

    ``spans``: for each of ``operations`` the cycles from the end of the block operation before it
    to its own end, 0 for a DMA; their sum is the time until the last block operation's end.
    ``stream_bytes`` of commands are read over ``queue_port``.
    """

    cycles: int
    axi_bytes: int
    stream_bytes: int
    queue_port: int
    operations: tuple[OperationTime, ...]
    spans: tuple[int, ...]

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.operations)

    @property
    def mac_cycles(self) -> int:
        return sum(op.mac_cycles for op in self.operations)

    @property
    def weight_stall_cycles(self) -> int:
        """Cycles by which port 1, behind which constants lie, holds operations up."""
        return sum(
            max(0, op.port_cycles[1] - max(op.npu_cycles, op.port_cycles[0]))
            for op in self.operations
            if op.npu_cycles
        )

    @property
    def input_stall_cycles(self) -> int:
        """Cycles by which port 0 holds operations up."""
        return sum(
            max(0, op.port_cycles[0] - max(op.npu_cycles, op.port_cycles[1]))
            for op in self.operations
            if op.npu_cycles
        )

    def read_bytes(self, port: int) -> int:
        commands = self.stream_bytes if port == self.queue_port else 0
        return commands + sum(op.read_bytes[port] for op in self.operations)

    def write_bytes(self, port: int) -> int:
        return sum(op.write_bytes[port] for op in self.operations)

    def read_beats(self, port: int) -> int:
        commands = divide_up(self.stream_bytes, self.axi_bytes) if port == self.queue_port else 0
        return commands + sum(op.read_beats[port] for op in self.operations)

    def write_beats(self, port: int) -> int:
        return sum(op.write_beats[port] for op in self.operations)


def program_time(
    program: Sequence[Operation], accelerator: Accelerator, system: MemorySystem
) -> ProgramTime:
    """The time line of a stream: block operations one after the other, copies beside them, waits
    where the stream has them. A copy takes its share of the ports from the operation that it
    follows. An operation that needs nothing of the one before it fetches while that one drains.
    """
    beside = _copies_beside(program, system)
    times: list[OperationTime] = []
    spans: list[int] = []
    now = 0
    kernels: list[int] = []
    copies: list[int] = []
    before: BlockOp | None = None
    drain = 0
    for index, operation in enumerate(program):
        if isinstance(operation, BlockOp):
            time = operation_time(
                operation, accelerator, system, beside_bytes=beside.get(index, (0, 0))
            )
            end = kernels[-1] if kernels else 0
            early = 0
            if before is not None and now <= end and is_independent(before, operation):
                early = min(time.fill_cycles, drain)
            kernels.append(max(now, end) + time.cycles - early)
            spans.append(kernels[-1] - end)
            times.append(time)
            before, drain = operation, time.drain_cycles
        elif isinstance(operation, DmaOp):
            time = operation_time(operation, accelerator, system)
            copies.append(max(now, copies[-1] if copies else 0) + time.cycles)
            spans.append(0)
            times.append(time)
        elif isinstance(operation, WaitOp):
            engine = copies if operation.dma else kernels
            last = len(engine) - operation.outstanding
            if last > 0:
                now = max(now, engine[last - 1])
    return ProgramTime(
        axi_bytes=system.axi_bytes,
        # All up to STOP, whose own word is the last.
        stream_bytes=program[-1].offset_bytes + 4 if program else 0,
        queue_port=system.region_port(REGION_CONSTANTS),
        cycles=max([now, *kernels[-1:], *copies[-1:]]),
        operations=tuple(times),
        spans=tuple(spans),
    )


def counted_part(program: Sequence[Operation], time: ProgramTime) -> ProgramTime:
    """What performance counters see of ``time``, the time of ``program``, where its PMU_MASK
    commands switch them. A stream begins with counting on."""
    counts, begin, stream_bytes = True, 0, 0
    seen: list[bool] = []
    for operation in program:
        if isinstance(operation, BlockOp | DmaOp):
            seen.append(counts)
        elif isinstance(operation, PmuMaskOp):
            end = operation.offset_bytes + 4
            stream_bytes += end - begin if counts else 0
            begin, counts = end, operation.counts
    kept = [index for index, value in enumerate(seen) if value]
    cycles = sum(time.spans[index] for index in kept)
    if counts:
        stream_bytes += time.stream_bytes - begin
        cycles += time.cycles - sum(time.spans)
    return replace(
        time,
        cycles=cycles,
        stream_bytes=stream_bytes,
        operations=tuple(time.operations[index] for index in kept),
        spans=tuple(time.spans[index] for index in kept),
    )


def _copies_beside(
    program: Sequence[Operation], system: MemorySystem
) -> dict[int, tuple[int, int]]:
    """Bytes by port that copies move beside a block operation: those that follow it."""
    found: dict[int, list[int]] = {}
    last: int | None = None
    for index, operation in enumerate(program):
        if isinstance(operation, BlockOp):
            last = index
        elif isinstance(operation, DmaOp) and last is not None:
            moved = found.setdefault(last, [0, 0])
            moved[system.region_port(operation.source.region)] += operation.source.length
            if not operation.to_shram:
                moved[system.region_port(operation.target.region)] += operation.source.length
    return {index: (moved[0], moved[1]) for index, moved in found.items()}
