"""CRC-8 (polynomial 0x07, start 0) of the bridge's lines."""

from __future__ import annotations


def _row(value: int) -> int:
    for _ in range(8):
        value = ((value << 1) ^ 0x07) & 0xFF if value & 0x80 else value << 1
    return value


_TABLE = tuple(_row(value) for value in range(256))


def crc8(data: bytes) -> int:
    """The CRC-8 of ``data``."""
    crc = 0
    for byte in data:
        crc = _TABLE[crc ^ byte]
    return crc
