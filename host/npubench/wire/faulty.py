"""A transport that misbehaves on order: the dry run of every way in which a link can fail."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from npubench.core.errors import UsageError
from npubench.transport.failure import DeviceEnded
from npubench.transport.interface import Transport
from npubench.wire.record import READY, format_record

BABBLE_CHUNK_BYTES = 1024
BANNER_LINES = (b"m-timestamp-mode-performance", b"m-lap-us-0", b"m-init-done", b"m-ready")
FAULT_LINE = format_record(
    {
        "t": "fault",
        "kind": "usage",
        "pc": 0x1234,
        "lr": 0x1001,
        "psr": 0x6100_0000,
        "cfsr": 1 << 16,
        "hfsr": 0,
        "addr": 0,
    }
)


class MishapKind(StrEnum):
    """What goes wrong at the chosen line."""

    DROP = "drop"
    CORRUPT = "corrupt"
    SILENCE = "silence"
    BABBLE = "babble"
    RESET = "reset"
    FAULT = "fault"
    VANISH = "vanish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """Something goes wrong, once, at the ``nth`` line (from 1) that contains ``match``.

    ``drop``: the line is lost; ``corrupt``: one of its bytes is flipped; ``silence``: nothing comes
    any more, from this line on; ``babble``: noise instead; ``reset``: the boot banner instead of
    the rest of the answer; ``fault``: a fault record, then the banner; ``vanish``: the other side
    is gone.
    """

    kind: MishapKind
    match: str
    nth: int = 1


def parse_mishap(text: str) -> Mishap:
    """A mishap from ``KIND:MATCH[#NTH]``, e.g. ``drop:"rep"#2``. Raises UsageError."""
    kind, colon, rest = text.partition(":")
    match, hash_sign, nth = rest.rpartition("#")
    if not hash_sign:
        match, nth = rest, "1"
    if kind not in list(MishapKind) or not colon or not nth.isdecimal() or int(nth) < 1:
        kinds = ", ".join(MishapKind)
        raise UsageError(f"{text!r} is not a mishap", hint=f"KIND:MATCH[#NTH], KIND of {kinds}")
    return Mishap(kind=MishapKind(kind), match=match, nth=int(nth))


class FaultyTransport:
    """``inner``, with ``mishaps``. Lines are passed on whole; noise depends on ``seed``."""

    def __init__(self, inner: Transport, mishaps: Sequence[Mishap], *, seed: int = 1) -> None:
        self._inner = inner
        self._mishaps = tuple(mishaps)
        self._left = [mishap.nth for mishap in mishaps]
        self._random = random.Random(seed)
        self._pending = b""
        self._state: MishapKind | None = None

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
        if self._state is MishapKind.VANISH:
            raise DeviceEnded("the other side is gone (on order)")
        if self._state is MishapKind.BABBLE:
            return self._random.randbytes(BABBLE_CHUNK_BYTES)
        data = self._inner.read(timeout_s)
        if self._state is MishapKind.SILENCE:
            return b""
        *lines, self._pending = (self._pending + data).split(b"\n")
        return b"".join(self._pass(line) for line in lines)

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def set_baud(self, baud: int) -> None:
        self._inner.set_baud(baud)

    def now_s(self) -> float:
        return self._inner.now_s()

    def describe(self) -> str:
        return f"{self._inner.describe()}, with faults on order"

    def _pass(self, line: bytes) -> bytes:
        """What becomes of one line."""
        if self._state in (MishapKind.RESET, MishapKind.FAULT):
            if READY.encode("ascii") not in line:
                return b""
            first = (FAULT_LINE,) if self._state is MishapKind.FAULT else ()
            self._state = None
            return b"".join(line + b"\r\n" for line in (*first, *BANNER_LINES))
        if self._state is not None:
            return b""
        kind = self._due(line)
        if kind is None:
            return line + b"\n"
        if kind is MishapKind.CORRUPT:
            at = self._random.randrange(max(1, len(line) - 1))
            return line[:at] + bytes([line[at] ^ 0x04]) + line[at + 1 :] + b"\n"
        if kind is not MishapKind.DROP:
            self._state = kind
        return b""

    def _due(self, line: bytes) -> MishapKind | None:
        """The mishap that this line sets off."""
        due = None
        for index, mishap in enumerate(self._mishaps):
            if mishap.match.encode("latin-1", "replace") in line:
                self._left[index] -= 1
                if self._left[index] == 0:
                    due = mishap.kind
        return due
