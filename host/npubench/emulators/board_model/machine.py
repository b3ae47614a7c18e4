"""A board with a Cortex-M core: the core on Unicorn, and what it does not do of exceptions."""

from __future__ import annotations

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


class BoardModel(PoweredBoard):
    """A board with a Cortex-M core; ``control`` is what Unicorn lacks of it."""

    CPU_MODELS: ClassVar[dict[str, str]] = {
        "cortex-m4": "UC_CPU_ARM_CORTEX_M4",
        "cortex-m7": "UC_CPU_ARM_CORTEX_M7",
        "cortex-m33": "UC_CPU_ARM_CORTEX_M33",
    }
    THUMB = True

    def _engine(self) -> Any:
        from unicorn import arm_const

        self._r = arm_const
        start, given = self._board.region("code").base, self._registers.vectors
        self.control = SystemControl(
            core=self._board.cpu.core, vectors=start if given is None else given
        )
        self._skipped = 0
        self._events: list[tuple[str, int, int]] = []
        engine = self._u.Uc(self._u.UC_ARCH_ARM, self._u.UC_MODE_THUMB)
        engine.ctl_set_cpu_model(getattr(arm_const, self.CPU_MODELS[self._board.cpu.core]))
        engine.hook_add(self._u.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(self._u.UC_HOOK_MEM_INVALID, self._on_bad_access)
        return engine

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
