"""A desk as the bench sees it: where the board's console is, and hands to flash and to record."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from npubench.boards import Board
from npubench.build.firmware import Firmware
from npubench.core import errors
from npubench.core.errors import DeviceError, MonitorError, NpubenchError, StorageError, ToolError
from npubench.core.tool import find_tool, own_python
from npubench.core.version import VERSION
from npubench.desk.frame import Frame, Reader
from npubench.desk.hands import PROJECT, packed
from npubench.power.capture.rig import Choice
from npubench.power.energy.marks import Mark
from npubench.power.parts import Capture, read_capture
from npubench.power.registry import load_driver
from npubench.power.source.accuracy import Accuracy
from npubench.power.source.benchfile import Instrument
from npubench.power.source.interface import Traits
from npubench.transport.process import BoardProcess, ProcessTransport
from npubench.transport.socket_port import SocketTransport

HELLO_TIMEOUT_S = 30.0
ROUND_TRIPS = 5
UPLOAD_TIMEOUT_S = 300.0
CAPTURE_TIMEOUT_S = 600.0
SSH_OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")
REMOTE = ("npubench", "boards", "hands")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a desk's hands are. ``host`` empty or of this machine: a process here; else by ssh."""

    host: str = ""
    user: str = ""
    port: int = 22

    @property
    def is_here(self) -> bool:
        """Whether no ssh is needed."""
        return self.host in ("", "localhost", "127.0.0.1", "::1", socket.gethostname())

    def words(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command that starts the hands, and what it needs in its environment. Raises
        ToolMissing without ssh."""
        if self.is_here:
            return own_python("npubench.desk")
        place = f"{self.user}@{self.host}" if self.user else self.host
        port = () if self.port == 22 else ("-p", str(self.port))
        program = str(find_tool("ssh", package="openssh-client"))
        return (program, *SSH_OPTIONS, *port, "--", place, *REMOTE), {}


class Desk:
    """The desk of a place. ``console``: the port that leads to the board's console.

    ``lost`` says why the place is not ours any more, or is empty.
    """

    def __init__(
        self, *, place: str, console: str, address: Address, probe: str | None = None
    ) -> None:
        self.place = place
        self.console = console
        self.host = address.host or socket.gethostname()
        self.lost = ""
        self.round_trip_us = 0.0
        self._address = address
        self._probe = probe
        self._stack = ExitStack()
        self._line: ProcessTransport | None = None
        self._reader: Reader | None = None
        self._deadline_s = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        words, environment = self._address.words()
        ours, theirs = socket.socketpair()
        label = f"the desk {self.host}"
        try:
            with theirs:
                line = self._stack.enter_context(SocketTransport(ours, label=label))
                process = self._stack.enter_context(
                    BoardProcess(words, label=label, stdio=theirs.fileno(), env=environment)
                )
            self._line = ProcessTransport(line, process)
            self._reader = Reader(self._more)
            said = self.ask(Frame(verb="hello"), timeout_s=HELLO_TIMEOUT_S).values
        except NpubenchError as error:
            self._stack.close()
            raise DeviceError(
                f"the desk of {self.place} ({self.host}) does not answer: {error.message}",
                hint="is npubench installed there, and may you log in by ssh without a password?",
            ) from error
        if said.get("version") != VERSION:
            self._stack.close()
            raise DeviceError(
                f"the desk {self.host} runs npubench {said.get('version')}, this is {VERSION}",
                hint="install the same version on both",
            )
        self.round_trip_us = round(median(self._round_trip_us() for _ in range(ROUND_TRIPS)), 1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line = self._reader = None
        self._stack.close()

    def _round_trip_us(self) -> float:
        begin = time.perf_counter()
        self.ask(Frame(verb="hello"), timeout_s=HELLO_TIMEOUT_S)
        return (time.perf_counter() - begin) * 1e6

    def ask(self, frame: Frame, *, timeout_s: float) -> Frame:
        """One question and its answer. Raises the error that the desk answers with, DeviceError
        when it does not answer in time or is gone."""
        with self._lock:
            if self._line is None or self._reader is None:
                raise DeviceError(f"the desk {self.host} is not open")
            self._deadline_s = time.monotonic() + timeout_s
            self._line.write(frame.data())
            answer = self._reader.frame()
        if answer.verb != "ok":
            raise _raised(answer.values, self.host)
        return answer

    def _more(self) -> bytes:
        assert self._line is not None
        while True:
            left_s = self._deadline_s - time.monotonic()
            if left_s <= 0:
                raise DeviceError(f"the desk {self.host} did not answer in time")
            data = self._line.read(min(left_s, 1.0))
            if data:
                return data

    def upload(self, board: Board, firmware: Firmware) -> None:
        """An image onto the board, by the probe or the emulator at the desk. Raises what the flash
        tool there makes of it."""
        self.ask(
            Frame(
                verb="upload",
                values={
                    "board": board.id,
                    "model": board.is_model,
                    "probe": self._probe,
                    "console": urlsplit(self.console).port or 0,
                    "elf": firmware.elf.name,
                    "elf_sha256": firmware.elf_sha256,
                },
                blobs={PROJECT: packed(firmware)},
            ),
            timeout_s=UPLOAD_TIMEOUT_S,
        )

    def choose(self, name: str) -> Choice:
        """An instrument of the desk's own bench.toml."""
        values = self.ask(
            Frame(verb="instrument", values={"name": name}), timeout_s=HELLO_TIMEOUT_S
        ).values
        return Choice(
            name=name,
            driver=load_driver(str(values["driver"])),
            instrument=Instrument.model_validate(values["instrument"]),
        )

    @contextmanager
    def recording(self, name: str, folder: Path) -> Iterator[Traits]:
        """Record an instrument of the desk while entered; on leaving, its capture is in
        ``folder``. Raises MonitorError."""
        with _as_monitor():
            values = self.ask(
                Frame(verb="record", values={"name": name}), timeout_s=HELLO_TIMEOUT_S
            ).values
        traits = dict(values["traits"])
        traits["accuracy"] = Accuracy.model_validate(traits["accuracy"])
        yield Traits(**traits)
        with _as_monitor():
            answer = self.ask(Frame(verb="close"), timeout_s=CAPTURE_TIMEOUT_S)
            _write(folder, answer.blobs)

    def samples(self) -> int:
        """How many samples the capture under way has so far."""
        answer = self.ask(Frame(verb="samples"), timeout_s=HELLO_TIMEOUT_S)
        return int(answer.values["count"])

    def play(
        self,
        name: str,
        faults: Sequence[str],
        *,
        board: str,
        marks: Sequence[Mark],
        stage_us: Mapping[str, float],
        trouble_s: float,
        seed: int,
        folder: Path,
    ) -> Capture:
        """Show the desk's simulated instrument a board's marks; the capture that it made."""
        values = {
            "name": name,
            "faults": list(faults),
            "board": board,
            "marks": [asdict(mark) for mark in marks],
            "stage_us": dict(stage_us),
            "trouble_s": trouble_s,
            "seed": seed,
        }
        with _as_monitor():
            answer = self.ask(Frame(verb="play", values=values), timeout_s=CAPTURE_TIMEOUT_S)
            _write(folder, answer.blobs)
        return read_capture(folder)


@contextmanager
def _as_monitor() -> Iterator[None]:
    """At the desk's instrument, a desk that is gone is an instrument that failed."""
    try:
        yield
    except DeviceError as error:
        raise MonitorError(error.message, hint=error.hint) from error


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _raised(values: Mapping[str, Any], host: str) -> NpubenchError:
    """The desk's error as one of ours, with where it happened."""
    kind = getattr(errors, str(values.get("kind")), None)
    message = f"at the desk {host}: {values.get('message')}"
    hint = str(values.get("hint") or "")
    plain = (errors.UsageError, errors.ConfigError, MonitorError, DeviceError, errors.ToolMissing)
    if isinstance(kind, type) and issubclass(kind, plain):
        return kind(message, hint=hint)
    if kind is ToolError:
        return ToolError(message, hint=hint)
    return DeviceError(message, hint=hint)
