"""The register file of the NPU, access by access: what a load gives, what a store does.

A job runs within the store that starts it; its cycles are modelled, not waited for. Offsets and
fields: Arm Ethos-U55 NPU Technical Reference Manual (Arm 102420). Needs no numpy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final

from npubench.npu.ethosu.config import ARCH_ID, Accelerator

log = logging.getLogger(__name__)

PAGE_BYTES: Final = 0x1000
EVENT_COUNTERS: Final = 4
REGIONS: Final = 8
WORD: Final = 0xFFFFFFFF


class Register(IntEnum):
    """Byte offsets in the page. BASEP has eight entries of 64 bits, AXI_LIMIT, PMEVCNTR,
    PMEVTYPER, PID4, PID0 and CID0 four of 32."""

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
    LOCK = 0x02C
    REGIONCFG = 0x03C
    AXI_LIMIT = 0x040
    BASEP = 0x080
    CLKFORCE = 0x140
    PMCR = 0x180
    PMCNTENSET = 0x184
    PMCNTENCLR = 0x188
    PMOVSSET = 0x18C
    PMOVSCLR = 0x190
    PMINTSET = 0x194
    PMINTCLR = 0x198
    PMCCNTR = 0x1A0
    PMCCNTR_CFG = 0x1A8
    PMCAXI_CHAN = 0x1AC
    PMEVCNTR = 0x300
    PMEVTYPER = 0x380
    PID4 = 0xFD0
    PID0 = 0xFE0
    CID0 = 0xFF0


class Status(IntFlag):
    """STATUS. Bits 11 to 15: interface and channel of a bus fault; 16 to 31: the IRQ history."""

    RUNNING = 1 << 0
    IRQ = 1 << 1
    BUS = 1 << 2
    RESET = 1 << 3
    PARSE = 1 << 4
    END = 1 << 5
    PMU_IRQ = 1 << 6
    WEIGHTS = 1 << 7
    ECC = 1 << 8


class Command(IntFlag):
    """CMD. Bits 16 to 31 clear the IRQ history."""

    RUN = 1 << 0
    CLEAR_IRQ = 1 << 1
    CLOCK_OFF = 1 << 2
    POWER_OFF = 1 << 3
    STOP = 1 << 4


class Channel(IntEnum):
    """Who met a bus fault, as STATUS names it."""

    COMMAND = 0
    IFM = 1
    WEIGHTS = 2
    SCALES = 3
    COPY_READ = 4
    OFM = 8
    COPY_WRITE = 9


PM_CYCLES: Final = 1 << 31
ALL_COUNTERS: Final = PM_CYCLES | (1 << EVENT_COUNTERS) - 1
PMCR_ENABLE: Final = 1
PMCR_RESET_EVENTS: Final = 2
PMCR_RESET_CYCLES: Final = 4
PMCR_MASK_ENABLE: Final = 8
PMCR_COUNTERS: Final = EVENT_COUNTERS << 11
_HISTORY_SHIFT: Final = 16
_STOP_SHIFT: Final = 16
_EVENT: Final = 0x3FF
_NPU_IDLE: Final = 0x020
_POWER: Final = Command.CLOCK_OFF | Command.POWER_OFF
_WRITABLE: Final = frozenset(
    {
        Register.QBASE, Register.QBASE + 4, Register.QCONFIG, Register.QSIZE, Register.LOCK,
        Register.REGIONCFG, Register.PMCCNTR_CFG, Register.PMCAXI_CHAN, Register.CLKFORCE,
        *(Register.AXI_LIMIT + 4 * index for index in range(4)),
        *(Register.BASEP + 4 * index for index in range(2 * REGIONS)),
        *(Register.PMEVTYPER + 4 * index for index in range(EVENT_COUNTERS)),
    }
)  # fmt: skip


def fault_status(interface: int, channel: Channel) -> int:
    """The bits of STATUS that name a bus fault: AXI port 0 or 1, and who met it."""
    return Status.BUS | (interface & 1) << 11 | channel << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended. ``status``: bits of STATUS that it sets; ``history``: bits of the IRQ
    history; ``qread``: bytes of the queue that were read. ``counts``: what each event counted."""

    status: int
    qread: int
    history: int = 0
    counts: Mapping[int, int] = field(default_factory=dict)
    cycles: int = 0


