"""The generated input: the same bytes on the device and on the host, from a small seed.

One stream for all inputs of a network, in its order (docs/wire-protocol.md): an integer takes a
step of the stream for each of its bytes, a float32 or a bool one step in all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice

_ITEM_BYTES = {
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
}


def seeded_bytes(seed: int, count: int) -> bytes:
    """``count`` bytes of the stream from ``seed``; seed 0 counts as 1."""
    return bytes(islice(_stream(seed), count))


def seeded_input(seed: int, inputs: Iterable[tuple[str, int]]) -> bytes:
    """The raw bytes of all inputs, one after the other, little-endian.

    ``inputs``: of each its element type (``int8``, ``float32``, ...) and its number of elements.
    Integers are raw bytes of the stream; a float32 is a byte, taken as int8, divided by 128; a bool
    is a byte's top bit. Raises ValueError for an element type that cannot be generated.
    """
    stream = _stream(seed)
    out = bytearray()
    for dtype, count in inputs:
        if dtype == "float32":
            steps = islice(stream, count)
            out += struct.pack(f"<{count}f", *(((step ^ 0x80) - 0x80) / 128 for step in steps))
        elif dtype == "bool":
            out += bytes(step >> 7 for step in islice(stream, count))
        elif dtype in _ITEM_BYTES:
            out += bytes(islice(stream, count * _ITEM_BYTES[dtype]))
        else:
            raise ValueError(f"no input of {dtype} can be generated")
    return bytes(out)


def _stream(seed: int) -> Iterator[int]:
    """Marsaglia's xorshift32 with shifts 13, 17, 5 from ``0x9E3779B9 * seed``; the top byte of each
    state."""
    state = (0x9E3779B9 * (seed or 1)) & 0xFFFFFFFF
    while True:
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        yield state >> 24
