"""How many cycles the accelerator takes, by the model that ADI published with its tool.

Source: ai8x-synthesis, izer/latency.py (MAX78000, no streaming; the README says how it was
compared with the part). The tool's own figure goes before it; this one is for a comparison.
"""

from __future__ import annotations

from npubench.compiler.backends.max7800x.description import kernels_of
from npubench.compiler.backends.max7800x.placement import channels_of
from npubench.compiler.backends.max7800x.scheme import QuantizedChain, QuantizedLayer

STARTUP_CYCLES = 1
FLATTEN_BITS_LIMIT = 16
"""Up to so many inputs a processor flattens in its ordinary passes, beyond in a mode of its own,
which takes one cycle more."""


def has_formula(quantized: QuantizedChain) -> bool:
    """Whether the formula holds: one layer after the other, none that adds, copies or stretches."""
    plain = {"conv", "conv1d", "dense", "pool"}
    return quantized.chain.is_plain and all(s.layer.kind in plain for s in quantized.layers)


def estimated_cycles(quantized: QuantizedChain) -> int:
    """Of one inference: from the start to the last output."""
    return STARTUP_CYCLES + sum(layer_cycles(step) for step in quantized.layers)


def layer_cycles(step: QuantizedLayer) -> int:
    """Of one layer."""
    layer = step.layer
    passes = channels_of(layer.source_shape[0]).passes
    window = 1 if layer.pool is None else layer.pool.size[0] * layer.pool.size[1]
    _, high, wide = layer.pooled_shape
    read = passes * (window + 1)
    if layer.kind == "pool":
        turns = -(-min(channels_of(layer.source_shape[0]).processors, 16) // 4)
        if channels_of(layer.target_shape[0]).passes > 1:
            passes = 2 * passes - 1
            read = passes * (window + 1)
        return high * wide * (read + passes * turns)
    pad_rows, pad_columns = layer.pad
    taps_high, taps_wide = 1, 1
    if layer.kind != "dense":
        taps_high, taps_wide = int(layer.weights.shape[2]), int(layer.weights.shape[3])
    columns = wide if layer.kind == "dense" else layer.target_shape[2]
    outputs = kernels_of(step) // passes
    flattened = 0
    if layer.flattens:
        outputs = layer.target_shape[0]
        flattened = int(passes * high * wide > FLATTEN_BITS_LIMIT)
    blank = 2 * passes
    sides = 2 * pad_columns * (blank + 1)
    early = taps_wide - 1 - pad_columns
    first = sides + wide * (blank + 1)
    quiet = sides + wide * (read + 1)
    row = (
        pad_columns * (blank + 1)
        + early * (read + 1)
        + (columns - pad_columns) * read
        + pad_columns * blank
    )
    bottom = (
        pad_columns * (blank + 1)
        + early * (blank + 1)
        + (columns - pad_columns) * blank
        + pad_columns * blank
    )
    out = passes * columns * outputs + (outputs if outputs == 1 and passes == 1 else 0)
    rows_before = taps_high - 1 - pad_rows
    return (
        flattened
        + pad_rows * first
        + rows_before * quiet
        + (row + out) * (high - rows_before)
        + pad_rows * (bottom + out)
    )
