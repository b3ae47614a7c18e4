"""A board as a machine: memories, registers, the core on Unicorn, and the loop that runs it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from npubench.boards import Board
from npubench.core.errors import ConfigError, DeviceError, ToolMissing
from npubench.link.board_model.cortex_m import (
    BUS_FAULT,
    DEMCR,
    DWT,
    HARD_FAULT,
    PAGE,
    SCS,
    SVC,
    USAGE_FAULT,
    SystemControl,
)
from npubench.link.board_model.counting import Counting
from npubench.link.board_model.description import RegisterModel, load_registers
from npubench.link.board_model.peripherals import Peripherals

log = logging.getLogger(__name__)

IDLE_POLLS = 64
FIRST_BYTES = 0x6D  # RAM holds this at power-up: nothing may rely on zeros
CPU_MODELS = {
    "cortex-m4": "UC_CPU_ARM_CORTEX_M4",
    "cortex-m7": "UC_CPU_ARM_CORTEX_M7",
    "cortex-m33": "UC_CPU_ARM_CORTEX_M33",
}
EXTENDED_WORDS = 18
DWT_CTRL_COMPARATORS = 0x40000000
RETURNS = 0xFFFFFF00
NO_FP_FRAME = 1 << 4
THREAD = 1 << 3
PROCESS_STACK = 1 << 2
XPSR_ALIGNED = 1 << 9
FPCA = 1 << 2


class ModelStopped(DeviceError):
    """The model cannot go on: lockup, or firmware that leaves the model's limits."""


def import_unicorn() -> Any:
    """The unicorn package. Raises ToolMissing, naming the extra to install."""
    try:
        import unicorn
    except ImportError as error:
        raise ToolMissing(
            f"Unicorn cannot be imported: {error}",
            hint="install it, board models need it: pip install 'npubench[board-models]'",
        ) from error
    return unicorn


