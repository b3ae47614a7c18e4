"""The FlatBuffers reader never reads outside its bytes and never does unbounded work."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npubench.compiler.tflite.flatbuffer import Reader, Table
from npubench.core.errors import ModelFormatError


def built() -> bytes:
    """Root table: 0 int 7, 1 string, 2 vector of ints, 3 table (0: float 1.5), 4 list of it."""
    builder = flatbuffers.Builder(64)
    text = builder.CreateString("hello")
    builder.StartVector(4, 3, 4)
    for value in (3, 2, -1):
        builder.PrependInt32(value)
    numbers = builder.EndVector()
    builder.StartObject(1)
    builder.PrependFloat32Slot(0, 1.5, 0.0)
    inner = builder.EndObject()
    builder.StartVector(4, 2, 4)
    builder.PrependUOffsetTRelative(inner)
    builder.PrependUOffsetTRelative(inner)
    inners = builder.EndVector()
    builder.StartObject(6)
    builder.PrependInt32Slot(0, 7, 0)
    for slot, offset in ((1, text), (2, numbers), (3, inner), (4, inners)):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def walk(data: bytes) -> None:
    """Read everything that is there."""
    root = Reader(data, name="m").root()
    root.integer(0, "i", 0, "int")
    root.integer(0, "Q", 0, "wide int")
    root.text(1, 100, "text")
    root.integers(2, "i", 100, "numbers")
    root.numbers(2, "q", 100, "wide numbers")
    inner = root.table(3, "inner")
    if inner is not None:
        inner.real(0, 0.0, "real")
    for item in root.tables(4, 100, "item"):
        item.real(0, 0.0, "real")
    root.blob(5, 100, "blob")


def test_reads_what_the_builder_wrote() -> None:
    root = Reader(built(), name="m").root()
    assert root.integer(0, "i", 0, "int") == 7
    assert root.text(1, 100, "text") == "hello"
    assert root.integers(2, "i", 100, "numbers") == (-1, 2, 3)
    inner = root.table(3, "inner")
    assert inner is not None
    assert inner.real(0, 0.0, "real") == 1.5
    assert [item.real(0, 0.0, "real") for item in root.tables(4, 9, "item")] == [1.5, 1.5]


def test_absent_fields_give_defaults_also_past_the_vtable() -> None:
    root = Reader(built(), name="m").root()
    for slot in (5, 6, 1000):
        assert root.integer(slot, "i", 42, "int") == 42
        assert root.real(slot, 2.5, "real") == 2.5
        assert root.text(slot, 9, "text") == ""
        assert root.integers(slot, "i", 9, "numbers") == ()
        assert root.tables(slot, 9, "item") == ()
        assert root.table(slot, "inner") is None
        assert root.blob(slot, 9, "blob") is None
        assert not root.has(slot)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_values_or_a_format_error(data: bytes) -> None:
    with suppress(ModelFormatError):
        walk(data)


@settings(deadline=None)
@given(st.integers(0, len(built()) - 1), st.integers(0, 255))
def test_any_changed_byte_ends_in_values_or_a_format_error(position: int, value: int) -> None:
    data = bytearray(built())
    data[position] = value
    with suppress(ModelFormatError):
        walk(bytes(data))


def test_every_truncation_that_drops_content_is_refused() -> None:
    data = built()
    for length in range(len(data) - 4):  # the last bytes may be padding
        with pytest.raises(ModelFormatError, match="at offset"):
            walk(data[:length])


def raw_table(field_offset: int, table_bytes: int = 8, vtable_bytes: int = 6) -> Table:
    """A file of one table with one field whose place is given."""
    vtable = struct.pack("<HHH", vtable_bytes, table_bytes, field_offset) + b"\0\0"
    return Reader(
        struct.pack("<I", 12) + vtable + struct.pack("<iI", 8, 0xFFFFFFFF), name="m"
    ).root()


@pytest.mark.parametrize("field_offset", [1, 2, 3, 5, 8, 65535])
def test_field_outside_its_table_is_refused(field_offset: int) -> None:
    with pytest.raises(ModelFormatError, match="outside its table"):
        raw_table(field_offset).integer(0, "i", 0, "field")


@pytest.mark.parametrize("vtable_bytes", [0, 2, 3, 7])
def test_malformed_vtable_is_refused(vtable_bytes: int) -> None:
    with pytest.raises(ModelFormatError, match="malformed"):
        raw_table(4, vtable_bytes=vtable_bytes)


def test_vtable_and_table_longer_than_the_file_are_refused() -> None:
    with pytest.raises(ModelFormatError, match="outside the file"):
        raw_table(4, vtable_bytes=65534)
    with pytest.raises(ModelFormatError, match="outside the file"):
        raw_table(4, table_bytes=65535)


@pytest.mark.parametrize(
    "read",
    [
        lambda table: table.text(0, 100, "name"),
        lambda table: table.table(0, "inner"),
        lambda table: table.tables(0, 100, "item"),
        lambda table: table.integers(0, "i", 100, "numbers"),
    ],
)
def test_wild_reference_is_refused(read: Callable[[Table], object]) -> None:
    with pytest.raises(ModelFormatError, match="outside the file"):
        read(raw_table(4))


def test_vector_longer_than_its_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(ModelFormatError, match="3 items, more than 2"):
        Reader(built(), name="m").root().integers(2, "i", 2, "numbers")


def test_one_blob_referred_to_many_times_exhausts_the_budget() -> None:
    builder = flatbuffers.Builder(1 << 20)
    offset = builder.CreateByteVector(bytes(1 << 20))
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, offset, 0)
    builder.Finish(builder.EndObject())
    root = Reader(bytes(builder.Output()), name="m").root()
    for _ in range(3):
        root.blob(0, 1 << 21, "blob")
    with pytest.raises(ModelFormatError, match="too often"):
        root.blob(0, 1 << 21, "blob")


def test_elements_of_a_whole_file_are_bounded() -> None:
    reader = Reader(built(), name="m")
    reader.take_elements(4_000_000, "numbers", 0)
    with pytest.raises(ModelFormatError, match="items in all"):
        reader.root().integers(2, "i", 100, "numbers")
