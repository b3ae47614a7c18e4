"""The generated input: the same bytes on the device and on the host, from a small seed."""

from __future__ import annotations


def seeded_bytes(seed: int, count: int) -> bytes:
    """``count`` bytes from ``seed``; seed 0 counts as 1 (docs/wire-protocol.md).

    Marsaglia's xorshift32 with shifts 13, 17, 5 from ``0x9E3779B9 * seed``; the top byte of each
    state.
    """
    state = (0x9E3779B9 * (seed or 1)) & 0xFFFFFFFF
    out = bytearray(count)
    for index in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        out[index] = state >> 24
    return bytes(out)
