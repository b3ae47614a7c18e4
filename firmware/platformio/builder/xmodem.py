"""XMODEM, the sending side: 128 or 1024 bytes a block, CRC-16 or checksum as the receiver asks.

Source: the protocol's public description (Christensen 1982, Forsberg's XMODEM-CRC and -1K).
"""

from __future__ import annotations

import binascii

SOH, STX, EOT, ACK, NAK, CAN, CRC = 0x01, 0x02, 0x04, 0x06, 0x15, 0x18, ord("C")
PAD = 0x1A
TRIES = 10
START_TRIES = 60


class XmodemError(Exception):
    """The receiver does not answer, gave up, or refuses a block again and again."""


def crc16(data):
    """CRC-16/XMODEM: polynomial 0x1021, start 0."""
    return binascii.crc_hqx(data, 0)


def frame(number, data, *, with_crc):
    """One block; ``data`` has 128 or 1024 bytes."""
    head = bytes([STX if len(data) == 1024 else SOH, number & 0xFF, 0xFF - (number & 0xFF)])
    tail = crc16(data).to_bytes(2, "big") if with_crc else bytes([sum(data) & 0xFF])
    return head + data + tail


def send(data, read, write, *, block_bytes=128, on_block=None):
    """Send ``data``. ``read(seconds)`` gives one byte or b"", ``write(bytes)`` sends.

    ``on_block(done, total)`` is told of each block that was taken. Raises XmodemError.
    """
    with_crc = _start(read)
    total = max(1, -(-len(data) // block_bytes))
    for index in range(total):
        part = data[index * block_bytes : (index + 1) * block_bytes]
        part = part.ljust(block_bytes, bytes([PAD]))
        _deliver(frame(index + 1, part, with_crc=with_crc), read, write, f"block {index + 1}")
        if on_block is not None:
            on_block(index + 1, total)
    _deliver(bytes([EOT]), read, write, "end of file")


def _start(read):
    """Wait for the receiver's call; whether it wants CRCs."""
    cancels = 0
    for _ in range(START_TRIES):
        byte = read(1.0)
        if byte == bytes([CRC]):
            return True
        if byte == bytes([NAK]):
            return False
        cancels = cancels + 1 if byte == bytes([CAN]) else 0
        if cancels == 2:
            raise XmodemError("the receiver cancelled before the first block")
    raise XmodemError("no receiver called for a transfer")


def _deliver(block, read, write, what):
    """Send until it is acknowledged. The calls of a receiver that still waits are let pass."""
    cancels = 0
    for _ in range(TRIES):
        write(block)
        while True:
            byte = read(5.0)
            if byte == bytes([ACK]):
                return
            if byte in (b"", bytes([NAK])):
                break
            cancels = cancels + 1 if byte == bytes([CAN]) else 0
            if cancels == 2:
                raise XmodemError(f"the receiver cancelled at {what}")
    raise XmodemError(f"the receiver did not take {what} in {TRIES} tries")