class BoardModel:
    """A powered board with an image in its memories. ``run`` lets it go on.

    ``peripherals`` holds console and pins. Raises ConfigError when the board has no model or its
    core none, ToolMissing without Unicorn, ModelStopped when an image does not fit its memories.
    """

    def __init__(self, board: Board, elf: Path, *, registers: RegisterModel | None = None) -> None:
        unicorn = import_unicorn()
        from unicorn import arm_const

        if board.cpu.core not in CPU_MODELS:
            raise ConfigError(
                f"{board.id}: Unicorn has no {board.cpu.core}",
                hint=f"board models serve {', '.join(sorted(CPU_MODELS))}",
            )
        self._u, self._r = unicorn, arm_const
        model = load_registers(board) if registers is None else registers
        vectors = board.region("code").base if model.vectors is None else model.vectors
        self.control = SystemControl(core=board.cpu.core, vectors=vectors)
        self._skipped = 0
        self._events: list[tuple[str, int, int]] = []
        self._uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
        self._uc.ctl_set_cpu_model(getattr(arm_const, CPU_MODELS[board.cpu.core]))
        self._counting = Counting(self._uc)
        self.peripherals = Peripherals(model, lambda: self._counting.count)
        self._map_memory(board)
        for base, size in self.peripherals.pages(PAGE):
            self._map_registers(base, size)
        self._map_control()
        self._load(elf)
        for kind, handler in (
            (unicorn.UC_HOOK_INTR, self._on_interrupt),
            (unicorn.UC_HOOK_MEM_INVALID, self._on_bad_access),
        ):
            self._uc.hook_add(kind, handler)
        self.resets = 0
        self._reset()

    # --- outside ---------------------------------------------------------------------------------

    @property
    def instructions(self) -> int:
        """Instructions executed since power-up."""
        return self._counting.count

    def feed(self, data: bytes) -> None:
        """Bytes for the firmware's receiver."""
        self.peripherals.received.extend(data)
        self.peripherals.idle_polls = 0

    def take_sent(self) -> bytes:
        """What the firmware has sent since the last call."""
        data = bytes(self.peripherals.sent)
        self.peripherals.sent.clear()
        return data

    @property
    def is_idle(self) -> bool:
        """Whether the firmware does nothing but ask for a byte that is not there."""
        return self.peripherals.idle_polls >= IDLE_POLLS and not self.peripherals.received

    def run(self, instructions: int) -> int:
        """Run about as many instructions, less when the firmware waits for input; how many it were.

        Raises ModelStopped on a lockup.
        """
        begin = self._counting.count
        end = begin + instructions
        while self._counting.count < end and not self.is_idle:
            self._start(end)
        return self._counting.count - begin

    # --- memory ----------------------------------------------------------------------------------

    def _map_memory(self, board: Board) -> None:
        u = self._u
        for region in board.memory:
            writable = {"ram", "arena"} & set(region.roles)
            size = -(-region.size_bytes // PAGE) * PAGE
            rights = u.UC_PROT_ALL if writable else u.UC_PROT_READ | u.UC_PROT_EXEC
            self._uc.mem_map(region.base, size, rights)
            self._uc.mem_write(region.base, bytes([FIRST_BYTES if writable else 0xFF]) * size)

    def _map_registers(self, base: int, size: int) -> None:
        def read(_: Any, offset: int, width: int, __: Any) -> int:
            value = self.peripherals.read(base + offset, width)
            if self.is_idle:
                self._counting.stop()
            return value

        def write(_: Any, offset: int, width: int, value: int, __: Any) -> None:
            self.peripherals.write(base + offset, width, value)
            if self.peripherals.wants_reset:
                self._counting.stop()

        self._uc.mmio_map(base, size, read, None, write, None)

    def _map_control(self) -> None:
        control, counting = self.control, self._counting

        def now() -> None:
            control.now = counting.count + self._skipped

        def write_trace(offset: int, value: int) -> None:
            control.trace.write(offset, value)
            self._set_trace()

        def read(_: Any, offset: int, width: int, __: Any) -> int:
            now()
            return control.read(offset, width)

        def write(_: Any, offset: int, width: int, value: int, __: Any) -> None:
            now()
            control.write(offset, width, value)
            if offset & ~3 == DEMCR:
                self._set_trace()
            if control.wants_look:
                counting.stop()

        counting.map_trace_unit(DWT, PAGE, write_trace)
        self._uc.mmio_map(SCS, PAGE, read, None, write, None)

    def _set_trace(self) -> None:
        trace = self.control.trace
        self._counting.set_counter(
            control=DWT_CTRL_COMPARATORS | trace.control, value=trace.counter, counts=trace.counts
        )
        trace.counter = None

    def _load(self, elf: Path) -> None:
        from elftools.elf.elffile import ELFFile

        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                if not segment["p_filesz"]:
                    continue
                try:
                    self._uc.mem_write(segment["p_paddr"], segment.data())
                except self._u.UcError as error:
                    raise ModelStopped(
                        f"the image {elf.name} wants {segment['p_filesz']} bytes at "
                        f"{segment['p_paddr']:#010x}, where the board has no memory: {error}"
                    ) from error

    def _reset(self) -> None:
        r, control = self._r, self.control
        fresh = SystemControl(core=control.core, vectors=control.vectors)
        for name in SystemControl.__slots__:
            setattr(control, name, getattr(fresh, name))
        self.peripherals.reset()
        control.trace.counter = 0
        self._set_trace()
        self._uc.reg_write(r.UC_ARM_REG_CONTROL, 0)
        for name in ("PRIMASK", "BASEPRI", "FAULTMASK", "IPSR"):
            self._uc.reg_write(getattr(r, f"UC_ARM_REG_{name}"), 0)
        self._uc.reg_write(r.UC_ARM_REG_LR, 0xFFFFFFFF)
        self._uc.reg_write(r.UC_ARM_REG_SP, self._word(control.vtor) & ~3)
        self._pc = self._word(control.vtor + 4) & ~1

    def _word(self, address: int) -> int:
        return int.from_bytes(self._uc.mem_read(address, 4), "little")

    # --- execution -------------------------------------------------------------------------------

    def _start(self, end: int) -> None:
        """Run to the next thing that the core itself does not do, and do it."""
        control = self.control
        due = control.systick.due()
        limit = end if due is None else min(end, due - self._skipped)
        if control.wakes():  # masked: firmware may unmask it at any moment
            limit = 0
        self._counting.run_until(max(limit, self._counting.count + 1))
        self._events.clear()
        failure = None
        try:
            self._uc.emu_start(self._pc | 1, 0xFFFFFFFE)
        except self._u.UcError as error:
            failure = error
        self._pc = self._uc.reg_read(self._r.UC_ARM_REG_PC) & ~1
        control.now = self._counting.count + self._skipped
        if self._events:
            self._take_event(*self._events[0])
        elif failure is not None:
            self._take_failure(failure)
        elif self._slept():
            self._sleep()
        if control.wants_reset or self.peripherals.wants_reset:
            self.resets += 1
            self._reset()
            return
        control.tick()
        self._take_pending()

    def _slept(self) -> bool:
        before = self._pc - 2
        try:
            hint = bytes(self._uc.mem_read(before, 2))
        except self._u.UcError:
            return False
        return hint == b"\x30\xbf" and not self._counting.stopped

    def _sleep(self) -> None:
        """WFI: let time pass up to what wakes the core."""
        control = self.control
        if control.wakes():
            return
        due = control.systick.due()
        if due is None:
            raise ModelStopped("the firmware sleeps, and nothing is set up to wake it")
        self._skipped += max(0, due - control.now)
        control.now = self._counting.count + self._skipped

    def _on_interrupt(self, uc: Any, number: int, _: Any) -> None:
        pc = uc.reg_read(self._r.UC_ARM_REG_PC)
        self._events.append(("interrupt", number, pc))
        uc.emu_stop()

    def _on_bad_access(
        self, _: Any, access: int, address: int, size: int, value: int, __: Any
    ) -> bool:
        del size, value
        self._events.append(("access", access, address))
        return False

    def _take_event(self, kind: str, number: int, where: int) -> None:
        u = self._u
        if kind == "interrupt":
            # An M33 returns by interrupt 8; M4 and M7 fetch from the magic address: interrupt 3.
            if number == 8 or (number == 3 and where >= RETURNS):
                self._return(where | 1)
            elif number == 2:
                self._enter(SVC, where & ~1)
            else:
                raise ModelStopped(f"the core raised interrupt {number} at {where:#010x}")
            return
        fetch = number in (u.UC_MEM_FETCH_UNMAPPED, u.UC_MEM_FETCH_PROT)
        if fetch and where >= RETURNS:
            self._return(where | 1)
        elif fetch:
            self._fault(BUS_FAULT, 1 << 8, None)
        else:
            self._fault(BUS_FAULT, 1 << 9 | 1 << 15, where)

    def _take_failure(self, failure: Any) -> None:
        if failure.errno != self._u.UC_ERR_INSN_INVALID:
            raise ModelStopped(f"the emulator stopped at {self._pc:#010x}: {failure}")
        before = self._pc - 2
        if self._word(before) & 0xFFFF == 0xBF20:  # WFE: an event may always have come
            return
        self._fault(USAGE_FAULT, 1 << 16, None)

    def _fault(self, number: int, status: int, address: int | None) -> None:
        level = self._level()
        number = self.control.fault(number, status, address, level=level)
        if number == HARD_FAULT and level <= -1:
            raise ModelStopped(
                f"lockup: a fault in the fault handler at {self._pc:#010x} "
                f"(CFSR {self.control.words.get(0xD28, 0):#010x})"
            )
        self._enter(number, self._pc)

    def _level(self) -> int:
        r = self._r
        if self._uc.reg_read(r.UC_ARM_REG_FAULTMASK) & 1:
            return -1
        return self.control.level(
            primask=bool(self._uc.reg_read(r.UC_ARM_REG_PRIMASK) & 1),
            basepri=self._uc.reg_read(r.UC_ARM_REG_BASEPRI),
        )

    def _take_pending(self) -> None:
        if not self.control.pending:
            return
        r = self._r
        number = self.control.next_exception(
            primask=bool(self._uc.reg_read(r.UC_ARM_REG_PRIMASK) & 1),
            basepri=self._uc.reg_read(r.UC_ARM_REG_BASEPRI),
        )
        if number is not None:
            self.control.pending.discard(number)
            self._enter(number, self._pc)

    # --- exception entry and return --------------------------------------------------------------

    def _enter(self, number: int, return_to: int) -> None:
        """Stack the frame, extended when the FPU was in use, and go to the handler."""
        uc, r, control = self._uc, self._r, self.control
        mode = uc.reg_read(r.UC_ARM_REG_CONTROL)
        thread = not control.active
        extended = bool(mode & FPCA)
        sp = uc.reg_read(r.UC_ARM_REG_SP)
        xpsr = uc.reg_read(r.UC_ARM_REG_XPSR) & ~(XPSR_ALIGNED | 0x1FF) | 1 << 24
        xpsr |= control.active[-1] if control.active else 0
        frame = [
            uc.reg_read(getattr(r, f"UC_ARM_REG_{name}"))
            for name in ("R0", "R1", "R2", "R3", "R12", "LR")
        ] + [return_to, xpsr]
        if extended:
            frame += [uc.reg_read(r.UC_ARM_REG_S0 + index) for index in range(16)]
            frame += [uc.reg_read(r.UC_ARM_REG_FPSCR), 0]
        place = sp - 4 * len(frame)
        if place & 4:
            place -= 4
            frame[7] |= XPSR_ALIGNED
        try:
            uc.mem_write(place, b"".join(word.to_bytes(4, "little") for word in frame))
        except self._u.UcError as error:
            raise ModelStopped(f"lockup: no memory for a stack frame at {place:#010x}") from error
        on_process = thread and bool(mode & 2)
        uc.reg_write(r.UC_ARM_REG_SP, place)
        uc.reg_write(r.UC_ARM_REG_CONTROL, mode & ~(2 | FPCA))
        uc.reg_write(
            r.UC_ARM_REG_LR,
            0xFFFFFFE1
            | (0 if extended else NO_FP_FRAME)
            | (THREAD if thread else 0)
            | (PROCESS_STACK if on_process else 0),
        )
        control.active.append(number)
        uc.reg_write(r.UC_ARM_REG_IPSR, number)
        self._pc = self._word(control.vtor + 4 * number) & ~1

    def _return(self, code: int) -> None:
        """Unstack the frame that EXC_RETURN ``code`` speaks of."""
        uc, r, control = self._uc, self._r, self.control
        if not control.active:
            raise ModelStopped("an exception returned without having been entered")
        control.active.pop()
        uc.reg_write(r.UC_ARM_REG_FAULTMASK, 0)
        mode = uc.reg_read(r.UC_ARM_REG_CONTROL) & ~(2 | FPCA)
        if code & THREAD and code & PROCESS_STACK:
            mode |= 2
        uc.reg_write(r.UC_ARM_REG_IPSR, control.active[-1] if control.active else 0)
        uc.reg_write(r.UC_ARM_REG_CONTROL, mode)
        sp = uc.reg_read(r.UC_ARM_REG_SP)
        extended = not code & NO_FP_FRAME
        words = [self._word(sp + 4 * index) for index in range(8)]
        for name, word in zip(("R0", "R1", "R2", "R3", "R12", "LR"), words[:6], strict=True):
            uc.reg_write(getattr(r, f"UC_ARM_REG_{name}"), word)
        if extended:
            for index in range(16):
                uc.reg_write(r.UC_ARM_REG_S0 + index, self._word(sp + 32 + 4 * index))
            uc.reg_write(r.UC_ARM_REG_FPSCR, self._word(sp + 96))
            uc.reg_write(r.UC_ARM_REG_CONTROL, mode | FPCA)
        size = 32 + (4 * EXTENDED_WORDS if extended else 0)
        size += 4 if words[7] & XPSR_ALIGNED else 0
        uc.reg_write(r.UC_ARM_REG_SP, sp + size)
        uc.reg_write(r.UC_ARM_REG_APSR, words[7] & 0xF80F0000)
        self._pc = words[6] & ~1
