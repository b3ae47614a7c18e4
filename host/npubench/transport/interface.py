"""What carries bytes to and from a board, and the log of what went over it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TextIO

from npubench.core.errors import ResultError


class Transport(Protocol):
    """A byte stream to one board. Nothing opens in a constructor: entering opens, leaving closes.

    One thread may read while another writes.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, as soon as anything has; empty when nothing did in ``timeout_s``.

        Raises DeviceEnded when the other side is gone.
        """

    def write(self, data: bytes) -> None:
        """Send all of ``data``. Raises DeviceEnded when the other side is gone."""

    def set_baud(self, baud: int) -> None:
        """Change the speed in bit/s; no effect where there is none."""

    def now_s(self) -> float:
        """The time by which this transport's time-outs run: monotonic, in seconds."""

    def describe(self) -> str:
        """What this is, for the run's record, e.g. ``serial /dev/ttyACM0 at 115200 baud``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Bytes that were sent when ``at_bytes`` bytes had been received."""

    at_bytes: int
    data: bytes


class SessionLog:
    """All that went over a transport: the bytes received, raw, and what was sent, apart.

    Kept in memory and, where files are given, written through as it happens. ``sent_file`` gets one
    JSON object a line: ``{"at": <bytes received before>, "sent": "<text>"}``.
    """

    def __init__(
        self, *, received_file: BinaryIO | None = None, sent_file: TextIO | None = None
    ) -> None:
        self._received = bytearray()
        self._sent: list[Sent] = []
        self._received_file = received_file
        self._sent_file = sent_file

    @property
    def received(self) -> bytes:
        """Every byte received so far."""
        return bytes(self._received)

    @property
    def sent(self) -> tuple[Sent, ...]:
        """Everything sent so far."""
        return tuple(self._sent)

    def add_received(self, data: bytes) -> None:
        """Append received bytes."""
        self._received += data
        if self._received_file is not None:
            self._received_file.write(data)
            self._received_file.flush()

    def add_sent(self, data: bytes) -> None:
        """Note what was sent, and where in the received stream."""
        entry = Sent(at_bytes=len(self._received), data=data)
        self._sent.append(entry)
        if self._sent_file is not None:
            self._sent_file.write(format_sent((entry,)))
            self._sent_file.flush()


def format_sent(entries: Sequence[Sent]) -> str:
    """The text of a log of sent bytes, one JSON object a line; read_sent is its inverse."""
    return "".join(
        json.dumps({"at": entry.at_bytes, "sent": entry.data.decode("latin-1")}) + "\n"
        for entry in entries
    )


def read_sent(text: str) -> tuple[Sent, ...]:
    """Read a log of sent bytes. Raises ResultError when it is not one."""
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            item = json.loads(line)
            entries.append(Sent(at_bytes=int(item["at"]), data=item["sent"].encode("latin-1")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ResultError(f"the log of sent bytes is damaged in line {number}") from error
    return tuple(entries)
