"""A board with a Cortex-M core: the core on Unicorn, and what it does not do of exceptions."""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from npubench.emulators.board_model.cortex_m import (
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
from npubench.emulators.board_model.powered import ModelStopped, PoweredBoard

EXTENDED_WORDS = 18
DWT_CTRL_COMPARATORS = 0x40000000
RETURNS = 0xFFFFFF00
NO_FP_FRAME = 1 << 4
THREAD = 1 << 3
PROCESS_STACK = 1 << 2
XPSR_ALIGNED = 1 << 9
FPCA = 1 << 2
CALLER_SAVED = ("R0", "R1", "R2", "R3", "R12", "LR")
FP_CALLER_SAVED = tuple(f"S{index}" for index in range(16))


class BoardModel(PoweredBoard):
    """A board with a Cortex-M core; ``control`` is what Unicorn lacks of it."""

    CPU_MODELS: ClassVar[dict[str, str]] = {
        "cortex-m0plus": "UC_CPU_ARM_CORTEX_M0",
        "cortex-m4": "UC_CPU_ARM_CORTEX_M4",
        "cortex-m7": "UC_CPU_ARM_CORTEX_M7",
        "cortex-m33": "UC_CPU_ARM_CORTEX_M33",
    }
    THUMB = True

    def _engine(self) -> Any:
        from unicorn import arm_const

        self._r = arm_const
        self.control = SystemControl(core=self._board.cpu.core, vectors=self._vectors())
        self._skipped = 0
        self._events: list[tuple[str, int, int]] = []
        engine = self._u.Uc(self._u.UC_ARCH_ARM, self._u.UC_MODE_THUMB)
        engine.ctl_set_cpu_model(getattr(arm_const, self.CPU_MODELS[self._board.cpu.core]))
        engine.hook_add(self._u.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(self._u.UC_HOOK_MEM_INVALID, self._on_bad_access)
        return engine

    def _vectors(self) -> int:
        """Where the core finds its vector table after reset."""
        given = self._registers.vectors
        return self._board.region("code").base if given is None else given

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

        self.peripherals.slept = lambda: self._skipped
        counting.map_trace_unit(DWT, PAGE, write_trace)
        self._uc.mmio_map(SCS, PAGE, read, None, write, None)

    def _set_trace(self) -> None:
        trace = self.control.trace
        self._counting.set_counter(
            control=DWT_CTRL_COMPARATORS | trace.control, value=trace.counter, counts=trace.counts
        )
        trace.counter = None

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
        if control.is_masked():
            limit = 0  # firmware may unmask it at any moment
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

    def _next_pending(self) -> int | None:
        """The pending exception that is taken now, or None."""
        if not self.control.pending:
            return None
        r = self._r
        return self.control.next_exception(
            primask=bool(self._uc.reg_read(r.UC_ARM_REG_PRIMASK) & 1),
            basepri=self._uc.reg_read(r.UC_ARM_REG_BASEPRI),
        )

    def _take_pending(self) -> None:
        number = self._next_pending()
        if number is not None:
            self.control.pending.discard(number)
            self._enter(number, self._pc)

    # --- exception entry and return --------------------------------------------------------------

    def _enter(self, number: int, return_to: int) -> None:
        """Stack the frame, extended when the FPU was in use, and go to the handler."""
        uc, r, control = self._uc, self._r, self.control
        *frame, mode, sp, xpsr = self._registers_of(*CALLER_SAVED, "CONTROL", "SP", "XPSR")
        thread = not control.active
        extended = bool(mode & FPCA)
        xpsr = xpsr & ~(XPSR_ALIGNED | 0x1FF) | 1 << 24
        xpsr |= control.active[-1] if control.active else 0
        frame += [return_to, xpsr]
        if extended:
            frame += self._registers_of(*FP_CALLER_SAVED, "FPSCR")
            frame.append(0)
        place = sp - 4 * len(frame)
        if place & 4:
            place -= 4
            frame[7] |= XPSR_ALIGNED
        try:
            uc.mem_write(place, struct.pack(f"<{len(frame)}I", *frame))
        except self._u.UcError as error:
            raise ModelStopped(f"lockup: no memory for a stack frame at {place:#010x}") from error
        on_process = thread and bool(mode & 2)
        uc.reg_write(r.UC_ARM_REG_SP, place)
        if mode & (2 | FPCA):
            uc.reg_write(r.UC_ARM_REG_CONTROL, mode & ~(2 | FPCA))
        self._handle(
            number,
            0xFFFFFFE1
            | (0 if extended else NO_FP_FRAME)
            | (THREAD if thread else 0)
            | (PROCESS_STACK if on_process else 0),
        )

    def _handle(self, number: int, code: int) -> None:
        """Go to the handler of ``number``, to return by EXC_RETURN ``code``."""
        r = self._r
        vector = self._word(self.control.vtor + 4 * number)
        if not vector & 1:
            raise ModelStopped(
                f"lockup: exception {number} at {self._pc:#010x}, and its vector is {vector:#010x}"
            )
        self._uc.reg_write(r.UC_ARM_REG_LR, code)
        self.control.active.append(number)
        self._uc.reg_write(r.UC_ARM_REG_IPSR, number)
        self._pc = vector & ~1

    def _return(self, code: int) -> None:
        """Unstack the frame that EXC_RETURN ``code`` speaks of; or leave it, and go to the next
        handler (tail-chaining)."""
        uc, r, control = self._uc, self._r, self.control
        if not control.active:
            raise ModelStopped("an exception returned without having been entered")
        control.active.pop()
        uc.reg_write(r.UC_ARM_REG_FAULTMASK, 0)
        following = self._next_pending()
        if following is not None:
            control.pending.discard(following)
            self._handle(following, code)
            return
        mode, sp = self._registers_of("CONTROL", "SP")
        after = mode & ~(2 | FPCA) | (2 if code & THREAD and code & PROCESS_STACK else 0)
        uc.reg_write(r.UC_ARM_REG_IPSR, control.active[-1] if control.active else 0)
        if after != mode:
            uc.reg_write(r.UC_ARM_REG_CONTROL, after)
            sp = uc.reg_read(r.UC_ARM_REG_SP)
        extended = not code & NO_FP_FRAME
        size = 32 + (4 * EXTENDED_WORDS if extended else 0)
        words = struct.unpack(f"<{size // 4}I", uc.mem_read(sp, size))
        for name, word in zip(CALLER_SAVED, words[:6], strict=True):
            uc.reg_write(getattr(r, f"UC_ARM_REG_{name}"), word)
        if extended:
            for index in range(16):
                uc.reg_write(r.UC_ARM_REG_S0 + index, words[8 + index])
            uc.reg_write(r.UC_ARM_REG_FPSCR, words[24])
            uc.reg_write(r.UC_ARM_REG_CONTROL, after | FPCA)
        size += 4 if words[7] & XPSR_ALIGNED else 0
        uc.reg_write(r.UC_ARM_REG_SP, sp + size)
        uc.reg_write(r.UC_ARM_REG_APSR, words[7] & 0xF80F0000)
        self._pc = words[6] & ~1

    def _registers_of(self, *names: str) -> list[int]:
        """Registers by name, in one call."""
        wanted = [getattr(self._r, f"UC_ARM_REG_{name}") for name in names]
        return [int(value) for value in self._uc.reg_read_batch(wanted)]
