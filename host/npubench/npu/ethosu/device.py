"""The device around the cores: registers, jobs, performance counters, faults.

Registers are a page of ordinary shared memory: a write has no effect until the doorbell rings, when
``Device.ring`` applies it. One write per register and doorbell is therefore all that is seen, which
is how the driver works. Offsets and fields: Arm Ethos-U55 NPU Technical Reference Manual.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

from npubench.core.errors import NpubenchError
from npubench.npu.ethosu.config import ARCH_ID, Accelerator
from npubench.npu.ethosu.memory_system import MemorySystem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from npubench.npu.ethosu.functional import FunctionalCore
    from npubench.npu.ethosu.operation import Operation
    from npubench.npu.ethosu.timeline import ProgramTime

log = logging.getLogger(__name__)

PAGE_BYTES: Final = 0x1000
RING_RESET: Final = ord("R")
RING_JOB: Final = ord("J")
GONE: Final = 0xFFFFFFFF
"""What a bus without a device reads."""
EVENT_COUNTERS: Final = 4
REGIONS: Final = 8
_STREAM_ALIGN: Final = 16
_STREAM_LIMIT_BYTES: Final = 16 << 20
_PAGE_FILL: Final = b"\0" * PAGE_BYTES


class Register(IntEnum):
    """Byte offsets in the page. BASEP has eight entries of 64 bits, the last two four of 32."""

    ID = 0x000
    STATUS = 0x004
    CMD = 0x008
    RESET = 0x00C
    QBASE = 0x010
    QREAD = 0x018
    QCONFIG = 0x01C
    QSIZE = 0x020
    PROT = 0x024
    CONFIG = 0x028
    REGIONCFG = 0x03C
    BASEP = 0x080
    PMCR = 0x180
    PMCNTENSET = 0x184
    PMCNTENCLR = 0x188
    PMOVSSET = 0x18C
    PMOVSCLR = 0x190
    PMINTSET = 0x194
    PMINTCLR = 0x198
    PMCCNTR = 0x1A0
    PMCCNTR_CFG = 0x1A8
    PMEVCNTR = 0x300
    PMEVTYPER = 0x380


class Status(IntFlag):
    """STATUS. ``ENDED`` also carries the interrupt history in its upper half."""

    RUNNING = 1 << 0
    IRQ = 1 << 1
    BUS = 1 << 2
    RESET = 1 << 3
    PARSE = 1 << 4
    END = 1 << 5
    WEIGHTS = 1 << 7


class Command(IntFlag):
    """CMD."""

    RUN = 1 << 0
    CLEAR_IRQ = 1 << 1
    CLOCK_OFF = 1 << 2
    POWER_OFF = 1 << 3


class Event(IntEnum):
    """The PMU events that the timing core can tell."""

    NONE = 0x000
    CYCLE = 0x011
    NPU_IDLE = 0x020
    NPU_ACTIVE = 0x023
    MAC_ACTIVE = 0x030
    MAC_STALLED_BY_WEIGHTS = 0x035
    MAC_STALLED_BY_INPUT = 0x037
    OUTPUT_ACTIVE = 0x040
    AXI0_READ_BEATS = 0x082
    AXI0_WRITE_BEATS = 0x087
    AXI1_READ_BEATS = 0x182
    AXI1_WRITE_BEATS = 0x187


_PMCR_ENABLE: Final = 1
_PMCR_RESET_EVENTS: Final = 2
_PMCR_RESET_CYCLES: Final = 4
_PMCR_COUNTERS: Final = EVENT_COUNTERS << 11
_PM_CYCLES: Final = 1 << 31
_IRQ_HISTORY: Final = 0xFFFF << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Guest memory that the NPU can reach: ``base`` is the guest's address of ``data[0]``."""

    base: int
    data: npt.NDArray[np.uint8]


