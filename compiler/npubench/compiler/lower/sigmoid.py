"""The table of the logistic function that 16-bit kernels interpolate."""

from __future__ import annotations

import math

import numpy as np

# Where TensorFlow Lite Micro's table of the logistic function (lite/kernels/internal/common.h) is
# one above the rounded value.
_ONE_MORE = frozenset(
    (
        4,
        8,
        12,
        14,
        15,
        16,
        17,
        19,
        20,
        21,
        22,
        25,
        27,
        28,
        29,
        30,
        31,
        33,
        34,
        35,
        37,
        39,
        40,
        41,
        43,
        44,
        45,
        46,
        49,
        50,
        54,
        62,
        63,
        64,
        66,
        82,
        86,
        93,
        100,
        103,
        112,
        116,
        135,
        255,
    )
)


def logistic_table() -> bytes:
    """logistic(i / 24) for i = 0 .. 255 in Q0.16, little-endian uint16."""
    values = [
        min(65535, math.floor(65536 / (1 + math.exp(-i / 24)) + 0.5) + (i in _ONE_MORE))
        for i in range(256)
    ]
    return np.array(values, "<u2").tobytes()
