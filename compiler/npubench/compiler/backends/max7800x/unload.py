"""Where the generated C finds the outputs: its cnn_unload, followed step by step.

Source: ai8x-synthesis, izer/unload.py (the forms that it writes). A form that is not one of them is
refused: the order of the outputs would be a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from npubench.compiler.backends.max7800x.scheme import Ints
from npubench.core.errors import ToolError

WIDE_BITS: Final = 32
MARK: Final = "Custom unload for this network"
_BODY = re.compile(r"^int cnn_unload\([^)]*\)\n\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(
    MARK + r", .*: "
    r"(\d+)-bit data, shape: \((\d+), (\d+), (\d+)\)"
)
_ADDRESS = re.compile(r"^addr = \(volatile uint32_t \*\) (0x[0-9a-f]+);$")
_LOOP = re.compile(r"^for \(i = 0; i < (\d+); i\+\+\) \{$")
_STEP = re.compile(r"^addr \+= (0x[0-9a-f]+|\d+);$")
_PUSH = re.compile(r"^\*out_buf\+\+ = (?:\(val >> (\d+)\)|val) & 0xff;$")
_STORE = re.compile(r"^out_buf\[offs(?:\+(0x[0-9a-f]+|\d+))?\] = (?:\(val >> (\d+)\)|val) & 0xff;$")
_OFFSET = re.compile(r"^offs (\+?)= (0x[0-9a-f]+|\d+);$")
_BASE = re.compile(r"^out_buf = \(\(uint(?:8|32)_t \*\) out_buf(?:32)?\) \+ (0x[0-9a-f]+|\d+);$")
_DECLARED = re.compile(
    r"^(?:volatile uint32_t \*addr|uint32_t val|int i|uint32_t offs|return CNN_OK"
    r"|uint8_t \*out_buf = \(uint8_t \*\) out_buf32);$"
)
_WORD_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """One output: its bits, (channels, height, width), and the place of each value in the order of
    the unloading: address of a word, and bits to shift it."""

    bits: int
    shape: tuple[int, int, int]
    places: tuple[tuple[int, int], ...]

    def values(self, answer: Mapping[int, int]) -> Ints:
        """(channels, height, width) of the known answer, words by address. Raises ToolError when
        it lacks some."""
        missing = [place for place, _ in self.places if place not in answer]
        if missing:
            raise ToolError(
                f"ai8xize's known answer says nothing of {len(missing)} of {len(self.places)} "
                f"values: none at 0x{missing[0]:08x}",
                hint="is this checkout's version another one?",
            )
        words = np.array([answer[place] for place, _ in self.places], dtype=np.uint32)
        if self.bits == WIDE_BITS:
            return words.view(np.int32).astype(np.int64).reshape(self.shape)
        shifts = np.array([shift for _, shift in self.places], dtype=np.uint32)
        values = (words >> shifts).astype(np.uint8).view(np.int8)
        return values.astype(np.int64).reshape(self.shape)


def read_unload(code: str) -> tuple[Unloaded, ...]:
    """The outputs of a generated cnn.c, in the order of the unloading. Raises ToolError."""
    body = _BODY.search(code)
    if body is None:
        raise _unknown("there is no cnn_unload")
    outputs = [tuple(int(number) for number in found) for found in _OUTPUT.findall(body[1])]
    run = _Run()
    run.follow([line.split("//")[0].strip() for line in body[1].splitlines()])
    found: list[Unloaded] = []
    begin = 0
    for bits, channels, high, wide in outputs:
        count = channels * high * wide
        places = [run.places.pop(begin + index, None) for index in range(count)]
        if bits == WIDE_BITS and high * wide > 1:
            raise _unknown("the order of several pixels of 32 bits is not known")
        if None in places or bits not in (8, WIDE_BITS):
            raise _unknown(f"an output of {count} values of {bits} bits is not whole")
        found.append(
            Unloaded(
                bits=bits,
                shape=(channels, high, wide),
                places=tuple(place for place in places if place is not None),
            )
        )
        begin += count
    if not found or run.places:
        raise _unknown(f"{len(run.places)} values belong to no output")
    return tuple(found)


class _Run:
    """The variables of the C, and what it has written: ``places`` by position."""

    def __init__(self) -> None:
        self.places: dict[int, tuple[int, int]] = {}
        self._address = self._value = self._offset = self._out = 0

    def follow(self, lines: Sequence[str]) -> None:
        at = 0
        while at < len(lines):
            line = lines[at]
            at += 1
            loop = _LOOP.match(line)
            if loop is None:
                if line:
                    self._do(line)
                continue
            end = lines.index("}", at)
            for _ in range(int(loop[1])):
                self.follow(lines[at:end])
            at = end + 1

    def _do(self, line: str) -> None:
        if line == "*out_buf++ = *addr++;":
            self.places[self._out] = (self._address, 0)
            self._out += 1
            self._address += _WORD_BYTES
        elif line in ("val = *addr++;", "val = *addr;"):
            self._value = self._address
            self._address += _WORD_BYTES * line.endswith("++;")
        elif line == "offs++;":
            self._offset += 1
        elif match := _PUSH.match(line):
            self.places[self._out] = (self._value, int(match[1] or 0))
            self._out += 1
        elif match := _STORE.match(line):
            position = self._out + self._offset + int(match[1] or "0", 0)
            self.places[position] = (self._value, int(match[2] or 0))
        elif match := _ADDRESS.match(line):
            self._address = int(match[1], 16)
        elif match := _STEP.match(line):
            self._address += _WORD_BYTES * int(match[1], 0)
        elif match := _OFFSET.match(line):
            self._offset = int(match[2], 0) + self._offset * bool(match[1])
        elif match := _BASE.match(line):
            self._out = int(match[1], 0)
        elif not _DECLARED.match(line):
            raise _unknown(f"it has a form that is not known: {line[:80]}")


def _unknown(why: str) -> ToolError:
    return ToolError(
        f"ai8xize's cnn_unload is not understood: {why}",
        hint="is this checkout's version another one?",
    )
