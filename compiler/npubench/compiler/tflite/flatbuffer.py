"""A reader for FlatBuffers that trusts nothing: every offset, vtable, vector and string is checked.

It walks only where its caller walks, so depth is bounded by the caller's schema; vectors are
bounded by the file, by the caller's limit and by a budget over the whole file, so that many
references to one large vector cost no more than a large file. Format facts: little-endian;
a table starts with a signed distance back to its vtable; a vtable holds its own size, the table's
inline size and one 16-bit field offset per slot; vectors and strings start with a 32-bit length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from npubench.core.errors import ModelFormatError

_U16: Final = struct.Struct("<H")
_I32: Final = struct.Struct("<i")
_U32: Final = struct.Struct("<I")
_ELEMENTS_PER_FILE: Final = 4_000_000
_BLOB_BYTES_SLACK: Final = 1 << 20


class Reader:
    """A FlatBuffer in memory. All errors are ModelFormatError with the file's name and offset."""

    def __init__(self, data: bytes, *, name: str) -> None:
        self.data = data
        self.name = name
        self._elements_left = _ELEMENTS_PER_FILE
        self._blob_bytes_left = 2 * len(data) + _BLOB_BYTES_SLACK

    def fail(self, what: str, offset: int) -> ModelFormatError:
        """The error for damage at ``offset``; the caller raises it."""
        return ModelFormatError(
            f"{self.name}: {what} at offset {offset} of {len(self.data)} bytes",
            hint="the file is truncated or damaged; export or download it again",
        )

    def span(self, offset: int, size_bytes: int, what: str) -> None:
        """Check that ``size_bytes`` bytes from ``offset`` lie in the file."""
        if offset < 0 or size_bytes < 0 or offset + size_bytes > len(self.data):
            raise self.fail(f"{what} points outside the file", offset)

    def u16(self, offset: int, what: str) -> int:
        self.span(offset, 2, what)
        return int(_U16.unpack_from(self.data, offset)[0])

    def i32(self, offset: int, what: str) -> int:
        self.span(offset, 4, what)
        return int(_I32.unpack_from(self.data, offset)[0])

    def u32(self, offset: int, what: str) -> int:
        self.span(offset, 4, what)
        return int(_U32.unpack_from(self.data, offset)[0])

    def follow(self, offset: int, what: str) -> int:
        """The target of the forward reference stored at ``offset``."""
        distance = self.u32(offset, what)
        if distance == 0:
            raise self.fail(f"{what} refers to itself", offset)
        self.span(offset + distance, 4, what)
        return offset + distance

    def root(self) -> Table:
        """The root table."""
        return self.table_at(self.follow(0, "root table"), "root table")

    def table_at(self, offset: int, what: str) -> Table:
        """The table that starts at ``offset``, its vtable checked."""
        vtable = offset - self.i32(offset, what)
        vtable_bytes = self.u16(vtable, f"vtable of {what}")
        table_bytes = self.u16(vtable + 2, f"vtable of {what}")
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise self.fail(f"vtable of {what} is malformed", vtable)
        self.span(vtable, vtable_bytes, f"vtable of {what}")
        self.span(offset, table_bytes, what)
        return Table(
            reader=self,
            offset=offset,
            vtable=vtable,
            slots=(vtable_bytes - 4) // 2,
            size_bytes=table_bytes,
            what=what,
        )

    def vector_at(self, offset: int, item_bytes: int, limit: int, what: str) -> tuple[int, int]:
        """(offset of the first item, number of items) of the vector at ``offset``.

        ``limit`` is the largest sensible number of items.
        """
        count = self.u32(offset, what)
        if count > limit:
            raise self.fail(f"{what} has {count} items, more than {limit},", offset)
        self.span(offset + 4, count * item_bytes, what)
        return offset + 4, count

    def take_elements(self, count: int, what: str, offset: int) -> None:
        """Charge ``count`` items against what a whole file may hold."""
        self._elements_left -= count
        if self._elements_left < 0:
            raise self.fail(f"{what}: more than {_ELEMENTS_PER_FILE} items in all", offset)

    def take_bytes(self, offset: int, size_bytes: int, what: str) -> bytes:
        """Copy bytes out, charged against twice the file's size, so that references to one
        large vector cannot be multiplied."""
        self.span(offset, size_bytes, what)
        self._blob_bytes_left -= size_bytes
        if self._blob_bytes_left < 0:
            raise self.fail(f"{what}: one piece of data is referred to too often", offset)
        return self.data[offset : offset + size_bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A checked table. ``slot`` is a field's number in its schema; absent fields give defaults."""

    reader: Reader
    offset: int
    vtable: int
    slots: int
    size_bytes: int
    what: str

    def _field(self, slot: int, size_bytes: int, what: str) -> int | None:
        """Where a field of ``size_bytes`` bytes lies in the file, or None when it is absent."""
        if slot >= self.slots:
            return None
        inline = self.reader.u16(self.vtable + 4 + 2 * slot, what)
        if inline == 0:
            return None
        if inline < 4 or inline + size_bytes > self.size_bytes:
            raise self.reader.fail(f"{what} lies outside its table", self.offset)
        return self.offset + inline

    def has(self, slot: int) -> bool:
        """Whether a field is present."""
        return self._field(slot, 1, self.what) is not None

    def integer(self, slot: int, code: str, default: int, what: str) -> int:
        """A scalar field; ``code`` is its ``struct`` letter (b, B, i, I, Q)."""
        layout = struct.Struct(f"<{code}")
        at = self._field(slot, layout.size, what)
        return default if at is None else int(layout.unpack_from(self.reader.data, at)[0])

    def boolean(self, slot: int, what: str) -> bool:
        """A bool field, false when absent."""
        return self.integer(slot, "B", 0, what) != 0

    def real(self, slot: int, default: float, what: str) -> float:
        """A float32 field."""
        at = self._field(slot, 4, what)
        if at is None:
            return default
        return float(struct.unpack_from("<f", self.reader.data, at)[0])

    def table(self, slot: int, what: str) -> Table | None:
        """A field that is a table."""
        at = self._field(slot, 4, what)
        if at is None:
            return None
        return self.reader.table_at(self.reader.follow(at, what), what)

    def numbers(
        self, slot: int, code: str, limit: int, what: str
    ) -> tuple[int | float, ...] | None:
        """A vector of scalars, at most ``limit`` of them; None when absent."""
        at = self._field(slot, 4, what)
        if at is None:
            return None
        item_bytes = struct.calcsize(f"<{code}")
        start, count = self.reader.vector_at(self.reader.follow(at, what), item_bytes, limit, what)
        self.reader.take_elements(count, what, start)
        return struct.unpack_from(f"<{count}{code}", self.reader.data, start)

    def integers(self, slot: int, code: str, limit: int, what: str) -> tuple[int, ...]:
        """A vector of integers, empty when absent."""
        return tuple(int(item) for item in self.numbers(slot, code, limit, what) or ())

    def tables(self, slot: int, limit: int, what: str) -> tuple[Table, ...]:
        """A vector of tables, empty when absent. ``what`` names one of them in messages."""
        at = self._field(slot, 4, what)
        if at is None:
            return ()
        reader = self.reader
        start, count = reader.vector_at(reader.follow(at, what), 4, limit, f"list of {what}s")
        reader.take_elements(count, what, start)
        return tuple(
            reader.table_at(reader.follow(start + 4 * index, f"{what} {index}"), f"{what} {index}")
            for index in range(count)
        )

    def blob(self, slot: int, limit: int, what: str) -> bytes | None:
        """A vector of bytes; None when absent."""
        at = self._field(slot, 4, what)
        if at is None:
            return None
        start, count = self.reader.vector_at(self.reader.follow(at, what), 1, limit, what)
        return self.reader.take_bytes(start, count, what)

    def text(self, slot: int, limit: int, what: str) -> str:
        """A string, empty when absent. Bytes that are not UTF-8 are replaced, not refused."""
        raw = self.blob(slot, limit, what)
        return "" if raw is None else raw.decode("utf-8", errors="replace")
