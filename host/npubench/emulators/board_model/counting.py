"""Instruction counts of a Unicorn engine, by two hooks in C: Python's would be a hundred times
slower. The library is built with the host's compiler on first use and cached by content."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from npubench.emulators.host_library import host_library

FOREVER = (1 << 64) - 1
_SOURCE = Path(__file__).with_name("counting.c")
TALLY_HEADERS = tuple(_SOURCE.with_name(name) for name in ("access.h", "decode.h", "tally.h"))
_WRITE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p
)
_HOOK_CODE = 1 << 2
_HOOK_BLOCK = 1 << 3


class _State(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("next", ctypes.c_uint64),
        ("block_end", ctypes.c_uint64),
        ("stop", ctypes.c_uint64),
        ("stopped", ctypes.c_uint64),
        ("control", ctypes.c_uint64),
        ("counting", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
        ("since", ctypes.c_uint64),
        ("polls", ctypes.c_uint64),
        ("polled", ctypes.c_uint64),
        ("last", ctypes.c_uint64),
        ("thumb", ctypes.c_uint64),
        ("emu_stop", ctypes.c_void_p),
        ("mem_read", ctypes.c_void_p),
        ("reg_read", ctypes.c_void_p),
        ("registers", ctypes.c_uint64 * 16),
        ("tallying", ctypes.c_void_p),
    )


class Tally:
    """Counts by name, packed: many are taken, few are looked into."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def __sub__(self, other: Tally) -> dict[str, int]:
        """What was executed between two tallies; names in lower case, see tally.h."""
        size = len(self._packed) // 8
        ours = struct.unpack(f"<{size}Q", self._packed)
        theirs = struct.unpack(f"<{size}Q", other._packed)
        return {name: a - b for name, a, b in zip(tally_names(), ours, theirs, strict=True)}


@cache
def tally_names() -> tuple[str, ...]:
    """The names of a tally's counts, classes first; see tally.h."""
    library = ctypes.CDLL(os.fspath(_library()))
    library.tally_names.restype = ctypes.c_char_p
    return tuple(library.tally_names().decode("ascii").lower().split())


def read_windows(path: Path) -> list[tuple[int, dict[str, int]]]:
    """The windows that start_tally wrote: instructions, and counts by name, in order."""
    names = tally_names()
    size = 8 * (len(names) + 1)
    data = path.read_bytes()
    found = []
    for start in range(0, len(data) - size + 1, size):
        total, *counts = struct.unpack_from(f"<{len(names) + 1}Q", data, start)
        found.append((total, dict(zip(names, counts, strict=True))))
    return found


