"""The events of the NPU's performance counters: which of them the timing core can tell, and how."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from npubench.npu.ethosu.timeline import ProgramTime


class Event(IntEnum):
    """Events that the timing core can tell, by their numbers in PMEVTYPER."""

    NONE = 0x000
    CYCLE = 0x011
    NPU_IDLE = 0x020
    NPU_ACTIVE = 0x023
    MAC_ACTIVE = 0x030
    MAC_ACTIVE_8BIT = 0x031
    MAC_ACTIVE_16BIT = 0x032
    MAC_STALLED_BY_WEIGHTS = 0x035
    MAC_STALLED_BY_INPUT = 0x037
    MAC_ACTIVE_32BIT = 0x038
    OUTPUT_ACTIVE = 0x040
    OUTPUT_ACTIVE_8BIT = 0x041
    OUTPUT_ACTIVE_16BIT = 0x042
    AXI0_READS_ACCEPTED = 0x080
    AXI0_READS_COMPLETED = 0x081
    AXI0_READ_BEATS = 0x082
    AXI0_WRITES_ACCEPTED = 0x084
    AXI0_WRITES_COMPLETED_M = 0x085
    AXI0_WRITES_COMPLETED_S = 0x086
    AXI0_WRITE_BEATS = 0x087
    AXI0_ENABLED_CYCLES = 0x08C
    AXI1_READS_ACCEPTED = 0x180
    AXI1_READS_COMPLETED = 0x181
    AXI1_READ_BEATS = 0x182
    AXI1_WRITES_ACCEPTED = 0x184
    AXI1_WRITES_COMPLETED_M = 0x185
    AXI1_WRITES_COMPLETED_S = 0x186
    AXI1_WRITE_BEATS = 0x187
    AXI1_ENABLED_CYCLES = 0x18C


UNKNOWN: Final = {
    (0x021, 0x022): "CC_STALLED_ON_BLOCKDEP, _ON_SHRAM_RECONFIG: operations run one after another",
    (0x033, 0x034, 0x036, 0x039, 0x03A): (
        "MAC_DPU_ACTIVE, MAC_STALLED_BY_WD_ACC, _BY_ACC, _BY_INT_W, _BY_INT_ACC: stalls are known "
        "by operation and port, not by buffer"
    ),
    tuple(range(0x043, 0x049)): "AO_STALLED_*: as above",
    tuple(range(0x050, 0x05C)): "WD_*: the weight decoder has a rate, no pipeline",
    (0x083, 0x088, 0x089, 0x08E, 0x08F, 0x183, 0x188, 0x189, 0x18E, 0x18F): (
        "AXI*_STALL*: a port has a bandwidth and a latency, no transactions"
    ),
    tuple(range(0x0A0, 0x0A7)): "AXI_LATENCY_*: as above",
    (0x0B0, 0x0B1, 0x1B1): "ECC_*: memories do not fail",
}
"""Documented events that stay at zero, by their numbers, and why."""
_TRANSACTION_BEATS: Final = 8
"""Of 64 bytes: transactions are told as beats over this."""


def event_counts(time: ProgramTime) -> dict[int, int]:
    """What each event counts over a stream, as far as the timing core can tell."""
    found: dict[int, int] = {
        Event.CYCLE: time.cycles,
        Event.NPU_ACTIVE: time.cycles,
        # The PMU counts within jobs here. What Arm's figures show as idle is the step of its model:
        # the interrupt comes with the next thousand of cycles (docs/npu-fidelity.md).
        Event.NPU_IDLE: 0,
        Event.MAC_ACTIVE: time.mac_cycles,
        Event.MAC_ACTIVE_8BIT: sum(op.mac_cycles for op in time.operations if op.bits == 8),
        Event.MAC_ACTIVE_16BIT: sum(op.mac_cycles for op in time.operations if op.bits == 16),
        Event.MAC_ACTIVE_32BIT: sum(op.mac_cycles for op in time.operations if op.bits == 32),
        Event.MAC_STALLED_BY_WEIGHTS: time.weight_stall_cycles,
        Event.MAC_STALLED_BY_INPUT: time.input_stall_cycles,
        Event.OUTPUT_ACTIVE: sum(op.output_cycles for op in time.operations),
        Event.OUTPUT_ACTIVE_8BIT: sum(op.output_cycles for op in time.operations if op.bits == 8),
        Event.OUTPUT_ACTIVE_16BIT: sum(op.output_cycles for op in time.operations if op.bits == 16),
    }
    for port, read, write, enabled in (
        (0, Event.AXI0_READ_BEATS, Event.AXI0_WRITE_BEATS, Event.AXI0_ENABLED_CYCLES),
        (1, Event.AXI1_READ_BEATS, Event.AXI1_WRITE_BEATS, Event.AXI1_ENABLED_CYCLES),
    ):
        reads, writes = time.read_beats(port), time.write_beats(port)
        found |= {read: reads, write: writes, enabled: time.cycles}
        base = read - 2
        found |= {base: -(-reads // _TRANSACTION_BEATS), base + 1: -(-reads // _TRANSACTION_BEATS)}
        for offset in (4, 5, 6):
            found[base + offset] = -(-writes // _TRANSACTION_BEATS)
    return {int(event): count for event, count in found.items()}
