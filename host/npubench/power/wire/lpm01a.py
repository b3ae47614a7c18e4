"""The X-NUCLEO-LPM01A's wire: command texts, and decoders of its two sample formats.

ASCII: one sample a line, ``6409-07`` for 6409e-7 A (or J, for energy), with events and a time
stamp each second between them. Binary: 16 bits big-endian, high nibble n, rest v, for v * 16^-n A;
0xF0 + type opens a piece of metadata that FF FF ends. (UM2269; see docs/power.md.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import MonitorError
from npubench.power.source.interface import Block, Flag, LossReport, block_of

BAUD = 3_686_400
PROMPT = "PowerShield > "
BUSY_BIT = 7
# How long the marker of an event is shown, in samples.
EVENT_SAMPLES = 2
# Always four digits, a sign and two digits; other lines of such characters are damaged samples.
SAMPLE = re.compile(r"^(\d{4})([+-]\d{2})$")
DAMAGED = re.compile(r"^[\d+-]+$")
TIMESTAMP = re.compile(r"^TimeStamp:\s*(\d+)s\s*(\d+)ms,\s*buff\s*(\d+)%")
EVENT = re.compile(r"^event\s+\S+\s+(ris|fal)")
# Stamps come each second; one that is so far ahead is damaged.
LONGEST_GAP_S = 60
META_END = b"\xff\xff"
META_ERROR, META_INFO, META_TIME, META_STOP, META_OVERCURRENT, META_POWER_DOWN, META_VOLTAGE = (
    range(0xF1, 0xF8)
)


@dataclass(slots=True, kw_only=True)
class _Interval:
    """Samples between two time stamps, with the places of events. ``damaged``: lines that cannot be
    read as samples any more."""

    values: list[float]
    events: list[int]
    damaged: int = 0


class AsciiDecoder:
    """Lines to blocks. Samples are given out when the time stamp that follows has shown that none
    is missing; a deficit or a damaged line makes the whole interval suspect, since its place is
    unknown.

    ``scale``: from the line's number to microamperes (or, for energy, with rate and voltage).
    """

    def __init__(self, *, rate_hz: float, scale: float) -> None:
        self._rate_hz = rate_hz
        self._scale = scale
        self._rest = ""
        self._interval = _Interval(values=[], events=[])
        self._index = 0
        self._stamped_ms = 0
        self._carried = 0
        self._received = self._lost = self._suspect = 0
        self.ended = ""
        self.completed = False
        self.notes: list[str] = []

    def feed(self, data: bytes) -> Block | None:
        """The samples whose time stamp has come."""
        text = self._rest + data.decode("ascii", errors="replace").replace("\0", "")
        *lines, self._rest = text.replace("\r", "").split("\n")
        blocks = [block for line in lines if (block := self._line(line.strip())) is not None]
        return join_blocks(blocks)

    def flush(self) -> Block | None:
        """What came after the last time stamp."""
        return self._emit(missing=0)

    def loss(self) -> LossReport:
        """What is known to be missing."""
        return LossReport(
            received_count=self._received,
            lost_count=self._lost,
            suspect_count=self._suspect,
            ended=self.ended,
            notes=tuple(self.notes),
        )

    def _line(self, line: str) -> Block | None:
        line = line.removeprefix(PROMPT).strip()
        sample = SAMPLE.match(line)
        if sample is not None:
            value = int(sample.group(1)) * 10.0 ** int(sample.group(2))
            self._interval.values.append(value * self._scale)
            self._received += 1
            return None
        if DAMAGED.match(line):
            self._interval.damaged += 1
            return None
        if EVENT.match(line):
            self._interval.events.append(len(self._interval.values))
            return None
        stamp = TIMESTAMP.match(line)
        if stamp is not None:
            now_ms = int(stamp.group(1)) * 1000 + int(stamp.group(2))
            expected = round((now_ms - self._stamped_ms) * self._rate_hz / 1000)
            self._stamped_ms = now_ms
            missing = expected - len(self._interval.values)
            _check_gap(missing, self._rate_hz)
            return self._emit(missing=missing)
        if line.startswith("Acquisition completed"):
            self.completed = True
            return self._emit(missing=0)
        if line and not line.startswith(("ack", "TimeStamp", "end")):
            self.notes.append(line[:80])
            if "overcurrent" in line.lower() or line.lower().startswith("error"):
                self.ended = line[:80]
        return None

    def _emit(self, *, missing: int) -> Block | None:
        interval, self._interval = self._interval, _Interval(values=[], events=[])
        # A line damaged into something else counts as missing; one sample is the stamp's rounding.
        missing = missing if missing > 1 else 0
        values = np.array(interval.values + [np.nan] * missing, np.float32)
        if not len(values):
            return None
        flags = np.zeros(len(values), np.uint8)
        if missing or interval.damaged:
            flags[:] = Flag.SUSPECT
            flags[len(values) - missing :] = Flag.LOST
            self._lost += missing
            self._suspect += len(values) - missing
        markers = np.full(len(values), 1 << BUSY_BIT, np.uint8)
        markers[: self._carried] = 0
        self._carried = 0
        for at in interval.events:
            markers[at : at + EVENT_SAMPLES] = 0
            self._carried = max(0, at + EVENT_SAMPLES - len(values))
        block = block_of(self._index, values, markers=markers, flags=flags)
        self._index += len(values)
        return block


class BinaryDecoder:
    """Bytes to blocks, metadata taken out. Events do not come in this format."""

    def __init__(self, *, rate_hz: float, scale: float) -> None:
        self._rate_hz = rate_hz
        self._scale = scale
        self._rest = b""
        self._index = 0
        self._received = self._lost = 0
        self.ended = ""
        self.completed = False
        self.notes: list[str] = []
        self.voltage_mv: float | None = None
        powers = 16.0 ** -np.arange(16)
        table = np.outer(powers, np.arange(4096)).reshape(-1)
        self._table = (table * scale).astype(np.float32)

    def feed(self, data: bytes) -> Block | None:
        """The samples that ``data`` completes."""
        buffer = self._rest + data
        blocks: list[Block] = []
        place = 0
        while len(buffer) - place >= 2:
            if buffer[place] >= 0xF0:
                end = buffer.find(META_END, place + 1)
                if end < 0:
                    break
                block = self._metadata(buffer[place], buffer[place + 1 : end])
                if block is not None:
                    blocks.append(block)
                place = end + 2
                continue
            count = (len(buffer) - place) // 2
            words = np.frombuffer(buffer, ">u2", count, place)
            marks = np.flatnonzero(words >= 0xF000)
            count = int(marks[0]) if len(marks) else count
            blocks.append(self._samples(words[:count]))
            place += 2 * count
        self._rest = buffer[place:]
        return join_blocks([block for block in blocks if len(block)])

    def flush(self) -> Block | None:
        """Nothing is held back."""
        return None

    def loss(self) -> LossReport:
        """What is known to be missing."""
        return LossReport(
            received_count=self._received,
            lost_count=self._lost,
            ended=self.ended,
            notes=tuple(self.notes),
        )

    def _samples(self, words: NDArray[np.uint16]) -> Block:
        block = block_of(self._index, self._table[words])
        self._index += len(words)
        self._received += len(words)
        return block

    def _metadata(self, kind: int, payload: bytes) -> Block | None:
        text = payload.decode("ascii", errors="replace").strip()
        if kind == META_VOLTAGE and len(payload) >= 2:
            self.voltage_mv = float(int.from_bytes(payload[:2], "big"))
        elif kind == META_TIME and len(payload) >= 4:
            now_ms = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
            missing = round(now_ms * self._rate_hz / 1000) - self._index
            if payload[0] & 0x80:
                self.notes.append("the instrument's buffer ran over")
            _check_gap(missing, self._rate_hz)
            if missing > 1:
                self._lost += missing
                block = block_of(
                    self._index,
                    np.full(missing, np.nan, np.float32),
                    flags=np.full(missing, Flag.LOST, np.uint8),
                )
                self._index += missing
                return block
        elif kind == META_STOP:
            self.completed = True
        elif kind in (META_OVERCURRENT, META_POWER_DOWN, META_ERROR):
            names = {META_OVERCURRENT: "overcurrent", META_POWER_DOWN: "power down"}
            self.ended = names.get(kind, text or "error")
        elif kind == META_INFO:
            self.notes.append(text[:80])
        return None


def _check_gap(missing: int, rate_hz: float) -> None:
    if missing > LONGEST_GAP_S * rate_hz:
        raise MonitorError(
            f"the PowerShield's time stamp jumps by {missing / rate_hz:.0f} s",
            hint="bytes were damaged on the way: another cable or hub",
        )


def join_blocks(blocks: list[Block]) -> Block | None:
    """Blocks that follow each other as one; None for none."""
    if not blocks:
        return None
    if len(blocks) == 1:
        return blocks[0]
    voltages = [block.voltage_mv for block in blocks if block.voltage_mv is not None]
    return Block(
        first=blocks[0].first,
        current_ua=np.concatenate([block.current_ua for block in blocks]),
        markers=np.concatenate([block.markers for block in blocks]),
        ranges=np.concatenate([block.ranges for block in blocks]),
        flags=np.concatenate([block.flags for block in blocks]),
        voltage_mv=np.concatenate(voltages) if len(voltages) == len(blocks) else None,
    )


def parse_number(text: str) -> float:
    """A number as the instrument writes it: ``3000m``, ``2-3`` (2e-3), ``50u``, ``1.8``.

    Raises ValueError.
    """
    match = re.fullmatch(r"([0-9.]+)(?:([munk])|([+-]\d+))?\s*[VAsHz]*", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no number")
    value = float(match.group(1))
    if match.group(2):
        return value * {"m": 1e-3, "u": 1e-6, "n": 1e-9, "k": 1e3}[match.group(2)]
    return value * 10.0 ** int(match.group(3)) if match.group(3) else value
