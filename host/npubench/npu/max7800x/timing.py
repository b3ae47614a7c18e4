"""How many cycles the accelerator takes for its layers, and what it does in them.

The formula is the one that ADI publishes with its tool for the MAX78000 (ai8x-synthesis,
izer/latency.py), here from the layers' registers; tests hold it to what the tool prints. Beyond it
are the depthwise layers and the pipeline of the MAX78002. How far it is from published times stands
in docs/max7800x-time.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from npubench.npu.max7800x.layout import PER_QUADRANT, TAPS
from npubench.npu.max7800x.program import LayerProgram

STARTUP_CYCLES: Final = 1
PIPELINE_CYCLES: Final = 11.1
"""What an output pixel costs more with the MAX78002's pipeline. No document says so: fitted."""
STREAM_RATIO: Final = 1.5
"""ADI's tool takes a layer that streams to last so much longer, and calls it an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """By how much a network's cycles may be less or more than the formula's, as a share of it."""

    low: float
    high: float


PLAIN: Final = Bounds(low=0.01, high=0.01)
"""Without the pipeline: published times are within it (docs/max7800x-time.md)."""
PIPELINED: Final = Bounds(low=0.015, high=0.015)
"""With it: networks that were left out of the fit are within it (docs/max7800x-time.md)."""
MODEL: Final = "ADI's formula from the layers' registers/1"
"""Its name in records; the number rises when the same layers come to other cycles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkWork:
    """What the accelerator does in one inference.

    ``cycles``: from the start to the last output; ``low``, ``high``: between which they are taken
    to be. ``layers``: those of each layer. ``quadrant_cycles``: cycles times the quadrants that
    work in them, over all layers. ``streams``: whether layers run side by side, with the input.
    """

    cycles: int
    low: int
    high: int
    layers: tuple[int, ...]
    quadrant_cycles: int
    streams: bool


def network_work(layers: Sequence[LayerProgram], *, pipelined: bool, prereads: bool) -> NetworkWork:
    """Of all layers, one after the other. ``pipelined``: with the MAX78002's pipeline;
    ``prereads``: the MAX78000's reading ahead of the borders in several passes."""
    real = [layer for layer in layers if not layer.is_empty]
    extra = PIPELINE_CYCLES if pipelined else 0.0
    bounds = PIPELINED if pipelined else PLAIN
    counts, low, high = [], 0.0, 0.0
    for layer in real:
        plain = formula_cycles(layer, prereads=prereads) + extra * output_pixels(layer)
        counts.append(round(plain))
        low += plain
        high += plain * (STREAM_RATIO if layer.streams else 1.0)
    return NetworkWork(
        cycles=STARTUP_CYCLES + sum(counts),
        low=round((STARTUP_CYCLES + low) * (1 - bounds.low)),
        high=round((STARTUP_CYCLES + high) * (1 + bounds.high)),
        layers=tuple(counts),
        quadrant_cycles=sum(
            count * quadrants(layer) for count, layer in zip(counts, real, strict=True)
        ),
        streams=any(layer.streams for layer in real),
    )


def formula_cycles(layer: LayerProgram, *, prereads: bool) -> int:
    """Of one layer by the formula, as if it did not stream."""
    rows, columns = _pooled(layer)
    high, wide = layer.kernel
    pad_rows, pad_columns = layer.pad
    window = layer.window[0] * layer.window[1]
    passes = layer.passes
    if layer.kind == "passthrough":
        if passes > 1 and max(layer.window) > 1:
            passes = 2 * passes - 1
        return rows * columns * (passes * (layer.operands * window + 1 + layer.timeslots))
    early = 0
    if _pools_first(layer):
        repeats = 1
        blank, read = 2 * passes * layer.operands, passes * layer.operands * (window + 1)
    else:
        repeats = passes
        blank, read = 2 * passes, passes * (layer.operands * window + 1)
        if prereads:
            early = _borders(layer) * _kernel_offset(layer)
    out_columns = _out(layer)[1]
    out = passes * out_columns * _outputs(layer)
    if passes == 1 and _outputs(layer) == 1:
        out += 1
    sides = 2 * pad_columns * (blank + 1)
    first = sides + repeats * columns * (blank + 1)
    quiet = sides + repeats * columns * (read + 1)
    before, along = repeats * (wide - 1 - pad_columns), repeats * (out_columns - pad_columns)
    border = pad_columns * (blank + 1) + pad_columns * blank
    row = border + before * (read + 1) + along * read
    bottom = border + before * (blank + 1) + along * blank
    rows_before = high - 1 - pad_rows
    return (
        int(layer.kind == "flatten")
        + early
        + pad_rows * first
        + rows_before * quiet
        + (row + out) * (rows - rows_before)
        + pad_rows * (bottom + out)
    )


def output_pixels(layer: LayerProgram) -> int:
    """Pixels that a layer puts out, whatever their channels."""
    rows, columns = _out(layer)
    return rows * columns


def quadrants(layer: LayerProgram) -> int:
    """How many quadrants have processors that work in a layer."""
    return len({processor // PER_QUADRANT for processor in layer.processors})


def _pools_first(layer: LayerProgram) -> bool:
    """Whether pooling comes before the element-wise operation, where there are both."""
    return layer.operands == 1 or layer.pools_first or layer.window == (1, 1)


def _pooled(layer: LayerProgram) -> tuple[int, int]:
    """Rows and columns that the taps move over, before padding."""
    if layer.kind == "flatten":
        return 1, 1
    scale = 2 if layer.kind == "transposed" else 1
    return scale * layer.pooled[0], scale * layer.pooled[1]


def _out(layer: LayerProgram) -> tuple[int, int]:
    rows, columns = _pooled(layer)
    return (
        rows + 2 * layer.pad[0] - layer.kernel[0] + 1,
        columns + 2 * layer.pad[1] - layer.kernel[1] + 1,
    )


def _outputs(layer: LayerProgram) -> int:
    """Turns that an output pixel of a pass takes."""
    return layer.timeslots if layer.kind == "depthwise" else layer.mask_count // layer.passes


def _kernel_offset(layer: LayerProgram) -> int:
    """The first word of weight memory."""
    taps = layer.kernel[0] * layer.kernel[1]
    return (layer.first_mask // 8 * taps + layer.mask_sad) // TAPS


def _borders(layer: LayerProgram) -> int:
    """Places at which taps lie outside, of a layer that is padded. (Rows and columns are crossed
    as in the published formula.)"""
    rows, columns = _pooled(layer)
    pad_rows, pad_columns = layer.pad
    return (
        (rows + 2 * pad_rows - layer.kernel[1] + 1) * pad_columns
        + (columns + 2 * pad_columns - layer.kernel[0] + 1) * pad_rows
        - pad_rows * pad_columns
    )
