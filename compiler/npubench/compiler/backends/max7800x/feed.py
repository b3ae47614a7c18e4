"""How the input goes in: which word of which memory (or FIFO) holds which values of the network's
input tensor (pixels, then channels).

A word has four values: of four channels of one pixel, the passes of a pixel one after the other
("HWC"); or four pixels of one channel ("CHW"). Source: ai8x-synthesis README (data memory) and its
izer/load.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.max7800x.scheme import Ints
from npubench.core.errors import ToolError
from npubench.npu.max7800x.device import Device

LANES: Final = 4
PER_QUADRANT: Final = 16
FIFO_DATA: Final = 0x50000008
FIFOS: Final = 4
Words = NDArray[np.uint32]
_ARRAY = re.compile(r"^static const uint32_t (\w+)\[\] = (\w+);", re.MULTILINE)
_COPY = re.compile(r"^\s*memcpy32\(\(uint32_t \*\) (0x[0-9a-f]+), (\w+), (\d+)\);", re.MULTILINE)
_POINTER = re.compile(r"^\s*const uint32_t \*(\w+) = (\w+);", re.MULTILINE)
_FIFO = re.compile(r"^\s*\*\(\(volatile uint32_t \*\) (0x[0-9a-f]+)\) = \*(\w+)\+\+;", re.MULTILINE)
_LOAD = re.compile(r"^void load_input\(void\)\n\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_DEFINE = re.compile(r"#define\s+(\w+)\s*\{(.*?)\}", re.DOTALL)
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|-?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """``words`` of a feed go to ``address`` on, or into the FIFO there; ``first``: its first
    channel."""

    address: int
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """All segments are alike: ``words`` each, ``lanes`` channels in a word (1 where ``planar``:
    four pixels of a channel), of pass p the channels from ``first + p * pass_channels`` on."""

    pixels: int
    channels: int
    passes: int
    pass_channels: int
    lanes: int
    planar: bool
    fifo: bool
    segments: tuple[Segment, ...]

    @property
    def words(self) -> int:
        """Of a segment."""
        return -(-self.pixels // LANES) if self.planar else self.pixels * self.passes

    def packed(self, sample: Ints, first: int) -> Words:
        """A segment's words for (channels, height, width) of int8, as the driver makes them."""
        flat = np.asarray(sample).reshape(self.channels, -1).astype(np.int8).view(np.uint8)
        if self.planar:
            row = np.zeros(self.words * LANES, dtype=np.uint8)
            row[: self.pixels] = flat[first]
            return row.view("<u4")
        bytes_of = np.zeros((self.pixels, self.passes, LANES), dtype=np.uint8)
        for turn, lane in product(range(self.passes), range(self.lanes)):
            channel = first + turn * self.pass_channels + lane
            if channel < self.channels:
                bytes_of[:, turn, lane] = flat[channel]
        return bytes_of.reshape(-1).view("<u4")


def memory_feed(shape: tuple[int, int, int], passes: int, processors: int, device: Device) -> Feed:
    """Into the data memories from their start, channels on processors from the lowest on."""
    channels, high, wide = shape
    segments = []
    for first in range(0, processors, LANES):
        quadrant, within = divmod(first, PER_QUADRANT)
        address = device.data_base + quadrant * device.quadrant_bytes
        address += within // LANES * device.instance_bytes
        segments.append(Segment(address=address, first=first))
    return Feed(
        pixels=high * wide, channels=channels, passes=passes, pass_channels=processors,
        lanes=LANES, planar=False, fifo=False, segments=tuple(segments),
    )  # fmt: skip


def fifo_feed(shape: tuple[int, int, int]) -> Feed:
    """Through the first FIFO: up to four channels, which lie on the lowest processors."""
    channels, high, wide = shape
    return Feed(
        pixels=high * wide, channels=channels, passes=1, pass_channels=channels, lanes=LANES,
        planar=False, fifo=True, segments=(Segment(address=FIFO_DATA, first=0),),
    )  # fmt: skip


def read_feed(sample: Ints, main: str, data: str) -> Feed:
    """What the generated main.c does with the sample (channels, height, width), which the tool was
    given: the layout under which its words are that sample's, all of them.

    Raises ToolError where there is none.
    """
    body = _LOAD.search(main)
    text = "" if body is None else body[1]
    defines = dict(_DEFINE.findall(data))
    arrays = {
        name: np.array([int(n, 0) for n in _NUMBER.findall(defines.get(of, ""))], dtype=np.uint32)
        for name, of in _ARRAY.findall(main)
    }
    pointers = dict(_POINTER.findall(text))
    copies = [(int(place, 16), name, int(count)) for place, name, count in _COPY.findall(text)]
    fifo = not copies
    if fifo:
        copies = [
            (int(place, 16), pointers.get(name, name), -1) for place, name in _FIFO.findall(text)
        ]
    known = [(place, arrays.get(name, np.zeros(0, np.uint32))) for place, name, _ in copies]
    wrong = any(
        not len(words) or count not in (-1, len(words))
        for (_, words), (_, _, count) in zip(known, copies, strict=True)
    )
    fifos = {FIFO_DATA + 4 * number for number in range(FIFOS)}
    if not known or wrong or (fifo and not {place for place, _ in known} <= fifos):
        raise _unknown("its load_input has another form")
    for feed in _layouts(sample, len(known[0][1]), fifo=fifo):
        segments = _placed(feed, sample, known)
        if segments is not None:
            return Feed(
                pixels=feed.pixels, channels=feed.channels, passes=feed.passes,
                pass_channels=feed.pass_channels, lanes=feed.lanes, planar=feed.planar,
                fifo=fifo, segments=segments,
            )  # fmt: skip
    raise _unknown("its words are the sample's in no layout that is known")


def _layouts(sample: Ints, words: int, *, fifo: bool) -> list[Feed]:
    """Every layout in which a segment has so many words."""
    channels = sample.shape[0]
    pixels = int(np.prod(sample.shape[1:]))
    found = []
    if words == -(-pixels // LANES):
        found.append((1, 0, 1, True))
    if words % pixels == 0:
        passes = words // pixels
        steps = range(LANES, channels + 1, LANES) if passes > 1 else (channels,)
        found += [
            (passes, step, lanes, False) for lanes, step in product(range(LANES, 0, -1), steps)
        ]
    return [
        Feed(
            pixels=pixels, channels=channels, passes=passes, pass_channels=step, lanes=lanes,
            planar=planar, fifo=fifo, segments=(),
        )
        for passes, step, lanes, planar in found
    ]  # fmt: skip


def _placed(feed: Feed, sample: Ints, known: list[tuple[int, Words]]) -> tuple[Segment, ...] | None:
    """The first channel of each array under this layout; None where one has no such."""
    segments = []
    for place, words in known:
        first = next(
            (c for c in range(feed.channels) if np.array_equal(feed.packed(sample, c), words)),
            None,
        )
        if first is None:
            return None
        segments.append(Segment(address=place, first=first))
    return tuple(segments)


def _unknown(why: str) -> ToolError:
    return ToolError(
        f"how ai8xize loads the input is not understood: {why}",
        hint="a network whose input comes by memory or by FIFO can be run",
    )
