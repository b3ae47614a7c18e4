"""Promise: a damaged or oddly cut stream loses the damaged line, and nothing else."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npubench.core.seeded import seeded_bytes
from npubench.wire.protocol import error_number, error_text, wire_errors
from npubench.wire.record import (
    ErrorLine,
    LineSplitter,
    LostRecord,
    Ready,
    Record,
    Text,
    format_record,
    parse_line,
)

values = st.integers(-(2**31), 2**64) | st.text(max_size=12) | st.lists(st.integers(0, 9))
records = st.dictionaries(st.text(max_size=6), values, max_size=5)
streams = st.lists(records, min_size=1, max_size=8)


def encode(stream: list[dict[str, object]]) -> bytes:
    return b"".join(format_record(fields) + b"\r\n" for fields in stream)


def decode(chunks: list[bytes]) -> list[dict[str, object]]:
    splitter = LineSplitter()
    lines = [parse_line(line) for chunk in chunks for line in splitter.feed(chunk)]
    return [dict(line.fields) for line in lines if isinstance(line, Record)]


@given(streams, st.lists(st.integers(0, 400)))
def test_any_split_gives_the_same_records(stream: list[dict[str, object]], cuts: list[int]) -> None:
    data = encode(stream)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in pairwise(edges)]
    assert decode(chunks) == stream


@given(streams, st.data())
def test_one_changed_byte_loses_at_most_its_line(
    stream: list[dict[str, object]], data: st.DataObject
) -> None:
    raw = bytearray(encode(stream))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    hit = bytes(raw[:at]).count(b"\n")
    found = decode([bytes(raw)])
    assert found in (stream, stream[:hit] + stream[hit + 1 :])


@given(st.lists(st.binary(max_size=300)))
def test_garbage_never_raises_and_never_becomes_a_record(chunks: list[bytes]) -> None:
    splitter = LineSplitter(limit_bytes=64)
    for chunk in chunks:
        for line in splitter.feed(chunk):
            assert line
            assert len(line) <= 64
            assert not isinstance(parse_line(line), Record)


@given(st.binary(max_size=40).filter(lambda noise: b"\n" not in noise and b"\r" not in noise))
def test_noise_before_a_record_is_skipped(noise: bytes) -> None:
    line = parse_line(noise + format_record({"t": "rep", "i": 3}))
    assert line == Record(kind="rep", fields={"t": "rep", "i": 3})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"m-ready", Ready()),
        (b"e-[E3 crc differs]", ErrorLine(number=3, text="crc differs")),
        (b"e-[Unknown command: caps]", ErrorLine(number=None, text="Unknown command: caps")),
        (b"m-init-done", Text(text="m-init-done")),
        (b"\xff\xfe", Text(text="\\xff\\xfe")),
        (b"r-", LostRecord(line=b"r-", reason="no JSON object")),
        (b"r-{}", LostRecord(line=b"r-{}", reason="no CRC at its end")),
        (b"r-{}*00000000", LostRecord(line=b"r-{}*00000000", reason="the CRC differs")),
    ],
)
def test_a_line_is_what_it_looks_like(line: bytes, expected: object) -> None:
    assert parse_line(line) == expected


def test_a_record_as_the_wire_protocol_writes_it() -> None:
    import zlib

    body = b'{"t":"mem","stack_used":1}'
    assert format_record({"t": "mem", "stack_used": 1}) == b"r-%s*%08x" % (body, zlib.crc32(body))


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[]", b'"x"', b"9" * 5000, b"{", b"\xff"])
def test_a_true_crc_around_nonsense_is_a_lost_record(body: bytes) -> None:
    import zlib

    line = parse_line(b"r-{" + body + b"*%08x" % zlib.crc32(b"{" + body))
    assert isinstance(line, LostRecord)


def test_the_beginning_of_an_endless_line_is_kept_and_the_next_line_is_whole() -> None:
    splitter = LineSplitter(limit_bytes=10)
    assert splitter.feed(b"x" * 25) == []
    assert splitter.feed(b"yy\nm-ready\n") == [b"x" * 10, b"m-ready"]


def test_error_numbers_are_those_of_the_table(checkout: Path) -> None:
    table = tomllib.loads((checkout / "firmware" / "protocol.toml").read_text())["errors"]
    members = {member.name: int(member) for member in wire_errors()}
    assert members == {
        name.replace("-", "_").upper(): entry["number"] for name, entry in table.items()
    }
    for name, entry in table.items():
        assert (error_number(name), error_text(name)) == (entry["number"], entry["text"])


def test_generated_input_follows_the_recurrence() -> None:
    state = 0x9E3779B9
    expected = []
    for _ in range(5):
        state = (state ^ state << 13) % 2**32
        state ^= state >> 17
        state = (state ^ state << 5) % 2**32
        expected.append(state >> 24)
    assert list(seeded_bytes(1, 5)) == expected
    assert seeded_bytes(0, 5) == seeded_bytes(1, 5) != seeded_bytes(2, 5)


def test_a_line_is_given_out_when_its_lf_has_come() -> None:
    """The next command may be sent then, without running into the end of this line."""
    splitter = LineSplitter()
    assert splitter.feed(b"m-ready\r") == []
    assert splitter.feed(b"\n") == [b"m-ready"]
    assert splitter.feed(b"one\rtwo\r\n\r\n") == [b"one", b"two"]
    assert splitter.pending == b""
