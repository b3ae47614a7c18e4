"""One answer of a board, and what is read from it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from npubench.core.errors import UsageError
from npubench.wire.answers import Caps, KatResult, crc, hex_bytes, integer, tensor_of
from npubench.wire.failure import DeviceRefused, EngineFailed, RecordBroken, RecordLost
from npubench.wire.protocol import error_number
from npubench.wire.record import ErrorLine, Line, LostRecord, Record, Text

BANNER = ("m-timestamp-mode-", "m-init-done")
_ENGINE = re.compile(r": (-?\d+)\Z")
_LAP = re.compile(r"(\d+)\Z")
_RESULT = re.compile(r"(-?)(\d+)(?:\.(\d{1,3})\d*)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The lines of one answer, without the ``m-ready`` that ended it."""

    lines: tuple[Line, ...]

    def records(self, kind: str) -> tuple[Record, ...]:
        """The records of one type, in order."""
        return tuple(line for line in self.lines if isinstance(line, Record) and line.kind == kind)

    def texts(self, prefix: str) -> tuple[str, ...]:
        """What follows ``prefix`` in each text line that begins with it."""
        return tuple(
            line.text.removeprefix(prefix)
            for line in self.lines
            if isinstance(line, Text) and line.text.startswith(prefix)
        )

    @property
    def error(self) -> ErrorLine | None:
        """The first ``e-[...]`` line."""
        return next((line for line in self.lines if isinstance(line, ErrorLine)), None)

    @property
    def damaged_count(self) -> int:
        """Number of record lines that arrived damaged."""
        return sum(isinstance(line, LostRecord) for line in self.lines)

    @property
    def has_banner(self) -> bool:
        """Whether the board started while it answered."""
        return any(isinstance(line, Text) and line.text.startswith(BANNER) for line in self.lines)


def kat_of(reply: Reply, caps: Caps) -> tuple[KatResult | None, list[str]]:
    """The result of a known-answer test, or None and what its answer lacks."""
    lost = []
    heads = reply.records("kat")
    if not heads:
        lost.append("kat")
    pieces = {integer(piece, "o"): hex_bytes(piece, "hex") for piece in reply.records("out")}
    output = bytearray()
    while len(output) < caps.output_bytes:
        piece = pieces.get(len(output))
        if not piece:
            lost.append(f"output from byte {len(output)}")
            break
        output += piece
    found = tuple(sorted(map(tensor_of, reply.records("tensor")), key=lambda item: item.op))
    if lost:
        return None, lost
    result = KatResult(
        input_crc=crc(heads[0], "in"),
        output_crc=crc(heads[0], "out"),
        output=bytes(output),
        tensors=found,
    )
    if zlib.crc32(result.output) != result.output_crc:
        raise RecordBroken(
            f"the {len(output)} output bytes sent have CRC {zlib.crc32(output):08x}, the board "
            f"says {result.output_crc:08x}"
        )
    return result, lost


def missing(found: Iterable[int], count: int) -> list[int]:
    """Which of 0 … count-1 are not in ``found``."""
    have = set(found)
    return [index for index in range(count) if index not in have]


def laps_of(reply: Reply) -> list[int]:
    found = (_LAP.match(lap) for lap in reply.texts("m-lap-us-"))
    return [int(lap[1]) for lap in found if lap is not None]


def results_of(reply: Reply, command: str) -> tuple[int, ...]:
    body = bracketed(reply, "m-results-", command)
    return tuple(_milli(word.strip()) for word in body.split(",") if word.strip())


def _milli(word: str) -> int:
    """A decimal number as thousandths, without a detour over floating point."""
    found = _RESULT.match(word)
    if found is None:
        raise RecordBroken(f"{word!r} in m-results is not a number")
    value = int(found[2]) * 1000 + int((found[3] or "").ljust(3, "0"))
    return -value if found[1] else value


def bracketed(reply: Reply, prefix: str, command: str) -> str:
    """What stands in the brackets of a line ``<prefix>[...]``. Raises RecordLost without one."""
    for rest in reply.texts(prefix):
        if rest.startswith("[") and rest.endswith("]"):
            return rest[1:-1]
    raise loss(command, (f"{prefix}[...]",))


def expect_upload(reply: Reply, count: int) -> None:
    """Raise UsageError when the answer to ``db load`` is not that it waits for ``count`` bytes."""
    if not reply.texts("m-[Expecting "):
        raise UsageError(
            f"the board does not take an upload of {count} bytes: {shown(reply)}",
            hint="give it what its benchmark's data set holds",
        )


def raise_error(reply: Reply, command: str) -> None:
    if reply.error is not None:
        raise refusal(command, reply.error.number, reply.error.text)


def refusal(command: str, number: int | None, text: str) -> DeviceRefused:
    engine = _ENGINE.search(text)
    if number is not None and number == error_number("engine-failed") and engine is not None:
        return EngineFailed(
            f"{command!r} failed on the board: {text}", number=number, code=int(engine[1])
        )
    return DeviceRefused(f"the board refused {command!r}: {text}", number=number)


def loss(command: str, what: tuple[str, ...] | list[str]) -> RecordLost:
    return RecordLost(
        f"the answer to {command!r} lacks {', '.join(what)}: lines were lost on the way",
        hint="lower the speed, or check cable and load of the host",
    )


def shown(reply: Reply) -> str:
    return ", ".join(repr(text[:60]) for text in reply.texts("")[:4]) or "nothing"
