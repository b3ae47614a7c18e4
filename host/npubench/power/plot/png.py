"""A trace with its stages shaded as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from npubench.power.plot.envelope import Envelope

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COLOURS = {
    "init_warm": (196, 181, 253),
    "load": (147, 197, 253),
    "infer": (253, 186, 116),
    "unload": (134, 239, 172),
    "post": (249, 168, 212),
    "idle": (226, 232, 240),
}
INK, PAPER, GRID, TRACE = (30, 41, 59), (255, 255, 255), (226, 232, 240), (29, 78, 216)
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 72, 24, 40, 68
TEXT_PX = 15
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
    """The picture: current upwards in µA or mA, time in seconds or milliseconds to the right, a
    column of pixels for each of the envelope."""
    from PIL import Image, ImageDraw, ImageFont

    columns = len(trace.low_ua)
    image = Image.new("RGB", (MARGIN_LEFT + columns + MARGIN_RIGHT, height), PAPER)
    draw = ImageDraw.Draw(image)
    draw.font = ImageFont.load_default(TEXT_PX)
    top, bottom = MARGIN_TOP, height - MARGIN_BOTTOM
    finite = trace.high_ua[np.isfinite(trace.high_ua)]
    ceiling = float(np.max(finite)) * 1.08 if len(finite) and np.max(finite) > 0 else 1.0
    for shade in shades:
        left, right = (
            MARGIN_LEFT + int(np.clip((place - trace.first) / trace.per_column, 0, columns - 1))
            for place in (shade.begin, shade.end)
        )
        draw.rectangle((left, top, right, bottom), fill=COLOURS.get(shade.stage, GRID))
    _levels(draw, ceiling, top, bottom, columns)
    _times(draw, trace, rate_hz, bottom)
    scale = (bottom - top) / ceiling
    for column in np.flatnonzero(~np.isnan(trace.high_ua)).tolist():
        upper = int(np.clip(bottom - trace.high_ua[column] * scale, top, bottom - 1))
        lower = int(np.clip(bottom - trace.low_ua[column] * scale, top, bottom - 1))
        draw.line((MARGIN_LEFT + column, upper, MARGIN_LEFT + column, lower + 1), fill=TRACE)
    draw.text((MARGIN_LEFT, top - 8), title, fill=INK, anchor="ls")
    _legend(draw, shades, height - 16)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def nice_step(span: float, count: int) -> float:
    """A round step (1, 2, 5 times a power of ten) that cuts ``span`` into about ``count``."""
    if span <= 0:
        return 1.0
    raw = span / count
    power = 10.0 ** np.floor(np.log10(raw))
    return float(next((t * power for t in TICKS if t * power >= raw), 10 * power))


def _levels(draw: ImageDraw, ceiling: float, top: int, bottom: int, columns: int) -> None:
    in_ma = ceiling >= 2000
    step = nice_step(ceiling, 6)
    for number in range(int(ceiling / step) + 1):
        row = bottom - number * step * (bottom - top) / ceiling
        draw.line((MARGIN_LEFT - 4, row, MARGIN_LEFT + columns - 1, row), fill=GRID)
        value = number * step / 1000 if in_ma else number * step
        draw.text((MARGIN_LEFT - 8, row), f"{value:g}", fill=INK, anchor="rm")
    draw.text((MARGIN_LEFT - 8, top - 8), "mA" if in_ma else "µA", fill=INK, anchor="rs")
    draw.line((MARGIN_LEFT - 1, top, MARGIN_LEFT - 1, bottom), fill=INK)


def _times(draw: ImageDraw, trace: Envelope, rate_hz: float, bottom: int) -> None:
    columns = len(trace.low_ua)
    begin_s = trace.first / rate_hz
    span_s = columns * trace.per_column / rate_hz
    unit, factor = ("ms", 1000) if span_s < 1 else ("s", 1)
    step = nice_step(span_s, 6)
    draw.line((MARGIN_LEFT, bottom, MARGIN_LEFT + columns - 1, bottom), fill=INK)
    tick = int(np.ceil(begin_s / step))
    while tick * step <= begin_s + span_s:
        column = MARGIN_LEFT + min((tick * step - begin_s) / span_s * columns, columns - 1)
        draw.line((column, bottom, column, bottom + 5), fill=INK)
        draw.text((column, bottom + 9), f"{tick * step * factor:.6g}", fill=INK, anchor="mt")
        tick += 1
    draw.text((MARGIN_LEFT + columns, bottom + 9), unit, fill=INK, anchor="lt")


def _legend(draw: ImageDraw, shades: Sequence[Shade], row: int) -> None:
    left = float(MARGIN_LEFT)
    for stage in dict.fromkeys(shade.stage for shade in shades):
        draw.rectangle((left, row - 6, left + 12, row + 6), fill=COLOURS.get(stage, GRID))
        words = stage.replace("_", " ")
        draw.text((left + 18, row), words, fill=INK, anchor="lm")
        left += 36 + draw.textlength(words)
