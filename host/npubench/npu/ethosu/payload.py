"""The driver payload that wraps a command stream: COP1, driver actions, configuration.

Word 0 is the tag `COP1`. Then driver actions, one tag word each: 1 = configuration (two more words:
CONFIG and ID registers), 2 = command stream (its length in words in the tag), 5 = padding.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from npubench.npu.ethosu.isa import StreamError

COP1 = 0x31504F43
ACTION_CONFIG = 0x01
ACTION_STREAM = 0x02
ACTION_NOP = 0x05


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A parsed payload. ``offset_bytes`` is where the stream begins in it (16-byte aligned)."""

    config: int
    identity: int
    words: tuple[int, ...]
    offset_bytes: int

    @property
    def macs(self) -> int:
        """MACs per cycle that the stream was made for."""
        return 1 << (self.config & 0xF)


def parse_payload(data: bytes) -> Payload:
    """Parse a COP1 payload. Raises StreamError when it is cut off or not one."""
    if len(data) < 4 or len(data) % 4:
        raise StreamError(f"a payload of {len(data)} bytes is not a number of words")
    words = struct.unpack(f"<{len(data) // 4}I", data)
    if words[0] != COP1:
        raise StreamError(f"tag {words[0]:#010x} is not COP1", offset_bytes=0)
    config: int | None = None
    identity = 0
    position = 1
    while position < len(words):
        tag = words[position]
        action = tag & 0xFF
        if action == ACTION_NOP:
            position += 1
        elif action == ACTION_CONFIG:
            if position + 2 >= len(words):
                raise StreamError("the configuration is cut off", offset_bytes=position * 4)
            config, identity = words[position + 1], words[position + 2]
            position += 3
        elif action == ACTION_STREAM:
            length = ((tag >> 16) & 0xFFFF) | ((tag >> 8) & 0xFF) << 16
            begin = position + 1
            if config is None:
                raise StreamError("no configuration before the stream", offset_bytes=position * 4)
            if begin * 4 % 16:
                raise StreamError("the stream is not 16-byte aligned", offset_bytes=begin * 4)
            if begin + length > len(words):
                raise StreamError(
                    f"the stream of {length} words is cut off", offset_bytes=begin * 4
                )
            return Payload(
                config=config,
                identity=identity,
                words=words[begin : begin + length],
                offset_bytes=begin * 4,
            )
        else:
            raise StreamError(f"unknown driver action {action:#x}", offset_bytes=position * 4)
    raise StreamError("the payload holds no command stream")
