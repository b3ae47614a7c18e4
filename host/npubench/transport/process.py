"""A program that plays a board (an emulator, or the firmware itself): it never outlives us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from npubench.core.errors import ToolMissing
from npubench.core.tool import tool_environment
from npubench.transport.failure import DeviceEnded
from npubench.transport.interface import Transport

STDERR_CHARS = 2000
EXIT_WAIT_S = 2.0


class Killable(Protocol):
    """What ``end_running_boards`` ends."""

    def kill(self) -> None: ...


_live: set[Killable] = set()
_live_lock = threading.Lock()


class BoardProcess:
    """``argv`` in a session of its own, killed on leaving.

    On Linux the kernel kills it too when the thread that started it ends, however that happens:
    start and use it in one thread. ``fds`` stay open in it; ``stdio`` becomes its input and output
    (else it has none); ``env`` is added to what ``tool_environment`` hands on, ``cwd`` is where it
    runs. What it writes to stderr is kept. ``label`` names it in errors.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        label: str,
        fds: Sequence[int] = (),
        stdio: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._cwd = cwd
        self._argv = (*_leash(), *(os.fspath(word) for word in argv))
        self._label = label
        self._fds = tuple(fds)
        self._stdio = stdio
        self._env = tool_environment(env)
        self._stderr: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._stderr = tempfile.TemporaryFile()
        streams: Any = subprocess.DEVNULL if self._stdio is None else self._stdio
        try:
            self._process = subprocess.Popen(
                self._argv,
                stdin=streams,
                stdout=streams,
                stderr=self._stderr,
                pass_fds=self._fds,
                env=self._env,
                start_new_session=True,
                cwd=self._cwd,
            )
        except OSError as error:
            self._stderr.close()
            raise ToolMissing(
                f"{self._label} cannot be started: {error}", argv=self._argv
            ) from error
        note_running(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        forget_running(self)
        if self._stderr is not None:
            self._stderr.close()

    @property
    def pid(self) -> int:
        """Its process id. Raises RuntimeError before it was started."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it and what it started, at once, and reap it. An emulator may ignore SIGTERM."""
        if self._process is None:
            return
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                self._process.kill()
        self._process.wait()

    def wait(self) -> None:
        """Wait until it ends, by itself or killed."""
        if self._process is not None:
            self._process.wait()

    @property
    def said(self) -> str:
        """The end of what it wrote to stderr, in one line."""
        return self._tail()

    def ended(self) -> DeviceEnded:
        """The error that says how it ended; a process that closed its line but hangs is killed."""
        if self._process is None:
            return DeviceEnded(f"{self._label} was not started")
        try:
            code = self._process.wait(EXIT_WAIT_S)
            how = _how(code)
        except subprocess.TimeoutExpired:
            self.kill()
            how = "closed its console and was killed"
        tail = self._tail()
        said = f": {tail}" if tail else ""
        return DeviceEnded(
            f"{self._label} {how}{said}",
            hint="see the message of the program above" if tail else "was it killed by somebody?",
        )

    def _tail(self) -> str:
        if self._stderr is None or self._stderr.closed:
            return ""
        # Not seek and read: the offset is the process's own, too.
        handle = self._stderr.fileno()
        begin = max(0, os.fstat(handle).st_size - STDERR_CHARS)
        text = os.pread(handle, STDERR_CHARS, begin).decode("utf-8", "replace")
        return " | ".join(line.strip() for line in text.splitlines() if line.strip())


class ProcessTransport:
    """A transport to a process: when the line ends, the error says how the process ended."""

    def __init__(self, inner: Transport, process: BoardProcess) -> None:
        self._inner = inner
        self._process = process

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)

    def read(self, timeout_s: float) -> bytes:
        try:
            return self._inner.read(timeout_s)
        except DeviceEnded as error:
            raise self._process.ended() from error

    def write(self, data: bytes) -> None:
        try:
            self._inner.write(data)
        except DeviceEnded as error:
            raise self._process.ended() from error

    def set_baud(self, baud: int) -> None:
        self._inner.set_baud(baud)

    def now_s(self) -> float:
        return self._inner.now_s()

    def describe(self) -> str:
        return self._inner.describe()


def note_running(target: Killable) -> None:
    """``end_running_boards`` shall end this, too."""
    with _live_lock:
        _live.add(target)


def forget_running(target: Killable) -> None:
    """It has ended."""
    with _live_lock:
        _live.discard(target)


def end_running_boards() -> None:
    """Kill every process that plays a board and every open port, in any thread: for Ctrl-C. Their
    readers then see DeviceEnded."""
    with _live_lock:
        running = tuple(_live)
    for process in running:
        process.kill()


def find_program(path: Path) -> Path:
    """An ELF that is to be run here. Raises ToolMissing when it is not there."""
    if not path.is_file():
        raise ToolMissing(f"there is no image {path}", hint="build it: npubench build")
    return path


def _leash() -> tuple[str, ...]:
    """What to put before a command so that the kernel kills it when we die."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv is not None else ()


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
