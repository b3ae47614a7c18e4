"""What every board model is made of: memories, registers, the image, the loop that runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from npubench.boards import Board
from npubench.core.errors import ConfigError, DeviceError, NpubenchError, ToolMissing
from npubench.emulators.board_model.accelerator import Attached
from npubench.emulators.board_model.counting import Counting
from npubench.emulators.board_model.description import RegisterModel, load_registers
from npubench.emulators.board_model.peripherals import Peripherals

IDLE_POLLS = 64
PAGE = 0x1000
FIRST_BYTES = 0x6D  # RAM holds this at power-up: nothing may rely on zeros


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


class PoweredBoard(ABC):
    """A powered board with an image in its memories. ``run`` lets it go on.

    ``peripherals`` holds console and pins, ``resets`` how often the firmware has restarted it.
    Raises ConfigError when the board has no model or its core none, ToolMissing without Unicorn,
    ModelStopped when an image does not fit its memories.
    """

    CPU_MODELS: ClassVar[dict[str, str]]
    """Core of a board's file to Unicorn's name for its model."""
    THUMB: ClassVar[bool]
    """Whether instructions are Thumb: Unicorn's hook passes over those whose condition fails."""

    def __init__(self, board: Board, elf: Path, *, registers: RegisterModel | None = None) -> None:
        self._u = import_unicorn()
        if board.cpu.core not in self.CPU_MODELS:
            raise ConfigError(
                f"{board.id}: there is no model of the core {board.cpu.core}",
                hint=f"here: {', '.join(sorted(self.CPU_MODELS))}",
            )
        self._board = board
        self._describe(registers)
        self._uc = self._engine()
        self._counting = Counting(self._uc, thumb=self.THUMB)
        self.peripherals = self._connect()
        self.attached = self._attach()
        self._failure: NpubenchError | None = None
        self._map_memory(board)
        for base, size in self.peripherals.pages(PAGE):
            self._map_registers(base, size)
        if self.attached is not None:
            for part in self.attached.ranges():
                self._map_accelerator(self.attached, part.base, part.size_bytes)
        self._map_control()
        self._load(elf)
        self.resets = 0
        self._reset()

    def _describe(self, registers: RegisterModel | None) -> None:
        self._registers = load_registers(self._board) if registers is None else registers

    def _connect(self) -> Peripherals:
        return Peripherals(self._registers, lambda: self._counting.count)

    def _attach(self) -> Attached | None:
        """The accelerator beside the core, where one is modelled."""
        registers = getattr(self, "_registers", None)
        if registers is None or registers.accelerator is None:
            return None
        return Attached(registers, self.peripherals)

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

        Raises ModelStopped on a lockup, AcceleratorStopped when the accelerator beside the core is
        asked for what its model does not do.
        """
        begin = self._counting.count
        end = begin + instructions
        while self._counting.count < end and not self.is_idle:
            self._start(end)
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
        return self._counting.count - begin

    def tally_windows(self, path: Path) -> None:
        """Write what is executed between any two reads of CYCCNT, or of the timer that stands for
        it, into ``path`` from now on: about three times slower. Thumb code only."""
        code = self._board.region("code")
        self._counting.start_tally(flash=code.base, flash_bytes=code.size_bytes, windows=path)
        self.peripherals.on_count = self._counting.end_window

    def watch_memory(self, look: Callable[..., None]) -> None:
        """Let ``look(engine, kind, address, size, value, data)`` see every access of the core to
        its memories from now on: a hundred times slower."""
        u = self._u
        self._uc.hook_add(u.UC_HOOK_MEM_READ | u.UC_HOOK_MEM_WRITE, look)

    # --- of each architecture --------------------------------------------------------------------

    @abstractmethod
    def _engine(self) -> Any:
        """A Unicorn engine with the board's core."""

    @abstractmethod
    def _reset(self) -> None:
        """The core and its registers as after a reset; RAM keeps its content."""

    @abstractmethod
    def _start(self, end: int) -> None:
        """Run to the next thing that the emulated core itself does not do, and do it."""

    @abstractmethod
    def _map_control(self) -> None:
        """Map the registers that belong to the core."""

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
            if self.is_idle or self.peripherals.wants_look:
                self._counting.stop()
            return value

        def write(_: Any, offset: int, width: int, value: int, __: Any) -> None:
            self.peripherals.write(base + offset, width, value)
            if self.attached is not None:
                self.attached.look()
            if self.peripherals.wants_reset or self.peripherals.wants_look:
                self._counting.stop()

        self._uc.mmio_map(base, size, read, None, write, None)

    def _map_accelerator(self, attached: Attached, base: int, size: int) -> None:
        def read(_: Any, offset: int, width: int, __: Any) -> int:
            return attached.read(base + offset, width)

        def write(_: Any, offset: int, width: int, value: int, __: Any) -> None:
            try:
                attached.write(base + offset, width, value)
            except NpubenchError as error:  # it must not pass through the emulator's C
                self._failure = error
                self._counting.stop()

        self._uc.mmio_map(base, size, read, None, write, None)

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
