"""The device around the cores: jobs run on guest memory; a register page in shared memory.

``Engine`` runs what a register file has queued. ``Device`` keeps a register file in a page of
ordinary shared memory: a write has no effect until the doorbell rings, when ``Device.ring`` applies
what differs from what was shown. One write per register and doorbell is therefore all that is seen,
which is how the driver works; who traps each access has the register file itself.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from npubench.core.errors import NpubenchError
from npubench.npu.ethosu.config import Accelerator
from npubench.npu.ethosu.memory_system import MemorySystem
from npubench.npu.ethosu.registers import (
    EVENT_COUNTERS,
    PMCR_MASK_ENABLE,
    REGIONS,
    Channel,
    Command,
    Outcome,
    Register,
    RegisterFile,
    Status,
    fault_status,
    power_on_words,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from npubench.npu.ethosu.functional import FunctionalCore
    from npubench.npu.ethosu.isa import StreamError
    from npubench.npu.ethosu.operation import Operation
    from npubench.npu.ethosu.timeline import ProgramTime

log = logging.getLogger(__name__)

RING_RESET: Final = ord("R")
RING_JOB: Final = ord("J")
GONE: Final = 0xFFFFFFFF
"""What a bus without a device reads."""
_STREAM_ALIGN: Final = 16
_STREAM_LIMIT_BYTES: Final = 16 << 20
# Registers whose written ones clear and set, in the order in which both are applied. In the page
# the clearing ones show zero, so that whatever stands there was written; the others show their bits
# and one that no driver writes.
_CLEARING: Final = (Register.PMCNTENCLR, Register.PMOVSCLR, Register.PMINTCLR)
_SETTING: Final = (Register.PMCNTENSET, Register.PMOVSSET, Register.PMINTSET)
UNWRITTEN: Final = 1 << 30
# What the driver may have written since the last doorbell, in the order in which it is applied.
_APPLIED: Final = (
    Register.PMCR,
    Register.PMCCNTR, Register.PMCCNTR + 4, Register.PMCCNTR_CFG, Register.PMCAXI_CHAN,
    *(Register.PMEVCNTR + 4 * index for index in range(EVENT_COUNTERS)),
    *(Register.PMEVTYPER + 4 * index for index in range(EVENT_COUNTERS)),
    *(Register.AXI_LIMIT + 4 * index for index in range(4)),
    Register.QBASE, Register.QBASE + 4, Register.QSIZE, Register.QCONFIG, Register.LOCK,
    Register.REGIONCFG, Register.CLKFORCE,
    *(Register.BASEP + 4 * index for index in range(2 * REGIONS)),
)  # fmt: skip
_VISIBLE: Final = (
    Register.ID, Register.STATUS, Register.CMD, Register.RESET, Register.QREAD, Register.PROT,
    Register.CONFIG, *_CLEARING, *_SETTING, *_APPLIED,
    *(base + 4 * index for base in (Register.PID4, Register.PID0, Register.CID0)
      for index in range(4)),
)  # fmt: skip
_CHANNELS: Final = {
    "IFM": Channel.IFM, "IFM2": Channel.IFM, "OFM": Channel.OFM, "weights": Channel.WEIGHTS,
    "scales": Channel.SCALES, "DMA source": Channel.COPY_READ, "DMA target": Channel.COPY_WRITE,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Guest memory that the NPU can reach: ``base`` is the guest's address of ``data[0]``."""

    base: int
    data: npt.NDArray[np.uint8]


