"""How long it takes: from an operation, an accelerator and its memories to cycles and bytes.

Pure functions. An operation is a pipeline: input and constants are fetched, the MAC unit works, the
output unit works, the output is written, block by block and side by side. It takes as long as its
slowest part, before that what the first block needs to come there, behind it what the last needs to
get out. ``modelled``, never ``measured``: docs/npu-fidelity.md says how far it is from Arm's own
model, docs/npu.md how far from the few times of silicon that were published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from npubench.npu.ethosu.blocks import (
    block_sizes_of,
    constants_of,
    divide_up,
    kernel_of,
    ofm_block_of,
    outputs_of,
)
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.memory_system import MemorySystem
from npubench.npu.ethosu.operation import BlockOp, DmaOp, OpKind
from npubench.npu.ethosu.traffic import Transfer, first_reads_of, last_write_of, transfers_of
from npubench.npu.ethosu.units import mac_steps, output_cycles, sums_channels

OPERATION_CYCLES: Final = 40
"""What an operation costs beside its parts. Fitted (docs/npu-fidelity.md)."""
WEIGHTS_UNDER_WAY_BYTES: Final = 1216
"""Bytes of constants that one core has asked for and not yet got. Fitted likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTime:
    """One operation. Cycles of the NPU's clock; tuples are by AXI port.

    ``mac_cycles``, ``output_cycles``: at work. ``npu_cycles`` is what all units take, from the
    first fetch to the last write; ``port_cycles`` the same of the memories; ``cycles`` the largest.
    ``fill_cycles``: until the first block has its input; ``drain_cycles``: from the MAC unit's last
    step until all is written. A DMA takes no unit. ``bits``: of an input element.
    """

    offset_bytes: int
    macs: int = 0
    mac_cycles: int = 0
    fill_cycles: int = 0
    drain_cycles: int = 0
    output_cycles: int = 0
    npu_cycles: int = 0
    read_bytes: tuple[int, int]
    write_bytes: tuple[int, int]
    read_beats: tuple[int, int]
    write_beats: tuple[int, int]
    port_cycles: tuple[int, int]
    weight_bytes: int = 0
    bits: int = 8

    @property
    def cycles(self) -> int:
        return max(self.npu_cycles, *self.port_cycles)

    @property
    def bound_by_memory(self) -> bool:
        """Whether a memory takes longer than the NPU's units."""
        return max(self.port_cycles) > self.npu_cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pipeline:
    """Cycles of the parts: whole, and of the first and last block."""

    mac: int
    mac_first: int
    mac_last_step: int
    output: float
    output_last: float
    steps: int


def operation_time(
    op: BlockOp | DmaOp,
    accelerator: Accelerator,
    system: MemorySystem,
    *,
    beside_bytes: tuple[int, int] = (0, 0),
) -> OperationTime:
    """The time of one operation. ``beside_bytes`` cross the ports while it runs, of a copy."""
    if isinstance(op, DmaOp):
        return _dma_time(op, system)
    transfers = transfers_of(op, system.axi_bytes, cores=accelerator.cores)
    units = _pipeline(op, accelerator)
    write = last_write_of(op, system.axi_bytes, cores=accelerator.cores)
    port = system.region_port(write.region)
    written = _cycles(write.beats, port, system, is_read=False)
    latency = system.ports[port].write_latency_cycles
    fill = _fill_cycles(op, system, units.steps)
    drain = units.output_last + written
    whole = max(
        fill + units.mac + drain,
        fill + units.mac_first + units.output + written,
    )
    behind = units.mac_last_step + units.output_last
    ports = [
        _port_cycles(index, transfers, system, behind, written if index != port else 0.0)
        for index in (0, 1)
    ]
    ports = [
        max(cycles, _constants_cycles(op, index, accelerator, system) + behind + written)
        for index, cycles in enumerate(ports)
    ]
    if any(beside_bytes):
        base = max(whole, *ports)
        ports = [
            cycles + _beside_cycles(beside_bytes[index], index, base, system) if cycles else 0.0
            for index, cycles in enumerate(ports)
        ]
    around = OPERATION_CYCLES + latency
    return OperationTime(
        offset_bytes=op.offset_bytes,
        macs=_macs(op),
        mac_cycles=units.mac,
        fill_cycles=OPERATION_CYCLES + int(fill),
        drain_cycles=int(drain) + latency,
        output_cycles=int(units.output),
        npu_cycles=int(whole) + around,
        read_bytes=_by_port(transfers, system, "size_bytes", is_read=True),
        write_bytes=_by_port(transfers, system, "size_bytes", is_read=False),
        read_beats=_by_port(transfers, system, "beats", is_read=True),
        write_beats=_by_port(transfers, system, "beats", is_read=False),
        port_cycles=(
            int(ports[0]) + around if ports[0] else 0,
            int(ports[1]) + around if ports[1] else 0,
        ),
        weight_bytes=sum(part.length for part in constants_of(op)),
        bits=op.ifm.bits,
    )


