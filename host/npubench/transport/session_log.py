"""The log of what went over a line: every byte received, and what was sent when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from npubench.core.errors import ResultError


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
