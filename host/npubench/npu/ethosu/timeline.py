"""When the operations of a command stream run: one after the other, with copies beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.memory_system import REGION_CONSTANTS, MemorySystem
from npubench.npu.ethosu.operation import BlockOp, DmaOp, Operation, WaitOp
from npubench.npu.ethosu.timing import OperationTime, operation_time


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


def program_time(
    program: Sequence[Operation], accelerator: Accelerator, system: MemorySystem
) -> ProgramTime:
    """The time line of a stream: block operations one after the other, DMA beside them, waits where
    the stream has them. Both share the ports' bandwidth; that they slow each other is not modelled.
    """
    times: list[OperationTime] = []
    spans: list[int] = []
    now = 0
    kernels: list[int] = []
    copies: list[int] = []
    for operation in program:
        if isinstance(operation, BlockOp | DmaOp):
            time = operation_time(operation, accelerator, system)
            times.append(time)
            engine = copies if isinstance(operation, DmaOp) else kernels
            before = engine[-1] if engine else 0
            engine.append(max(now, before) + time.cycles)
            spans.append(0 if isinstance(operation, DmaOp) else engine[-1] - before)
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
