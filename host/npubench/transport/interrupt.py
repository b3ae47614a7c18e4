"""A port whose waits end when the command is interrupted; a read may else wait for a minute."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from npubench.transport.failure import DeviceEnded
from npubench.transport.interface import Transport
from npubench.transport.process import forget_running, note_running

SLICE_S = 0.25
_open: set[InterruptibleTransport] = set()
_ended: dict[str, str] = {}
_open_lock = threading.Lock()


class InterruptibleTransport:
    """``inner``, read in slices of SLICE_S seconds. ``kill`` ends it, from any thread, and so does
    ``end_running_boards``: the reader then sees DeviceEnded."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._killed = ""

    def __enter__(self) -> Self:
        self._inner.__enter__()
        note_running(self)
        with _open_lock:
            _open.add(self)
            self._killed = _ended.get(self.describe(), "")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        forget_running(self)
        with _open_lock:
            _open.discard(self)
        self._inner.__exit__(kind, error, trace)

    def kill(self, reason: str = "interrupted") -> None:
        """Let the present read and every later one and every write raise DeviceEnded."""
        self._killed = reason

    def read(self, timeout_s: float) -> bytes:
        end_s = self._inner.now_s() + timeout_s
        while True:
            self._check()
            left_s = end_s - self._inner.now_s()
            data = self._inner.read(max(0.0, min(left_s, SLICE_S)))
            if data or left_s <= SLICE_S:
                return data

    def write(self, data: bytes) -> None:
        self._check()
        self._inner.write(data)

    def set_baud(self, baud: int) -> None:
        self._inner.set_baud(baud)

    def now_s(self) -> float:
        return self._inner.now_s()

    def describe(self) -> str:
        return self._inner.describe()

    def _check(self) -> None:
        if self._killed:
            raise DeviceEnded(f"{self.describe()}: {self._killed}")


def end_port(address: str, reason: str) -> None:
    """End every port of that description, open or still to be opened: its readers see DeviceEnded
    with ``reason``, until ``allow_port``."""
    with _open_lock:
        _ended[address] = reason
        found = tuple(port for port in _open if port.describe() == address)
    for port in found:
        port.kill(reason)


def allow_port(address: str) -> None:
    """The port may be used again."""
    with _open_lock:
        _ended.pop(address, None)
