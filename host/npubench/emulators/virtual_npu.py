"""The process beside an emulator that models a board's NPU: shared memory, doorbell, watch.

The memory has no name on disk and the doorbell's FIFOs live in a private folder, so that nothing
stays behind, however we end.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from npubench.boards import Board
from npubench.core.errors import ConfigError
from npubench.core.paths import data_root
from npubench.core.tool import own_python
from npubench.npu.ethosu.config import accelerator
from npubench.npu.ethosu.registers import power_on_words
from npubench.npu.ethosu.supervisor import ANSWER_FIFO, REQUEST_FIFO, Configuration
from npubench.transport.failure import DeviceEnded
from npubench.transport.interface import Transport
from npubench.transport.process import BoardProcess

SUPERVISOR: Final = "npubench.npu.ethosu.supervisor"
_MEMORY_FOLDER: Final = Path("/dev/shm")
_PLACEHOLDER: Final = "{memory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNpu:
    """A running model. The emulator inherits ``memory_fd``, opens ``memory_path`` and runs in
    ``folder``."""

    process: BoardProcess
    memory_fd: int
    memory_path: str
    folder: Path


def needs_virtual_npu(board: Board) -> bool:
    """Whether the board's emulator shares its memory with a modelled NPU."""
    return board.emulator is not None and any(
        _PLACEHOLDER in argument for argument in board.emulator.arguments
    )


def fill_in(arguments: tuple[str, ...], npu: VirtualNpu) -> tuple[str, ...]:
    """An emulator's arguments, with the shared memory's path."""
    return tuple(argument.replace(_PLACEHOLDER, npu.memory_path) for argument in arguments)


@contextmanager
def virtual_npu(board: Board) -> Iterator[VirtualNpu]:
    """Start the model of the board's NPU; it ends on leaving. Raises ConfigError, ToolMissing."""
    shared = _MEMORY_FOLDER if _MEMORY_FOLDER.is_dir() else None
    with (
        tempfile.TemporaryFile(dir=shared) as memory,
        tempfile.TemporaryDirectory(prefix="npubench-npu-") as name,
        ExitStack() as held,
    ):
        configuration = configuration_of(board, memory_fd=memory.fileno())
        os.ftruncate(memory.fileno(), configuration.memory_bytes)
        _power_up(memory.fileno(), configuration)
        folder = Path(name)
        for fifo in (REQUEST_FIFO, ANSWER_FIFO):
            os.mkfifo(folder / fifo, 0o600)
            held.enter_context(_held_open(folder / fifo))
        python, places = own_python(SUPERVISOR)
        # Small matrices gain nothing from threads, and jobs run side by side.
        environment = places | {"OPENBLAS_NUM_THREADS": "1"}
        with BoardProcess(
            (*python, configuration.text()),
            label="the model of the NPU",
            fds=(memory.fileno(),),
            cwd=folder,
            env=environment,
        ) as process:
            yield VirtualNpu(
                process=process,
                memory_fd=memory.fileno(),
                memory_path=f"/dev/fd/{memory.fileno()}",
                folder=folder,
            )


def _power_up(memory_fd: int, configuration: Configuration) -> None:
    """Registers as after power-up, before the guest begins: they read so without a doorbell."""
    page = configuration.registers - configuration.memory_base
    for offset, value in power_on_words(accelerator(configuration.accelerator)).items():
        os.pwrite(memory_fd, value.to_bytes(4, "little"), page + offset)


@contextmanager
def _held_open(fifo: Path) -> Iterator[None]:
    """Keep a FIFO from ending: when the supervisor dies, the guest waits until it is ended by
    NpuTransport, which knows the cause, and never reports a fault of the NPU instead."""
    descriptor = os.open(fifo, os.O_RDWR)
    try:
        yield
    finally:
        os.close(descriptor)


def configuration_of(board: Board, *, memory_fd: int) -> Configuration:
    """What the model is told, from board.toml. Raises ConfigError when it says too little."""
    if board.npu is None:
        raise ConfigError(f"board {board.id}: the emulator shares memory, but there is no [npu]")
    table = board.npu.config

    def text(key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str):
            raise ConfigError(f"board {board.id}: npu.config.{key} is missing or no text")
        return value

    def number(key: str) -> int:
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"board {board.id}: npu.config.{key} is missing or no whole number")
        return value

    return Configuration(
        memory_fd=memory_fd,
        memory_base=number("ddr_base"),
        memory_bytes=number("ddr_bytes"),
        window_bytes=number("window_bytes"),
        registers=number("registers"),
        accelerator=text("accelerator"),
        config_file=os.fspath(data_root() / "boards" / text("config_file")),
        system_config=text("system_config"),
        memory_mode=text("memory_mode"),
        deadline_s=float(table.get("deadline_s", 20.0)),
        fault=str(table.get("fault", "")),
    )


class NpuTransport:
    """A transport to an emulator whose NPU is a process of its own: the end of either ends the
    conversation, and the error says which it was."""

    def __init__(self, inner: Transport, emulator: BoardProcess, npu: BoardProcess) -> None:
        self._inner = inner
        self._npu = npu
        self._emulator = emulator
        self._lost = False
        threading.Thread(target=self._watch, name="npu-watch", daemon=True).start()

    def _watch(self) -> None:
        """A guest whose NPU is gone would wait for it for ever."""
        self._npu.wait()
        if self._emulator.is_running:
            self._lost = True
            self._emulator.kill()

    def __enter__(self) -> NpuTransport:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(None, None, None)

    def read(self, timeout_s: float) -> bytes:
        try:
            return self._inner.read(timeout_s)
        except DeviceEnded as error:
            raise self._explain(error) from error

    def write(self, data: bytes) -> None:
        try:
            self._inner.write(data)
        except DeviceEnded as error:
            raise self._explain(error) from error

    def _explain(self, error: DeviceEnded) -> DeviceEnded:
        if not self._lost:
            return error
        return DeviceEnded(
            f"{self._npu.ended().message}; the emulator was ended",
            hint="the NPU's process ended by itself or was killed: see its message, if any",
        )

    def set_baud(self, baud: int) -> None:
        self._inner.set_baud(baud)

    def now_s(self) -> float:
        return self._inner.now_s()

    def describe(self) -> str:
        return f"{self._inner.describe()}, NPU modelled"