class Engine:
    """Runs jobs on ``window``, all that the NPU's ports reach."""

    def __init__(self, accelerator: Accelerator, system: MemorySystem, window: Window) -> None:
        from npubench.npu.ethosu.functional import FunctionalCore

        self._accelerator = accelerator
        self._system = system
        self._window = window
        self._core: FunctionalCore = FunctionalCore(accelerator)
        self._programs: dict[bytes, tuple[Operation, ...]] = {}
        self._times: dict[tuple[bytes, int, tuple[int, ...]], ProgramTime] = {}

    def run(self, registers: RegisterFile) -> Outcome:
        """Run the queued stream. Never raises for what the driver wrote."""
        from npubench.npu.ethosu.events import event_counts
        from npubench.npu.ethosu.isa import StreamError, StreamFault
        from npubench.npu.ethosu.timeline import counted_part

        try:
            program, time = self._prepare(registers)
            self._core.run(program, self._regions(registers))
        except StreamError as error:
            log.warning("%s", error.message)
            status = {StreamFault.PARSE: Status.PARSE, StreamFault.WEIGHTS: Status.WEIGHTS}
            return Outcome(
                status=status.get(error.fault, self._fault(error, registers)),
                qread=error.offset_bytes or 0,
            )
        except NpubenchError as error:
            log.warning("%s", error.message)
            return Outcome(status=Status.BUS, qread=0)
        if registers.load(Register.PMCR) & PMCR_MASK_ENABLE:
            time = counted_part(program, time)
        return Outcome(
            status=Status.END,
            qread=registers.load(Register.QSIZE),
            history=_history(program),
            counts=event_counts(time),
            cycles=time.cycles,
        )

    def _fault(self, error: StreamError, registers: RegisterFile) -> int:
        """STATUS of a bus fault: the port of the region, and who met it."""
        if error.region is None:
            return fault_status(registers.load(Register.QCONFIG) >> 1, Channel.COMMAND)
        ports = registers.load(Register.REGIONCFG)
        channel = _CHANNELS.get(error.what, Channel.COMMAND)
        return fault_status(ports >> (2 * error.region + 1), channel)

    def _prepare(self, registers: RegisterFile) -> tuple[tuple[Operation, ...], ProgramTime]:
        """The decoded stream and its time; both kept by the stream's bytes."""
        from npubench.npu.ethosu.hazards import check_hazards
        from npubench.npu.ethosu.isa import StreamError, StreamFault
        from npubench.npu.ethosu.stream import operations
        from npubench.npu.ethosu.timeline import program_time

        base, size = registers.load64(Register.QBASE), registers.load(Register.QSIZE)
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
        ports = registers.load(Register.REGIONCFG)
        limits = tuple(registers.load(Register.AXI_LIMIT + 4 * index) for index in range(4))
        time = self._times.get((stream, ports, limits))
        if time is None:
            system = self._system.with_region_ports(
                tuple((ports >> (2 * region + 1)) & 1 for region in range(REGIONS))
            ).limited(limits)
            time = program_time(program, self._accelerator, system)
            self._times[stream, ports, limits] = time
        return program, time

    def _regions(self, registers: RegisterFile) -> Mapping[int, npt.NDArray[np.uint8]]:
        """Memory from each base pointer on, to the window's end. A pointer outside has none."""
        regions = {}
        for index in range(REGIONS):
            begin = registers.load64(Register.BASEP + 8 * index) - self._window.base
            if 0 <= begin < self._window.data.size and begin % _STREAM_ALIGN == 0:
                regions[index] = self._window.data[begin:]
        return regions


def _history(program: Sequence[Operation]) -> int:
    """Bits that the stream's IRQ and STOP commands leave in the IRQ history."""
    from npubench.npu.ethosu.operation import IrqOp, StopOp

    history = 0
    for op in program:
        if isinstance(op, StopOp | IrqOp):
            history |= op.mask
    return history


class Device:
    """One NPU. ``page`` is its register page in shared memory, ``window`` what its ports reach.

    The page holds what registers read after power-up, or what the guest has written since; making
    a device leaves it alone.
    """

    def __init__(
        self, accelerator: Accelerator, system: MemorySystem, *, page: memoryview, window: Window
    ) -> None:
        self._page = page
        self.registers = RegisterFile(accelerator, Engine(accelerator, system, window).run)
        self._seen = power_on_words(accelerator)

    def read(self, offset: int) -> int:
        """A 32-bit register of the page."""
        return int(struct.unpack_from("<I", self._page, offset)[0])

    def write(self, offset: int, value: int) -> None:
        """Write to the page, as the guest does."""
        struct.pack_into("<I", self._page, offset, value & 0xFFFFFFFF)

    def ring(self, reason: int) -> None:
        """Apply what the driver wrote since the last doorbell. Never raises for what it wrote."""
        registers = self.registers
        if reason == RING_RESET:
            registers.store(Register.RESET, self.read(Register.RESET))
        else:
            for offset in _APPLIED:
                value = self.read(offset)
                # A queue is written before each start, equal or not.
                if value != self._seen.get(offset, 0) or offset == Register.QSIZE:
                    registers.store(offset, value)
            # A counter that is switched off and on again between two doorbells stays on.
            for offset in _CLEARING:
                registers.store(offset, self.read(offset))
            for offset in _SETTING:
                if not self.read(offset) & UNWRITTEN:
                    registers.store(offset, self.read(offset))
            # The driver lowers the interrupt of a job before it starts the next; both writes go to
            # one register, and only the last is seen.
            command = self.read(Register.CMD)
            clear = Command.CLEAR_IRQ if command & Command.RUN else 0
            registers.store(Register.CMD, command | clear)
        self.show()

    def show(self) -> None:
        """Make the page read as the registers do."""
        for offset in _VISIBLE:
            value = self._seen[offset] = self._shown(offset)
            self.write(offset, value)

    def _shown(self, offset: int) -> int:
        if offset in _CLEARING:
            return 0
        value = self.registers.load(offset)
        return value | UNWRITTEN if offset in _SETTING and value else value
