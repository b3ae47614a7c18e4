"""Weights of 1, 2, 4 or 8 bits: what a user asks for, and the codes.

Source: ai8x-synthesis README (quantization): two's complement, so one bit is 0 or -1. Each halving
of the bits halves what a layer takes of the weight memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import UsageError

WIDTHS: Final = (1, 2, 4, 8)
TRIED: Final = 4
"""Exponents below the one that holds the largest weight: fewer bits are better spent on the many
small weights, while the few large ones saturate."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bits:
    """``whole``: of every layer with weights that ``layers`` (by their number, from 0) does not
    name."""

    whole: int = 8
    layers: Mapping[int, int] = field(default_factory=dict)

    def of(self, number: int) -> int:
        """Of the layer with this number."""
        return self.layers.get(number, self.whole)

    def check(self, count: int) -> None:
        """Raises UsageError where a layer is named that the network has not."""
        beyond = [number for number in self.layers if number >= count]
        if beyond:
            raise UsageError(
                f"max7800x.weight-bits names layer {beyond[0]}; this network has {count} layers "
                f"with weights, from 0 to {count - 1}"
            )


EIGHT: Final = Bits()


def parse_bits(text: str) -> Bits:
    """``4``, or ``8,3:4,5:2``: of all, and of layers by their number. Raises UsageError."""
    whole, layers = 8, {}
    for position, part in enumerate(text.split(",")):
        number, colon, width = part.rpartition(":")
        good = width.strip().isdigit() and int(width) in WIDTHS
        if not good or (colon and not number.strip().isdigit()) or (not colon and position):
            raise UsageError(
                f"max7800x.weight-bits: {part.strip()[:20]!r} is not understood",
                hint="bits of all layers with weights, then of some by their number: 4, or "
                "8,3:4,5:2; 1, 2, 4 or 8 bits",
            )
        if colon:
            layers[int(number)] = int(width)
        else:
            whole = int(width)
    return Bits(whole=whole, layers=layers)


def weight_exponent(weights: Floats, bits: int) -> int:
    """The exponent of a weight's step: with eight bits the smallest under which none saturates,
    with fewer the one of the least squared error."""
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0.0:
        return -7
    top = (1 << bits - 1) - 1
    if bits == 8:
        return math.ceil(math.log2(largest / top))
    highest = math.ceil(math.log2(largest / max(top, 1))) + 1
    return min(
        range(highest, highest - TRIED - 1, -1), key=lambda e: _squared_error(weights, e, bits)
    )


def as_codes(weights: Floats, exponent: int, bits: int) -> NDArray[np.int64]:
    """Rounded half up, saturated."""
    half = 1 << bits - 1
    codes = np.floor(weights / math.ldexp(1.0, exponent) + 0.5)
    return np.clip(codes, -half, half - 1).astype(np.int64)


def _squared_error(weights: Floats, exponent: int, bits: int) -> float:
    found = as_codes(weights, exponent, bits) * math.ldexp(1.0, exponent)
    return float(np.square(found - weights).sum())
