"""A board's part with an image that somebody else built: what it expects is modelled as far as
``foreign.toml`` says, and what it waits for in vain is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from npubench.boards import Board
from npubench.emulators.board_model.cortex_m import CCR, FIRST_IRQ, PAGE
from npubench.emulators.board_model.counting import Tally
from npubench.emulators.board_model.description import RegisterModel
from npubench.emulators.board_model.double import DoublePrecision
from npubench.emulators.board_model.foreign import ForeignPart, load_foreign
from npubench.emulators.board_model.foreign_registers import ForeignRegisters, Poll
from npubench.emulators.board_model.image import read_image
from npubench.emulators.board_model.machine import BoardModel
from npubench.emulators.board_model.powered import FIRST_BYTES, ModelStopped

BRANCH_TO_ITSELF = 0xE7FE
BITBANDS = ("cortex-m3", "cortex-m4")


class ForeignBoard(BoardModel):
    """The part of ``board`` with a foreign image in its flash.

    Raises what BoardModel raises, UsageError for a file that is no image, ConfigError when the
    board has no foreign.toml.

    ``tallies``: count by kind, too.
    """

    peripherals: ForeignRegisters  # type: ignore[assignment]

    def __init__(
        self,
        board: Board,
        image: Path,
        *,
        part: ForeignPart | None = None,
        tallies: bool = True,
    ) -> None:
        self._tallies = tallies
        self._part = load_foreign(board) if part is None else part
        self._segments = read_image(image)
        self._kept: list[Any] = []
        super().__init__(board, image)

    # --- set-up ----------------------------------------------------------------------------------

    def _describe(self, registers: RegisterModel | None) -> None:
        del registers

    def _vectors(self) -> int:
        if self._part.vectors is not None:
            return self._part.vectors
        return self._flash if self._first is None else self._first

    @property
    def _flash(self) -> int:
        code = self._board.region("code")
        return code.base if self._part.flash is None else self._part.flash

    @property
    def _first(self) -> int | None:
        addresses = [s.address for s in self._segments if s.address is not None]
        return min(addresses, default=None)

    def _engine(self) -> Any:
        engine = super()._engine()
        self._double = DoublePrecision(engine, self._r)
        return engine

    def _connect(self) -> ForeignRegisters:  # type: ignore[override]
        code = self._board.region("code")
        alias = next((r.alias for r in self._part.memory if r.base == code.base), None)
        if self._tallies:
            self._counting.start_tally(flash=code.base, flash_bytes=code.size_bytes, alias=alias)
        return ForeignRegisters(
            self._part,
            now=lambda: self._counting.count + self._skipped,
            count=lambda: self._counting.count,
            tally=self._counting.tally,
            cycles_read=self._counting.cycles_read,
            pc=lambda: self._counting.last,
            may_interrupt=self._may_interrupt,
            bitband=self._board.cpu.core in BITBANDS,
        )

    def _map_memory(self, board: Board) -> None:
        import ctypes

        regions: list[tuple[int, int, bool, int | None]] = [
            (region.base, region.size_bytes, bool({"ram", "arena"} & set(region.roles)), None)
            for region in board.memory
        ]
        regions = [
            region
            for region in regions
            if not any(r.base <= region[0] < r.base + r.size_bytes for r in self._part.memory)
        ]
        regions += [(r.base, r.size_bytes, r.writable, r.alias) for r in self._part.memory]
        for base, size_bytes, writable, alias in regions:
            size = -(-size_bytes // PAGE) * PAGE
            buffer = ctypes.create_string_buffer(size + PAGE)
            ctypes.memset(buffer, FIRST_BYTES if writable else 0xFF, size + PAGE)
            place = -(-ctypes.addressof(buffer) // PAGE) * PAGE
            self._kept.append(buffer)
            rights = (
                self._u.UC_PROT_ALL if writable else self._u.UC_PROT_READ | self._u.UC_PROT_EXEC
            )
            for start in (base,) if alias is None else (base, alias):
                self._uc.mem_map_ptr(start, size, rights, place)

    def _load(self, elf: Path) -> None:
        for segment in self._segments:
            address = self._flash if segment.address is None else segment.address
            try:
                self._uc.mem_write(address, segment.data)
            except self._u.UcError as error:
                raise ModelStopped(
                    f"the image {elf.name} wants {len(segment.data)} bytes at {address:#010x}, "
                    f"where {self._board.id} has no memory: it is for another part or address"
                ) from error

    # --- execution -------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether it does nothing but ask for a byte that is not there."""
        uart = self.peripherals.console
        return not uart.received and uart.empty_polls >= 4096

    @property
    def in_vain(self) -> Poll | None:
        """The register that is polled in vain right now, if one is."""
        poll = self.peripherals.poll
        return poll if (poll.address, poll.pc) in self.peripherals.polled else None

    def tally(self) -> Tally:
        """What was executed so far, by kind."""
        return self._counting.tally()

    @property
    def pc(self) -> int:
        """Where the core stands."""
        return self._pc

    def settings(self) -> dict[str, int]:
        """What the image wrote into the registers that decide its speed: the core's configuration
        and control register, and those that foreign.toml names (clocks, wait states, caches)."""
        found = {"ccr": self.control.words.get(CCR, 0)}
        for name, address in self._part.settings.items():
            found[name] = self.peripherals.words.get(address, 0)
        return found

    def polled_words(self) -> str:
        """What was polled in vain, longest waits last, in words."""
        polls = list(self.peripherals.polled.values())[-4:]
        if not polls:
            last = self.peripherals.poll
            return (
                f"nothing for long, last {last.address:#010x} by {last.pc:#010x}, "
                f"at {self.pc:#010x}"
            )
        return ", ".join(
            f"{poll.address:#010x} read as {poll.value:#010x} by {poll.pc:#010x}"
            f"{self.tested_bits(poll)}"
            for poll in polls
        )

    def tested_bits(self, poll: Poll) -> str:
        """Which bits the code after a polling load looks at, as words, where that can be seen."""
        try:
            code = bytes(self._uc.mem_read(poll.pc, 16))
        except self._u.UcError:
            return ""
        for at in range(2, 14, 2):
            half = int.from_bytes(code[at : at + 2], "little")
            if half >> 11 == 0 and half >> 6 & 31:  # LSLS: the bit that becomes the sign
                return f" (bit {31 - (half >> 6 & 31)})"
            if half & 0xFBF0 in (0xF010, 0xF000) and at < 12:  # TST, AND with a constant
                low = int.from_bytes(code[at + 2 : at + 4], "little")
                constant = (half >> 10 & 1) << 11 | (low >> 12 & 7) << 8 | low & 0xFF
                mask = _expand(constant)
                return f" (bits {mask:#x})"
        return ""

    def _start(self, end: int) -> None:
        registers = self.peripherals
        due = registers.due()
        if due is not None:
            end = min(end, max(due - self._skipped, self._counting.count + 1))
        registers.wants_look = False
        super()._start(end)
        if self.control.is_masked() and self._word(self._pc) & 0xFFFF == BRANCH_TO_ITSELF:
            caller = self._uc.reg_read(self._r.UC_ARM_REG_LR) & ~1
            raise ModelStopped(
                f"the image gave up: an endless loop at {self._pc:#010x} with interrupts off, "
                f"last called from {caller:#010x}"
            )

    def _next_pending(self) -> int | None:
        for line in self.peripherals.asking():
            if self._may_interrupt(line):
                self.control.pending.add(FIRST_IRQ + line)
        return super()._next_pending()

    def _may_interrupt(self, line: int) -> bool:
        """Whether a line that is high makes its exception pending: not while that runs."""
        return (
            FIRST_IRQ + line in self.control.enabled and FIRST_IRQ + line not in self.control.active
        )

    def _sleep(self) -> None:
        due = self.peripherals.due()
        systick = self.control.systick.due()
        if systick is None and due is None and not self.peripherals.asking():
            self._counting.stop()  # sleeps until a byte comes
            self.peripherals.idle_polls = 1 << 20
            return
        times = [at for at in (due, systick) if at is not None]
        if not self.control.wakes() and not self.peripherals.asking() and times:
            self._skipped += max(0, min(times) - self.control.now)
            self.control.now = self._counting.count + self._skipped

    def _take_failure(self, failure: Any) -> None:
        if failure.errno == self._u.UC_ERR_INSN_INVALID:
            done = self._double.play(self._pc)
            if done is not None:
                self._pc = done
                return
        super()._take_failure(failure)


def _expand(constant: int) -> int:
    """A modified immediate constant of Thumb-2 (Armv7-M ARM, A5.3.2)."""
    low = constant & 0xFF
    match constant >> 8 & 15 if constant >> 10 == 0 else 15:
        case 0:
            return low
        case 1:
            return low << 16 | low
        case 2:
            return low << 24 | low << 8
        case 3:
            return low * 0x01010101
    value, turn = low & 0x7F | 0x80, constant >> 7
    return (value >> turn | value << (32 - turn)) & 0xFFFFFFFF
