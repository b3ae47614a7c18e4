"""Fused activations: the range that they leave to an int8 output."""

from __future__ import annotations

import numpy as np

from npubench.compiler.graph import Quantization
from npubench.compiler.lower.requant import round_away
from npubench.compiler.lower.site import Site

_LIMITS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def quantized(value: float, quantization: Quantization) -> int:
    """The code of a real value, not limited to int8; the quotient is formed in float32."""
    return quantization.zero_point + round_away(
        float(np.float32(value) / np.float32(quantization.scale))
    )


def fused_range(site: Site, output: Quantization) -> tuple[int, int]:
    """Lowest and highest int8 code that the operator's fused activation lets through."""
    name = site.word("fused_activation_function", "NONE")
    if name not in _LIMITS:
        site.fail(f"fused activation {name}")
    lowest, highest = _LIMITS[name]
    low = -128 if lowest is None else max(-128, quantized(lowest, output))
    high = 127 if highest is None else min(127, quantized(highest, output))
    site.require(low <= high, f"the fused activation {name} leaves no value")
    return low, high
