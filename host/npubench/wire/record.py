"""Lines and records from a stream of bytes that may be cut anywhere, damaged or foreign.

Nothing in here raises on what comes from the wire: what cannot be read is a LostRecord or Text.
See docs/wire-protocol.md, "Framing".
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

MAX_LINE_BYTES = 1 << 16

READY = "m-ready"
_RECORD_START = b"r-{"
_RECORD_END = re.compile(rb"\*([0-9a-f]{8})\Z")
_ERROR = re.compile(r"e-\[(?:E(\d{1,9}) )?(.*)\]\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record whose CRC is right. ``kind`` is its ``"t"``, or empty when it has none."""

    kind: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRecord:
    """A line that begins as a record and is damaged."""

    line: bytes
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorLine:
    """A line ``e-[text]``; ``number`` is set for the extension's ``e-[E<number> text]``."""

    number: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Any other line; bytes that are not ASCII are shown as escapes."""

    text: str

    @property
    def is_protocol(self) -> bool:
        """Whether the line looks like one of MLPerf Tiny's."""
        return self.text.startswith("m-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The line that ends an answer."""


Line = Record | LostRecord | ErrorLine | Text | Ready


class LineSplitter:
    """Cuts a stream of bytes into lines, whatever the chunks.

    LF completes a line, and CR parts lines within it, so that a damaged LF costs one line, not two;
    but nothing is given out before the LF, when the sender is done. Empty lines and NUL bytes are
    dropped. Of what is longer than ``limit_bytes`` only the beginning is kept.
    """

    def __init__(self, *, limit_bytes: int = MAX_LINE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._pending = bytearray()

    @property
    def pending(self) -> bytes:
        """The bytes of the line that has not ended yet."""
        return bytes(self._pending)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that ``chunk`` completes, without their ends."""
        parts = chunk.replace(b"\0", b"").split(b"\n")
        lines = []
        for part in parts[:-1]:
            self._extend(part)
            lines += [line for line in bytes(self._pending).split(b"\r") if line]
            self._pending.clear()
        self._extend(parts[-1])
        return lines

    def clear(self) -> None:
        """Forget the line that has not ended."""
        self._pending.clear()

    def _extend(self, part: bytes) -> None:
        self._pending += part[: self._limit_bytes - len(self._pending)]


def parse_line(line: bytes) -> Line:
    """What a line is. Noise before a record is skipped when the record's CRC is right."""
    at = line.find(_RECORD_START)
    if at >= 0:
        return _parse_record(line, at)
    text = line.decode("ascii", "backslashreplace")
    if READY in text:
        return Ready()
    if line.startswith(b"r-"):
        return LostRecord(line=line, reason="no JSON object")
    error = _ERROR.match(text)
    if error is not None:
        number = int(error[1]) if error[1] is not None else None
        return ErrorLine(number=number, text=error[2])
    return Text(text=text)


def format_record(fields: Mapping[str, object]) -> bytes:
    """A record's line, without its end: what firmware sends and parse_line reads."""
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    return b"r-" + body + b"*%08x" % zlib.crc32(body)


def _parse_record(line: bytes, first: int) -> Record | LostRecord:
    """The record in a damaged or whole line: the first place from which the CRC is right."""
    end = _RECORD_END.search(line)
    if end is None:
        return LostRecord(line=line, reason="no CRC at its end")
    wanted = int(end[1], 16)
    at = first
    while at >= 0:
        body = line[at + 2 : end.start()]
        if zlib.crc32(body) == wanted:
            return _decode_body(line, body)
        at = line.find(_RECORD_START, at + 1)
    return LostRecord(line=line, reason="the CRC differs")


def _decode_body(line: bytes, body: bytes) -> Record | LostRecord:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return LostRecord(line=line, reason="not JSON")
    if not isinstance(fields, dict):
        return LostRecord(line=line, reason="not a JSON object")
    kind = fields.get("t")
    return Record(kind=kind if isinstance(kind, str) else "", fields=fields)