def _cycles(beats: float, port: int, system: MemorySystem, *, is_read: bool = True) -> float:
    return beats * system.axi_bytes / system.ports[port].rate(is_read=is_read)


def _by_port(
    transfers: Sequence[Transfer], system: MemorySystem, what: str, *, is_read: bool
) -> tuple[int, int]:
    found = [0, 0]
    for item in transfers:
        if item.is_read is is_read:
            found[system.region_port(item.region)] += getattr(item, what)
    return found[0], found[1]


def _pipeline(op: BlockOp, accelerator: Accelerator) -> _Pipeline:
    mac, output = 0, 0.0
    for size, count in block_sizes_of(op):
        mac += count * sum(mac_steps(op, accelerator, size))
        output += count * output_cycles(op, accelerator, size)
    ends = [outputs_of(op, axis)[-1] for axis in (0, 1, 2)]
    height, width, depth = (end - begin for begin, end in ends)
    last = (height, width, depth)
    first_steps = mac_steps(op, accelerator, ofm_block_of(op))
    return _Pipeline(
        mac=mac,
        mac_first=sum(first_steps),
        mac_last_step=(mac_steps(op, accelerator, last) or [0])[-1],
        output=output,
        output_last=output_cycles(op, accelerator, last),
        steps=len(first_steps),
    )


def _fill_cycles(op: BlockOp, system: MemorySystem, steps: int) -> float:
    """Until the MAC unit has what its first step needs."""
    beats = [0, 0]
    for item in first_reads_of(op, system.axi_bytes, steps):
        beats[system.region_port(item.region)] += item.beats
    return max(
        system.ports[port].read_latency_cycles + _cycles(count, port, system) if count else 0.0
        for port, count in enumerate(beats)
    )


def _port_cycles(
    port: int, transfers: Sequence[Transfer], system: MemorySystem, behind: float, written: float
) -> float:
    """What one memory takes, reading and writing by turns; 0 where it is not asked. Behind its last
    beat the last step passes the units and is ``written``."""
    beats = sum(item.beats for item in transfers if system.region_port(item.region) == port)
    if not beats:
        return 0.0
    latency = system.ports[port].read_latency_cycles
    return latency + _cycles(beats, port, system) + behind + written


def _constants_cycles(
    op: BlockOp, port: int, accelerator: Accelerator, system: MemorySystem
) -> float:
    """What constants take that are read faster than a memory of a long latency answers."""
    times = len(outputs_of(op, 0)) * len(outputs_of(op, 1))
    size = sum(part.length for part in constants_of(op) if system.region_port(part.region) == port)
    latency = system.ports[port].read_latency_cycles
    if not size or not latency:
        return 0.0
    return latency + size * times * latency / (accelerator.cores * WEIGHTS_UNDER_WAY_BYTES)


def _beside_cycles(size_bytes: int, port: int, base: float, system: MemorySystem) -> float:
    """What a copy beside an operation of ``base`` cycles takes of a port: it comes no faster than
    the slower of both memories."""
    own = system.ports[port].bytes_per_cycle
    rate = min(memory.bytes_per_cycle for memory in system.ports)
    if rate < own:
        size_bytes = min(size_bytes, int(base * rate / (1 - rate / own)))
    return size_bytes / own


def _dma_time(op: DmaOp, system: MemorySystem) -> OperationTime:
    length = op.source.length
    beats = divide_up(length, system.axi_bytes)
    moves = [Transfer(region=op.source.region, size_bytes=length, beats=beats, is_read=True)]
    if not op.to_shram:
        moves.append(
            Transfer(region=op.target.region, size_bytes=length, beats=beats, is_read=False)
        )
    source = system.region_port(op.source.region)
    ports = [0.0, 0.0]
    for item in moves:
        port = system.region_port(item.region)
        ports[port] += _cycles(item.beats, port, system, is_read=item.is_read)
    ports[source] += system.ports[source].read_latency_cycles
    return OperationTime(
        offset_bytes=op.offset_bytes,
        read_bytes=_by_port(moves, system, "size_bytes", is_read=True),
        write_bytes=_by_port(moves, system, "size_bytes", is_read=False),
        read_beats=_by_port(moves, system, "beats", is_read=True),
        write_beats=_by_port(moves, system, "beats", is_read=False),
        port_cycles=(int(ports[0]), int(ports[1])),
    )


def _macs(op: BlockOp) -> int:
    """Multiply-accumulates that the operation asks for, padding included."""
    if op.kind is OpKind.ELEMENTWISE:
        return 0
    height, width = kernel_of(op)
    height_out, width_out, depth_out = op.ofm.shape
    macs = height * width * height_out * width_out * depth_out
    return macs * op.ifm.shape[2] if sums_channels(op) else macs
