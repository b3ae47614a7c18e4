"""A board with a RISC-V core: the core on Unicorn, and what it does not do of traps and time.

CSRs and traps: RISC-V Instruction Set Manual, volume II (privileged architecture). Not modelled:
interrupts as such (WFI ends when the timer is due, nothing is taken), PMP, virtual memory, other
privilege modes than machine mode, other harts than the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from npubench.emulators.board_model.powered import FIRST_BYTES, ModelStopped, PoweredBoard

MCYCLE, CYCLE = 0xB00, 0xC00
CSRRW, CSRRS, CSRRWI = 1, 2, 5
SYSTEM = 0x73
WFI = (0x10500073).to_bytes(4, "little")
EBREAKS = (b"\x73\x00\x10\x00", b"\x02\x90")
FETCH_ACCESS, ILLEGAL, BREAKPOINT, LOAD_ACCESS, STORE_ACCESS, ECALL_M = 1, 2, 3, 5, 7, 11
UNICORN_ILLEGAL, UNICORN_ECALL = 2, 8
MSTATUS_MIE, MSTATUS_MPIE, MSTATUS_MPP_M = 1 << 3, 1 << 7, 3 << 11
MIE_MTIE = 1 << 7
MTIMECMP, MTIME, CLINT_BYTES = 0x4000, 0xBFF8, 0xC000
# Firmware that does nothing but ask mcycle waits: then it runs ahead, as on the Cortex-M models.
NEAR, WAITING, LEAP = 32, 50_000, 65_536
WORD64 = (1 << 64) - 1
NOWHERE = WORD64 - 1


class RiscvModel(PoweredBoard):
    """A board with a RISC-V core in machine mode."""

    CPU_MODELS: ClassVar[dict[str, str]] = {"rv64gc": "UC_CPU_RISCV64_SIFIVE_U54"}
    THUMB = False

    def _engine(self) -> Any:
        from unicorn import riscv_const

        self._r = riscv_const
        self._event: tuple[int, int] | None = None
        self._skipped = self._ahead = self._polls = self._polled = 0
        self._offset = 0  # mcycle minus instructions
        self._compare = WORD64
        engine = self._u.Uc(self._u.UC_ARCH_RISCV, self._u.UC_MODE_RISCV64)
        engine.ctl_set_cpu_model(getattr(riscv_const, self.CPU_MODELS[self._board.cpu.core]))
        engine.hook_add(self._u.UC_HOOK_INTR, self._on_interrupt)
        engine.hook_add(self._u.UC_HOOK_MEM_INVALID, self._on_bad_access)
        return engine

    # --- time ------------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        """Core cycles since power-up, those of sleep and of shortened waits included."""
        return self._counting.count + self._ahead + self._skipped

    def _load(self, elf: Path) -> None:
        """Unicorn's mcycle is the host's clock: each instruction that touches it is played here."""
        super()._load(elf)
        from elftools.elf.elffile import ELFFile

        with elf.open("rb") as file:
            for segment in ELFFile(file).iter_segments("PT_LOAD"):
                if not segment["p_flags"] & 1:
                    continue
                code, base = segment.data(), segment["p_vaddr"]
                for at in range(0, len(code) - 3, 2):
                    word = int.from_bytes(code[at : at + 4], "little")
                    if word & 0x7F == SYSTEM and word >> 20 in (MCYCLE, CYCLE) and word >> 12 & 7:
                        self._uc.hook_add(
                            self._u.UC_HOOK_CODE, self._on_cycle, None, base + at, base + at
                        )

    def _on_cycle(self, uc: Any, address: int, _: int, __: Any) -> None:
        word = int.from_bytes(uc.mem_read(address, 4), "little")
        what, target, source = word >> 12 & 7, word >> 7 & 31, word >> 15 & 31
        first = self._r.UC_RISCV_REG_X0
        count = self._counting.count
        self._polls = self._polls + 1 if count - self._polled <= NEAR else 0
        self._polled = count
        if self._polls > WAITING:
            self._ahead += LEAP
        value = count + self._ahead + self._offset
        if what in (CSRRW, CSRRWI):
            wanted = source if what == CSRRWI else uc.reg_read(first + source)
            self._offset += wanted - value
        elif what != CSRRS or source:
            raise ModelStopped(f"the model knows no such access to mcycle: {word:#010x}")
        if target:
            uc.reg_write(first + target, value & WORD64)
        uc.reg_write(self._r.UC_RISCV_REG_PC, address + 4)

    def _map_control(self) -> None:
        clint = self._registers.clint
        if clint is None:
            return

        def read(_: Any, offset: int, width: int, __: Any) -> int:
            for base, value in ((MTIMECMP, self._compare), (MTIME, self._now // clint_ticks)):
                if base <= offset < base + 8:
                    return value >> (8 * (offset - base)) & ((1 << (8 * width)) - 1)
            return 0

        def write(_: Any, offset: int, width: int, value: int, __: Any) -> None:
            if MTIMECMP <= offset < MTIMECMP + 8:
                shift = 8 * (offset - MTIMECMP)
                mask = ((1 << (8 * width)) - 1) << shift
                self._compare = self._compare & ~mask | (value << shift) & mask

        clint_ticks = clint.cycles_per_tick
        self._uc.mmio_map(clint.base, CLINT_BYTES, read, None, write, None)

    # --- execution -------------------------------------------------------------------------------

    def _reset(self) -> None:
        r, uc = self._r, self._uc
        self.peripherals.reset()
        self._compare = WORD64
        for number in range(1, 32):
            garbage = int.from_bytes(bytes([FIRST_BYTES]) * 8, "little")
            uc.reg_write(r.UC_RISCV_REG_X0 + number, garbage)
        for name in ("MSTATUS", "MIE", "MTVEC", "MCAUSE", "MEPC"):
            uc.reg_write(getattr(r, f"UC_RISCV_REG_{name}"), 0)
        self._pc = self._board.region("code").base

    def _start(self, end: int) -> None:
        self._counting.run_until(max(end, self._counting.count + 1))
        self._event = failure = None
        try:
            self._uc.emu_start(self._pc, NOWHERE)
        except self._u.UcError as error:
            failure = error
        self._pc = self._uc.reg_read(self._r.UC_RISCV_REG_PC)
        if self._event is not None:
            self._trap(*self._event)
        elif failure is not None:
            self._take_failure(failure)
        elif not self._counting.stopped and self._bytes(self._pc - 4, 4) == WFI:
            self._sleep()
        if self.peripherals.wants_reset:
            self.resets += 1
            self._reset()

    def _sleep(self) -> None:
        """Let time pass up to the timer's alarm."""
        clint = self._registers.clint
        alarm = self._uc.reg_read(self._r.UC_RISCV_REG_MIE) & MIE_MTIE
        if clint is None or not alarm or self._compare == WORD64:
            raise ModelStopped("the firmware sleeps, and nothing is set up to wake it")
        self._skipped += max(0, self._compare * clint.cycles_per_tick - self._now)

    def _bytes(self, address: int, size: int) -> bytes:
        try:
            return bytes(self._uc.mem_read(address, size))
        except self._u.UcError:
            return b""

    def _on_interrupt(self, uc: Any, number: int, _: Any) -> None:
        cause = {UNICORN_ILLEGAL: ILLEGAL, UNICORN_ECALL: ECALL_M}.get(number)
        if cause is None:
            raise ModelStopped(f"the core raised interrupt {number} at {self._counting.last:#x}")
        self._event = (cause, 0)
        self._uc.emu_stop()
        del uc

    def _on_bad_access(
        self, _: Any, access: int, address: int, size: int, value: int, __: Any
    ) -> bool:
        del size, value
        u = self._u
        if access in (u.UC_MEM_FETCH_UNMAPPED, u.UC_MEM_FETCH_PROT):
            self._event = (FETCH_ACCESS, address)
        elif access in (u.UC_MEM_READ_UNMAPPED, u.UC_MEM_READ_PROT):
            self._event = (LOAD_ACCESS, address)
        else:
            self._event = (STORE_ACCESS, address)
        return False

    def _take_failure(self, failure: Any) -> None:
        if failure.errno != self._u.UC_ERR_INSN_INVALID:
            raise ModelStopped(f"the emulator stopped at {self._pc:#x}: {failure}")
        code = self._bytes(self._pc, 4)
        is_break = any(code.startswith(word) for word in EBREAKS)
        self._trap(BREAKPOINT if is_break else ILLEGAL, 0)

    def _trap(self, cause: int, value: int) -> None:
        """Enter machine mode's handler. Unicorn's pc is already behind an illegal instruction."""
        r, uc = self._r, self._uc
        if cause in (ILLEGAL, ECALL_M):
            self._pc = self._counting.last
        handler = uc.reg_read(r.UC_RISCV_REG_MTVEC) & ~3
        if handler in (0, self._pc):
            raise ModelStopped(f"lockup: trap {cause} at {self._pc:#x} and no handler that works")
        status = uc.reg_read(r.UC_RISCV_REG_MSTATUS)
        before = MSTATUS_MPIE if status & MSTATUS_MIE else 0
        status &= ~(MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP_M)
        uc.reg_write(r.UC_RISCV_REG_MSTATUS, status | before | MSTATUS_MPP_M)
        uc.reg_write(r.UC_RISCV_REG_MEPC, self._pc)
        uc.reg_write(r.UC_RISCV_REG_MCAUSE, cause)
        uc.reg_write(r.UC_RISCV_REG_MTVAL, value)
        self._pc = handler
