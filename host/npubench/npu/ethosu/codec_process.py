"""Vela's weight codec in a process of its own: on a broken stream it ends the process it runs in.

Run by path, reads and writes frames: four bytes of length (little-endian), then the bytes. A
request is a compressed stream, its answer the decoded weights as int16; a stream that the codec
refuses with an exception is answered by a frame of length 0xFFFFFFFF.
"""

from __future__ import annotations

import struct
import sys
from array import array

REFUSED = 0xFFFFFFFF


def serve() -> None:
    """Answer requests until the other side closes."""
    from ethosu import mlw_codec

    source, target = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        stream = source.read(struct.unpack("<I", head)[0])
        try:
            weights = array("h", mlw_codec.decode(bytearray(stream)))
        except Exception:
            target.write(struct.pack("<I", REFUSED))
        else:
            if sys.byteorder == "big":
                weights.byteswap()
            raw = weights.tobytes()
            target.write(struct.pack("<I", len(raw)) + raw)
        target.flush()


if __name__ == "__main__":
    serve()
