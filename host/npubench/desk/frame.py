"""Frames between a desk and its client: a line of JSON, then blobs with their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import DeviceError

MAGIC = b"npubench-desk "
MAX_LINE_BYTES = 1 << 20
MAX_BLOB_BYTES = 4 << 30
MAX_CHATTER_BYTES = 1 << 16


class Blob(BaseModel):
    """One blob's name, size and SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$")
    size_bytes: int = Field(ge=0, le=MAX_BLOB_BYTES)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Head(BaseModel):
    """The line. ``verb``: what is asked, or ``ok`` and ``error`` in an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: str
    values: dict[str, Any] = Field(default_factory=dict)
    blobs: tuple[Blob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A question or an answer."""

    verb: str
    values: Mapping[str, Any] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    def data(self) -> bytes:
        """The frame as it travels."""
        head = Head(
            verb=self.verb,
            values=dict(self.values),
            blobs=tuple(
                Blob(name=name, size_bytes=len(blob), sha256=hashlib.sha256(blob).hexdigest())
                for name, blob in self.blobs.items()
            ),
        )
        line = json.dumps(head.model_dump(mode="json"), ensure_ascii=True).encode()
        return b"".join((MAGIC, line, b"\n", *self.blobs.values()))


class Reader:
    """Frames out of a stream. ``more`` gives the next bytes, at least one, or raises."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._held = bytearray()

    def frame(self) -> Frame:
        """The next frame; what a login shell says before the first one is passed over.

        Raises DeviceError for what is no frame, or whose blobs are damaged; what ``more`` raises.
        """
        passed = 0
        while True:
            line = self._line()
            if line.startswith(MAGIC):
                break
            passed += len(line)
            if passed > MAX_CHATTER_BYTES:
                raise DeviceError("the desk's host talks, but not as a desk")
        try:
            head = Head.model_validate_json(line[len(MAGIC) :])
        except ValidationError as error:
            raise DeviceError(f"a frame cannot be read: {error.errors()[0]['msg']}") from error
        blobs = {}
        for blob in head.blobs:
            data = self._take(blob.size_bytes)
            if hashlib.sha256(data).hexdigest() != blob.sha256:
                raise DeviceError(f"{blob.name} was damaged on its way")
            blobs[blob.name] = data
        return Frame(verb=head.verb, values=head.values, blobs=blobs)

    def _line(self) -> bytes:
        begin = 0
        while (end := self._held.find(b"\n", begin)) < 0:
            begin = len(self._held)
            if begin > MAX_LINE_BYTES:
                raise DeviceError(f"a line of more than {MAX_LINE_BYTES} bytes")
            self._held += self._more()
        return self._take(end + 1)

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            self._held += self._more()
        data = bytes(self._held[:count])
        del self._held[:count]
        return data
