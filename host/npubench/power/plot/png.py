"""A trace with its stages shaded as a PNG, written with zlib alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npubench.power.plot.envelope import Envelope
from npubench.power.plot.glyphs import GLYPHS, WIDTH

COLOURS = {
    "init_warm": (196, 181, 253),
    "load": (147, 197, 253),
    "infer": (253, 186, 116),
    "unload": (134, 239, 172),
    "post": (249, 168, 212),
    "idle": (226, 232, 240),
}
INK, PAPER, GRID, TRACE = (30, 41, 59), (255, 255, 255), (226, 232, 240), (29, 78, 216)
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 84, 16, 40, 44
SCALE = 2
TICKS = (1, 2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """A stage's window, places in samples."""

    stage: str
    begin: float
    end: float


def trace_png(
    trace: Envelope,
    shades: Sequence[Shade],
    *,
    rate_hz: float,
    title: str,
    height: int = 480,
) -> bytes:
    """The picture. Current upwards in uA or mA, time in seconds or milliseconds to the right."""
    columns = len(trace.low_ua)
    width = MARGIN_LEFT + columns + MARGIN_RIGHT
    image = np.full((height, width, 3), PAPER, np.uint8)
    top, bottom = MARGIN_TOP, height - MARGIN_BOTTOM
    finite = trace.high_ua[np.isfinite(trace.high_ua)]
    ceiling = float(np.max(finite)) * 1.08 if len(finite) and np.max(finite) > 0 else 1.0
    for shade in shades:
        left, right = (
            MARGIN_LEFT + int(np.clip((place - trace.first) / trace.per_column, 0, columns))
            for place in (shade.begin, shade.end)
        )
        image[top:bottom, left : max(right, left + 1)] = COLOURS.get(shade.stage, GRID)
    _grid(image, trace, ceiling, rate_hz, top, bottom, columns)
    scale = (bottom - top) / ceiling
    for column in range(columns):
        low, high = trace.low_ua[column], trace.high_ua[column]
        if np.isnan(high):
            continue
        upper = int(np.clip(bottom - high * scale, top, bottom - 1))
        lower = int(np.clip(bottom - low * scale, top, bottom - 1))
        image[upper : lower + 2, MARGIN_LEFT + column] = TRACE
    _text(image, title, MARGIN_LEFT, 12)
    return _encode(image)


def nice_step(span: float, count: int) -> float:
    """A round step (1, 2, 5 times a power of ten) that cuts ``span`` into about ``count``."""
    if span <= 0:
        return 1.0
    raw = span / count
    power = 10.0 ** np.floor(np.log10(raw))
    return float(next((t * power for t in TICKS if t * power >= raw), 10 * power))


def _grid(
    image: NDArray[np.uint8],
    trace: Envelope,
    ceiling: float,
    rate_hz: float,
    top: int,
    bottom: int,
    columns: int,
) -> None:
    in_ma = ceiling >= 2000
    step = nice_step(ceiling, 6)
    for number in range(int(ceiling / step) + 1):
        row = int(bottom - number * step * (bottom - top) / ceiling)
        image[np.clip(row, top, bottom), MARGIN_LEFT - 4 : MARGIN_LEFT + columns] = GRID
        value = number * step / 1000 if in_ma else number * step
        _text(image, f"{value:g}", 6, row - 6)
    _text(image, "mA" if in_ma else "uA", 6, 12)
    begin_s = trace.first / rate_hz
    span_s = columns * trace.per_column / rate_hz
    in_ms = span_s < 1
    step = nice_step(span_s, 6)
    first = int(np.ceil(begin_s / step))
    while first * step <= begin_s + span_s:
        column = MARGIN_LEFT + int((first * step - begin_s) / span_s * columns)
        image[bottom : bottom + 5, min(column, MARGIN_LEFT + columns - 1)] = INK
        value = first * step * (1000 if in_ms else 1)
        _text(image, f"{value:.6g}", column - 10, bottom + 10)
        first += 1
    _text(image, "ms" if in_ms else "s", MARGIN_LEFT + columns - 24, bottom + 28)
    image[bottom, MARGIN_LEFT : MARGIN_LEFT + columns] = INK
    image[top:bottom, MARGIN_LEFT - 1] = INK


def _text(image: NDArray[np.uint8], text: str, left: int, top: int) -> None:
    """Text in a 5 by 7 face, twice its size; what lies outside is cut."""
    for letter in text:
        rows = GLYPHS.get(letter.upper(), GLYPHS["?"])
        for y, row in enumerate(rows):
            for x in range(WIDTH):
                if row >> (WIDTH - 1 - x) & 1:
                    a, b = top + y * SCALE, left + x * SCALE
                    if a >= 0 and b >= 0:
                        image[a : a + SCALE, b : b + SCALE] = INK
        left += (WIDTH + 1) * SCALE


def _encode(image: NDArray[np.uint8]) -> bytes:
    height, width, _ = image.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = image.reshape(height, 3 * width)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + chunk(b"IEND", b"")
    )