def power_on_words(accelerator: Accelerator) -> dict[int, int]:
    """What registers read after power-up, by offset; all others read 0."""
    return {
        Register.ID: ARCH_ID,
        Register.CMD: int(_POWER),
        Register.PROT: 1,
        Register.CONFIG: accelerator.config_register,
        Register.PMCR: PMCR_COUNTERS,
        # CoreSight identification: Arm (JEP106 0x3B), part 0x580 or 0x581, a component of its own.
        Register.PID4: 4,
        Register.PID0: 0x80 | accelerator.product,
        Register.PID0 + 4: 0xB5,
        Register.PID0 + 8: 0x0B,
        Register.CID0: 0x0D,
        Register.CID0 + 4: 0xF0,
        Register.CID0 + 8: 0x05,
        Register.CID0 + 12: 0xB1,
    }


class RegisterFile:
    """One NPU's registers. ``run`` executes the queued stream, ``stopped`` tells it whether a stop
    was asked for in the same store. ``line`` is told each level of the interrupt."""

    def __init__(
        self,
        accelerator: Accelerator,
        run: Callable[[RegisterFile], Outcome],
        *,
        line: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._accelerator = accelerator
        self._run = run
        self._line = line
        self._raised = False
        self._words: dict[int, int] = {}
        self.reset(privilege=1)

    def reset(self, *, privilege: int) -> None:
        """All registers as after a soft reset into ``privilege`` (bit 0 privileged, bit 1
        non-secure): stopped, no fault, counters off and at zero."""
        self._words = power_on_words(self._accelerator)
        self._words[Register.PROT] = privilege & 3
        self._enabled = self._overflowed = self._interrupts = 0
        self._cycles = 0
        self._events = [0] * EVENT_COUNTERS
        self._show_line()

    # --- access ----------------------------------------------------------------------------------

    def load(self, offset: int) -> int:
        """What a 32-bit load gives."""
        match offset:
            case Register.PMCNTENSET | Register.PMCNTENCLR:
                return self._enabled
            case Register.PMOVSSET | Register.PMOVSCLR:
                return self._overflowed
            case Register.PMINTSET | Register.PMINTCLR:
                return self._interrupts
            case Register.PMCCNTR:
                return self._cycles & WORD
            case 0x1A4:
                return self._cycles >> 32
        index = (offset - Register.PMEVCNTR) // 4
        if 0 <= index < EVENT_COUNTERS:
            return self._events[index]
        return self._words.get(offset, 0)

    def load64(self, offset: int) -> int:
        """Two registers as one."""
        return self.load(offset) | self.load(offset + 4) << 32

    def store(self, offset: int, value: int) -> None:
        """What a 32-bit store does; one to a read-only register does nothing."""
        value &= WORD
        index = (offset - Register.PMEVCNTR) // 4
        match offset:
            case Register.RESET:
                self.reset(privilege=value)
            case Register.CMD:
                self._command(value)
            case Register.PMCR:
                self._control(value)
            case Register.PMCNTENSET:
                self._enabled |= value & ALL_COUNTERS
            case Register.PMCNTENCLR:
                self._enabled &= ~value
            case Register.PMOVSSET:
                self._overflowed |= value & ALL_COUNTERS
            case Register.PMOVSCLR:
                self._overflowed &= ~value
            case Register.PMINTSET:
                self._interrupts |= value & ALL_COUNTERS
            case Register.PMINTCLR:
                self._interrupts &= ~value
            case Register.PMCCNTR:
                self._cycles = self._cycles & ~WORD | value
            case 0x1A4:
                self._cycles = self._cycles & WORD | (value & 0xFFFF) << 32
            case _ if 0 <= index < EVENT_COUNTERS:
                self._events[index] = value
            case _ if offset in _WRITABLE:
                self._words[offset] = value
                if offset in (Register.QBASE, Register.QBASE + 4, Register.QSIZE):
                    self._words[Register.STATUS] = self.load(Register.STATUS) & ~int(Status.END)
        if offset in (Register.PMOVSSET, Register.PMINTSET):
            self._raise_pmu()

    # --- commands --------------------------------------------------------------------------------

    def _command(self, value: int) -> None:
        status = self.load(Register.STATUS)
        if value & Command.CLEAR_IRQ:
            status &= ~int(Status.IRQ | Status.PMU_IRQ)
        status &= ~(value >> 16 << _HISTORY_SHIFT)
        self._words[Register.STATUS] = status & WORD
        self._words[Register.CMD] = value & int(_POWER)
        # A stop that comes with the start leaves nothing to do; alone it finds nothing running.
        if value & Command.RUN and not value & Command.STOP:
            self._start()
        self._show_line()

    def _start(self) -> None:
        status = self.load(Register.STATUS)
        if status & (Status.BUS | Status.PARSE | Status.WEIGHTS | Status.ECC):
            return  # only a reset leaves a fault
        outcome = self._run(self)
        self._words[Register.QREAD] = outcome.qread
        self._words[Register.STATUS] = (
            status | Status.IRQ | outcome.status | outcome.history << _HISTORY_SHIFT
        ) & WORD
        self._count(outcome)

    # --- performance counters --------------------------------------------------------------------

    def _control(self, value: int) -> None:
        if value & PMCR_RESET_EVENTS:
            self._events = [0] * EVENT_COUNTERS
        if value & PMCR_RESET_CYCLES:
            self._cycles = 0
        self._words[Register.PMCR] = PMCR_COUNTERS | value & (PMCR_ENABLE | PMCR_MASK_ENABLE)

    def _count(self, outcome: Outcome) -> None:
        """Add a job to the counters that are on."""
        if not self.load(Register.PMCR) & PMCR_ENABLE:
            return
        if self._enabled & PM_CYCLES and self._cycles_run(outcome):
            total = self._cycles + outcome.cycles
            self._overflowed |= PM_CYCLES if total >> 48 else 0
            self._cycles = total & 0xFFFFFFFFFFFF
        for index in range(EVENT_COUNTERS):
            if self._enabled >> index & 1:
                event = self.load(Register.PMEVTYPER + 4 * index) & 0x3FF
                total = self._events[index] + outcome.counts.get(event, 0)
                self._overflowed |= 1 << index if total > WORD else 0
                self._events[index] = total & WORD
        self._raise_pmu()

    def _cycles_run(self, outcome: Outcome) -> bool:
        """Whether the cycle counter runs over a job: from its start event, in the low half of
        PMCCNTR_CFG (without one it always runs), to its stop event in the high one.

        When in a job an event comes first is not known. Known are the two ends of a job: NPU_IDLE
        stops at its end, and an event that does not occur stops nothing. What occurs within would
        stop the counter too early to tell when: then it counts to the job's end, and a line of the
        log says so.
        """
        config = self.load(Register.PMCCNTR_CFG)
        start, stop = config & _EVENT, config >> _STOP_SHIFT & _EVENT
        if stop not in (0, _NPU_IDLE) and outcome.counts.get(stop, 0):
            log.warning(
                "PMCCNTR_CFG: when event %#05x first comes in a job is not modelled; the cycle "
                "counter runs to the job's end",
                stop,
            )
        return start == 0 or outcome.counts.get(start, 0) > 0

    def _raise_pmu(self) -> None:
        if self._overflowed & self._interrupts:
            self._words[Register.STATUS] = self.load(Register.STATUS) | Status.PMU_IRQ
            self._show_line()

    def _show_line(self) -> None:
        raised = bool(self.load(Register.STATUS) & (Status.IRQ | Status.PMU_IRQ))
        if raised != self._raised:
            self._raised = raised
            self._line(raised)
