"""The 16-bit curves of the output unit: TANH and SIGMOID by a table and straight lines between.

The table holds sigmoid(i / 24) as 16 unsigned bits. It is TFLite's and not the rounded function
(about a third of the entries lie one or two above it). Its entries were read out of TFLite Micro,
by running its int16 TANH on inputs that meet one entry each; Vela gives the NPU inputs in the scale
that this table wants, so that the NPU's own is taken to be the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int64]

# fmt: off
_SIGMOID: Final = np.array([
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149,
    40794, 41432, 42064, 42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369,
    47911, 48443, 48964, 49475, 49975, 50464, 50942, 51409, 51865, 52311, 52745, 53169,
    53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503, 56823, 57133, 57433,
    57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370,
    60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302,
    62428, 62549, 62666, 62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536,
    63615, 63691, 63765, 63835, 63903, 63968, 64030, 64090, 64148, 64204, 64257, 64308,
    64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687, 64721, 64754, 64786,
    64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079,
    65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208, 65221, 65234, 65246, 65258,
    65269, 65280, 65291, 65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367,
    65374, 65381, 65387, 65393, 65399, 65404, 65410, 65415, 65420, 65425, 65429, 65433,
    65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465, 65468, 65471, 65474,
    65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498,
    65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513,
    65514, 65515, 65516, 65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522,
    65523, 65523, 65524, 65524, 65525, 65525, 65526, 65526, 65526, 65527, 65527, 65528,
    65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530, 65530, 65530, 65531, 65531,
    65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533, 65533, 65533,
    65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
    65534, 65534, 65534, 65535,
], dtype=np.int64)
# fmt: on
_LAST: Final = 255


def sigmoid16(values: Values) -> Values:
    """Q0.15 of the sigmoid; ``values`` in units of 1/12288, not clipped to 16 bits."""
    between, index = _between(values, fraction_bits=9)
    between = np.where(index >= _LAST, 0x7FFF << 10, between)
    signed = np.where(values >= 0, between + (1 << 9), (1 << 25) - between + (1 << 9) - 1)
    return np.asarray(signed >> 10, dtype=np.int64)


def tanh16(values: Values) -> Values:
    """Q0.15 of the hyperbolic tangent; ``values`` in units of 1/12288, not clipped to 16 bits."""
    between, index = _between(values, fraction_bits=8)
    between = np.where(index >= _LAST, 0xFFFF << 8, between)
    half, one = 1 << 7, 1 << 23
    signed = np.where(values >= 0, between - one + half, one - between + half - 1)
    return np.asarray(signed >> 8, dtype=np.int64)


def _between(values: Values, *, fraction_bits: int) -> tuple[Values, Values]:
    """Table values times 2**fraction_bits, interpolated, and the index they begin at."""
    size = np.abs(values)
    index = size >> fraction_bits
    low = np.minimum(index, _LAST - 1)
    left, right = _SIGMOID[low], _SIGMOID[low + 1]
    part = size & ((1 << fraction_bits) - 1)
    return (left << fraction_bits) + part * (right - left), index