class Device:
    """One NPU. ``page`` is its register page in shared memory, ``window`` what its ports reach.

    Making one leaves the page alone: the guest may have written to it already. The driver's first
    act, a reset, fills it.
    """

    def __init__(
        self, accelerator: Accelerator, system: MemorySystem, *, page: memoryview, window: Window
    ) -> None:
        from npubench.npu.ethosu.functional import FunctionalCore

        self._accelerator = accelerator
        self._system = system
        self._page = page
        self._window = window
        self._core: FunctionalCore = FunctionalCore(accelerator)
        self._programs: dict[bytes, tuple[Operation, ...]] = {}
        self._times: dict[tuple[bytes, int], ProgramTime] = {}
        self._enabled = 0
        self._events = [0] * EVENT_COUNTERS
        self._cycles = 0

    # --- registers -------------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        """A 32-bit register."""
        return int(struct.unpack_from("<I", self._page, offset)[0])

    def write(self, offset: int, value: int) -> None:
        """Set what a register reads."""
        struct.pack_into("<I", self._page, offset, value & 0xFFFFFFFF)

    def _read64(self, offset: int) -> int:
        return int(struct.unpack_from("<Q", self._page, offset)[0])

    def reset(self, *, privilege: int) -> None:
        """All registers as after a reset: stopped, no fault, counters at zero."""
        self._page[:PAGE_BYTES] = _PAGE_FILL
        self.write(Register.ID, ARCH_ID)
        self.write(Register.CONFIG, self._accelerator.config_register)
        self.write(Register.PROT, privilege & 3)
        self.write(Register.CMD, Command.CLOCK_OFF | Command.POWER_OFF)
        self.write(Register.PMCR, _PMCR_COUNTERS)
        self._enabled = 0
        self._events = [0] * EVENT_COUNTERS
        self._cycles = 0

    # --- doorbell --------------------------------------------------------------------------------

    def ring(self, reason: int) -> None:
        """Apply what the driver wrote since the last doorbell. Never raises for what it wrote."""
        if reason == RING_RESET:
            self.reset(privilege=self.read(Register.RESET))
            return
        self._apply_counters()
        command = self.read(Register.CMD)
        status = self.read(Register.STATUS)
        if command & Command.CLEAR_IRQ:
            status &= ~Status.IRQ
        if command & Command.RUN:
            # The driver lowers the interrupt of a job before it starts the next; both writes go to
            # one register, and only the last is seen.
            status = self._run()
        self.write(Register.STATUS, status)
        self.write(Register.CMD, command & (Command.CLOCK_OFF | Command.POWER_OFF))
        self._show_counters()

    def _run(self) -> int:
        """Run the queued stream; the STATUS that follows."""
        from npubench.npu.ethosu.isa import StreamError, StreamFault

        faults = {
            StreamFault.PARSE: Status.PARSE,
            StreamFault.BUS: Status.BUS,
            StreamFault.WEIGHTS: Status.WEIGHTS,
        }
        try:
            program, time = self._prepare()
            self._core.run(program, self._regions())
        except StreamError as error:
            log.warning("%s", error.message)
            if error.offset_bytes is not None:
                self.write(Register.QREAD, error.offset_bytes)
            return Status.IRQ | faults[error.fault]
        except NpubenchError as error:
            log.warning("%s", error.message)
            return Status.IRQ | Status.BUS
        self.write(Register.QREAD, self.read(Register.QSIZE))
        self._count(time)
        return Status.IRQ | Status.END | _IRQ_HISTORY

    def _prepare(self) -> tuple[tuple[Operation, ...], ProgramTime]:
        """The decoded stream and its time; both kept by the stream's bytes."""
        from npubench.npu.ethosu.hazards import check_hazards
        from npubench.npu.ethosu.isa import StreamError, StreamFault
        from npubench.npu.ethosu.operation import operations
        from npubench.npu.ethosu.timeline import program_time

        base, size = self._read64(Register.QBASE), self.read(Register.QSIZE)
        if base % _STREAM_ALIGN or size % 4 or not 0 < size <= _STREAM_LIMIT_BYTES:
            raise StreamError(f"a queue of {size} bytes at {base:#x}", fault=StreamFault.PARSE)
        begin = base - self._window.base
        if begin < 0 or begin + size > self._window.data.size:
            raise StreamError(f"the queue at {base:#x} is not in memory", fault=StreamFault.BUS)
        stream = self._window.data[begin : begin + size].tobytes()
        program = self._programs.get(stream)
        if program is None:
            program = tuple(operations(struct.unpack(f"<{size // 4}I", stream)))
            check_hazards(program, self._accelerator)
            self._programs[stream] = program
        ports = self.read(Register.REGIONCFG)
        time = self._times.get((stream, ports))
        if time is None:
            system = self._system.with_region_ports(
                tuple((ports >> (2 * region + 1)) & 1 for region in range(REGIONS))
            )
            time = self._times[stream, ports] = program_time(program, self._accelerator, system)
        return program, time

    def _regions(self) -> Mapping[int, npt.NDArray[np.uint8]]:
        """Memory from each base pointer on, to the window's end. A pointer outside has none."""
        regions = {}
        for index in range(REGIONS):
            begin = self._read64(Register.BASEP + 8 * index) - self._window.base
            if 0 <= begin < self._window.data.size and begin % _STREAM_ALIGN == 0:
                regions[index] = self._window.data[begin:]
        return regions

    # --- performance counters --------------------------------------------------------------------

    def _apply_counters(self) -> None:
        control = self.read(Register.PMCR)
        if control & _PMCR_RESET_EVENTS:
            self._events = [0] * EVENT_COUNTERS
        if control & _PMCR_RESET_CYCLES:
            self._cycles = 0
        self.write(Register.PMCR, _PMCR_COUNTERS | control & _PMCR_ENABLE)
        self._enabled |= self.read(Register.PMCNTENSET)
        self._enabled &= ~self.read(Register.PMCNTENCLR)

    def _show_counters(self) -> None:
        self.write(Register.PMCNTENSET, self._enabled)
        for register in (Register.PMCNTENCLR, Register.PMOVSSET, Register.PMOVSCLR):
            self.write(register, 0)
        self.write(Register.PMCCNTR, self._cycles)
        self.write(Register.PMCCNTR + 4, (self._cycles >> 32) & 0xFFFF)
        for index, value in enumerate(self._events):
            self.write(Register.PMEVCNTR + 4 * index, value)

    def _count(self, time: ProgramTime) -> None:
        """Add a job to the counters that are on."""
        if not self.read(Register.PMCR) & _PMCR_ENABLE:
            return
        if self._enabled & _PM_CYCLES:
            self._cycles = (self._cycles + time.cycles) & 0xFFFFFFFFFFFF
        values = event_counts(time)
        for index in range(EVENT_COUNTERS):
            if self._enabled >> index & 1:
                event = self.read(Register.PMEVTYPER + 4 * index) & 0x3FF
                self._events[index] = (self._events[index] + values.get(event, 0)) & 0xFFFFFFFF


def event_counts(time: ProgramTime) -> dict[int, int]:
    """What each PMU event counts over a stream, as far as the timing core can tell."""
    from npubench.npu.ethosu.timing import beats

    return {
        Event.CYCLE: time.cycles,
        Event.NPU_ACTIVE: time.cycles,
        Event.NPU_IDLE: 0,
        Event.MAC_ACTIVE: time.mac_cycles,
        Event.MAC_STALLED_BY_WEIGHTS: time.weight_stall_cycles,
        Event.MAC_STALLED_BY_INPUT: time.input_stall_cycles,
        Event.OUTPUT_ACTIVE: sum(op.output_cycles for op in time.operations),
        Event.AXI0_READ_BEATS: beats(time.read_bytes(0)),
        Event.AXI0_WRITE_BEATS: beats(time.write_bytes(0)),
        Event.AXI1_READ_BEATS: beats(time.read_bytes(1)),
        Event.AXI1_WRITE_BEATS: beats(time.write_bytes(1)),
    }