class Counting:
    """Counts what ``engine`` (a Uc) executes, and stops it at a block's start on demand.

    Raises ToolMissing without a C compiler.
    """

    def __init__(self, engine: Any, *, thumb: bool) -> None:
        from unicorn.unicorn_py3.unicorn import uclib

        library = ctypes.CDLL(os.fspath(_library()))
        self._engine, self._lib, self._library = engine, uclib, library
        self._tally_size = 0
        self._write: Any = None
        self._state = _State(limit=FOREVER, thumb=thumb)
        self._state.emu_stop = ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p).value
        self._state.mem_read = ctypes.cast(uclib.uc_mem_read, ctypes.c_void_p).value
        for kind, name in ((_HOOK_BLOCK, "count_block"), (_HOOK_CODE, "count_code")):
            self._hook(kind, name)

    def _hook(self, kind: int, name: str) -> None:
        handle = ctypes.c_size_t()
        failed = self._lib.uc_hook_add(
            self._engine._uch,
            ctypes.byref(handle),
            kind,
            ctypes.cast(getattr(self._library, name), ctypes.c_void_p),
            ctypes.byref(self._state),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if failed:
            raise RuntimeError(f"Unicorn refuses a hook: error {failed}")

    def start_tally(
        self, *, flash: int, flash_bytes: int, alias: int | None = None, windows: Path | None = None
    ) -> None:
        """Count from now on by kind too (Thumb code only); ``flash`` is the code region, ``alias``
        where it is seen again. ``windows``: a file for the tally between any two reads of CYCCNT.
        """
        from unicorn import arm_const

        library, state = self._library, self._state
        state.reg_read = ctypes.cast(self._lib.uc_reg_read, ctypes.c_void_p).value
        for number in range(16):
            state.registers[number] = getattr(arm_const, f"UC_ARM_REG_R{number}")
        library.tally_counts.restype = ctypes.POINTER(ctypes.c_uint64)
        library.tally_read.restype = ctypes.POINTER(ctypes.c_uint64)
        library.tally_reads.restype = library.tally_read_count.restype = ctypes.c_uint64
        failed = library.tally_start(
            ctypes.byref(state),
            ctypes.c_uint32(flash),
            ctypes.c_uint32(flash_bytes),
            ctypes.c_uint32(flash if alias is None else alias),
            None if windows is None else os.fsencode(windows),
        )
        if failed:
            raise RuntimeError("the tally cannot start: no memory, or no file for its windows")
        self._tally_size = ctypes.sizeof(ctypes.c_uint64) * library.tally_count()

    def end_window(self) -> None:
        """End a window of the tally here: the firmware reads its counter."""
        self._library.tally_window(ctypes.byref(self._state))

    def tally(self) -> Tally:
        """What was executed since the tally started, as of now."""
        counts = self._library.tally_counts(ctypes.byref(self._state))
        return Tally(ctypes.string_at(counts, self._tally_size))

    def cycles_read(self) -> tuple[int, int, Tally]:
        """How often CYCCNT was read since the tally started; instructions, and what was executed,
        as of the last time."""
        library, state = self._library, ctypes.byref(self._state)
        packed = ctypes.string_at(library.tally_read(state), self._tally_size)
        return int(library.tally_reads(state)), int(library.tally_read_count(state)), Tally(packed)

    @property
    def count(self) -> int:
        """Instructions executed, the present one included."""
        return int(self._state.count)

    @property
    def last(self) -> int:
        """The address of the last instruction that was counted."""
        return int(self._state.last)

    def run_until(self, limit: int) -> None:
        """Let the next start run until ``limit`` instructions have been counted in all."""
        self._state.limit = min(limit, FOREVER)
        self._state.stop = 0
        self._state.stopped = 0
        self._state.next = 0
        self._state.block_end = 0

    @property
    def stopped(self) -> bool:
        """Whether the last start ended at its limit or by ``stop``."""
        return bool(self._state.stopped)

    def map_trace_unit(self, base: int, size_bytes: int, write: Callable[[int, int], None]) -> None:
        """Map the trace unit's registers: read here, written by ``write(offset, value)``."""

        def written(_: Any, offset: int, __: int, value: int, ___: Any) -> None:
            write(offset, value)

        self._write = _WRITE(written)
        failed = self._lib.uc_mmio_map(
            self._engine._uch,
            ctypes.c_uint64(base),
            ctypes.c_size_t(size_bytes),
            ctypes.cast(self._library.read_counter, ctypes.c_void_p),
            ctypes.byref(self._state),
            ctypes.cast(self._write, ctypes.c_void_p),
            None,
        )
        if failed:
            raise RuntimeError(f"Unicorn refuses the trace unit's registers: error {failed}")

    def set_counter(self, *, control: int, value: int | None, counts: bool) -> None:
        """Set DWT_CTRL, and CYCCNT (None: as it stands), which from now on counts or not."""
        state = self._state
        if value is None:
            value = state.value + (state.count - state.since if state.counting else 0)
        state.control, state.value, state.since = control, value & 0xFFFFFFFF, state.count
        state.counting = counts

    def stop(self) -> None:
        """Stop before the next block: safe inside a register access, which must end first."""
        self._state.stop = 1


def _library() -> Path:
    return host_library(_SOURCE, TALLY_HEADERS, what="a board model")
