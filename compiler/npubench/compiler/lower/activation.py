"""Fused activations: the range that they leave to an output."""

from __future__ import annotations

import math

import numpy as np

from npubench.compiler.graph import Quantization
from npubench.compiler.lower.requant import round_away
from npubench.compiler.lower.site import Site

_BEYOND = 1 << 32
"""Of a scale that is next to nothing: past the codes of any width."""

_LIMITS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def quantized(value: float, quantization: Quantization) -> int:
    """The code of a real value, not limited to int8; the quotient is formed in float32."""
    with np.errstate(over="ignore"):
        codes = float(np.float32(value) / np.float32(quantization.scale))
    if math.isinf(codes):
        return _BEYOND if codes > 0 else -_BEYOND
    return quantization.zero_point + round_away(codes)


def fused_range(site: Site, output: Quantization, *, wide: bool = False) -> tuple[int, int]:
    """Lowest and highest code that the operator's fused activation lets through: int8, or int16
    where ``wide``."""
    name = site.word("fused_activation_function", "NONE")
    if name not in _LIMITS:
        site.fail(f"fused activation {name}")
    lowest, highest = _LIMITS[name]
    floor, ceiling = (-32768, 32767) if wide else (-128, 127)
    low = floor if lowest is None else max(floor, quantized(lowest, output))
    high = ceiling if highest is None else min(ceiling, quantized(highest, output))
    site.require(low <= high, f"the fused activation {name} leaves no value")
    return low, high
