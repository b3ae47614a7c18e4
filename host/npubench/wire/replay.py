"""Saved bytes as a transport: the collector runs again on what a session once received."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from npubench.transport.failure import DeviceEnded
from npubench.transport.session_log import Sent
from npubench.wire.record import READY

BANNER_END = b"m-init-done"


class ReplayTransport:
    """Gives ``received`` back, held until the writes come that preceded each part of it.

    With ``sent``, a write that differs from the session's raises DeviceEnded: what follows would
    answer another question. Without it, each write releases the bytes up to the next ``m-ready``
    line, after the boot banner if the bytes begin with one. Silence costs no time: the clock jumps
    by each time-out.
    """

    def __init__(self, received: bytes, sent: Sequence[Sent] | None = None) -> None:
        self._received = received
        self._sent = None if sent is None else tuple(sent)
        self._at = 0
        self._writes = 0
        self._limit = self._first_limit()
        self._now_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def read(self, timeout_s: float) -> bytes:
        if self._at == self._limit:
            if self._at == len(self._received) and self._all_written():
                raise DeviceEnded("the saved session ends here")
            self._now_s += timeout_s
            return b""
        data = self._received[self._at : self._limit]
        self._at = self._limit
        return data

    def write(self, data: bytes) -> None:
        if self._sent is not None:
            if self._all_written():
                raise DeviceEnded(f"the saved session ends before {data!r} was sent")
            expected = self._sent[self._writes].data
            if data != expected:
                raise DeviceEnded(
                    f"the saved session sent {expected!r} where {data!r} is sent now",
                    hint="replay it with the version and the options that made it",
                )
        self._writes += 1
        self._limit = max(self._limit, self._next_limit())

    def set_baud(self, baud: int) -> None:
        del baud

    def now_s(self) -> float:
        return self._now_s

    def describe(self) -> str:
        return f"replay of {len(self._received)} saved bytes"

    def _all_written(self) -> bool:
        return self._sent is None or self._writes >= len(self._sent)

    def _first_limit(self) -> int:
        """How far the bytes may be read before anything is written."""
        limit = self._next_limit()
        if self._sent is None and BANNER_END not in self._received[:limit]:
            return 0
        return limit

    def _next_limit(self) -> int:
        """How far the bytes may be read after ``self._writes`` writes."""
        if self._sent is not None:
            if self._writes < len(self._sent):
                return min(self._sent[self._writes].at_bytes, len(self._received))
            return len(self._received)
        found = self._received.find(READY.encode("ascii"), self._at)
        end = self._received.find(b"\n", found) if found >= 0 else -1
        return end + 1 if end >= 0 else len(self._received)
