"""Sums of int16 times int8: in how many bits, and how they become codes.

The reference adds in 64 bits and multiplies by 15, or, by a bias of int32, in 32 bits with two
roundings. Where the weights prove that no sum leaves 32 bits, the kernels add in 32 all the same.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType
from npubench.compiler.lower.requant import INT32_MAX
from npubench.compiler.lower.site import Site

_LARGEST_INPUT = 32768
_SUM_LIMIT = 1 << 47
_LARGEST_SHIFT = 7
_BIASES = {DType.INT64: "<i8", DType.INT32: "<i4", DType.INT16: "<i2"}


class Sums(IntEnum):
    """As firmware/include/nb_kernels_wide.h numbers them."""

    LONG = 0
    SHORT = 1
    TWICE = 2


def wide_pair(site: Site, multiplier: int, shift: int) -> tuple[int, int]:
    """The 15-bit multiplier and the right shift of the reference's 64-bit requantization."""
    site.require(shift <= _LARGEST_SHIFT, f"a scale shifts to the left by {shift} places")
    reduced = 32767 if multiplier >= 0x7FFF0000 else (multiplier + (1 << 15)) >> 16
    return reduced, 15 - shift


def wide_bias(
    site: Site, position: int, channels: int, types: tuple[DType, ...]
) -> tuple[NDArray[np.int64], bool]:
    """The bias, zeros where there is none, and whether the reference rounds twice for it."""
    tensor = site.optional_input(position)
    if tensor is None:
        twice = site.word("quantized_bias_type", "float32") == "int32" and DType.INT32 in types
        return np.zeros(channels, dtype=np.int64), twice
    if tensor.data is None:
        site.fail("its bias is not a constant")
    names = " or ".join(types)
    site.require(tensor.dtype in types, f"its bias is {tensor.dtype}, not {names}")
    site.require(tensor.count == channels, f"its bias has {tensor.count} values for {channels}")
    bias = np.frombuffer(tensor.data, dtype=_BIASES[tensor.dtype]).astype(np.int64)
    return bias, tensor.dtype is DType.INT32


def sums_of(site: Site, weights: NDArray[np.int8], bias: NDArray[np.int64], *, twice: bool) -> Sums:
    """How a layer's sums are kept; weights are [channel, tap]. Refuses sums that may leave what the
    reference has for them."""
    products = _LARGEST_INPUT * np.abs(weights.astype(np.int64)).sum(axis=1)
    largest = int((products + np.abs(bias)).max())
    if twice:
        site.require(largest <= INT32_MAX, "a sum of its weights and bias may exceed 32 bits")
        return Sums.TWICE
    site.require(largest < _SUM_LIMIT, "a sum of its weights and bias may exceed 47 bits")
    return Sums.SHORT if int(products.max()) <= INT32_MAX else Sums.LONG


def wide_table(
    site: Site, bias: NDArray[np.int64], pairs: list[tuple[int, int]], sums: Sums
) -> bytes:
    """The kernels' rows: the bias's halves, multiplier and shift of each output channel."""
    if sums is not Sums.TWICE:
        pairs = [wide_pair(site, *pair) for pair in pairs]
    table = np.empty((len(bias), 4), dtype="<i4")
    table[:, :2] = bias.astype("<i8").view("<i4").reshape(-1, 2)
    table[:, 2:] = pairs if len(pairs) == len(bias) else pairs * len(bias)
    return table.tobytes()
