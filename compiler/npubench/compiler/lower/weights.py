"""Weights and biases of convolutions and dense layers: checks, scales, folding of the offset."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower.requant import INT32_MAX, quantize_multiplier, single
from npubench.compiler.lower.site import Site


def weight_array(site: Site, tensor: Tensor) -> NDArray[np.int8]:
    """Constant int8 weights, symmetric, in the tensor's shape."""
    if tensor.data is None:
        site.fail("its weights are not a constant")
    site.require(tensor.dtype is DType.INT8, f"its weights are {tensor.dtype}, not int8")
    return np.frombuffer(tensor.data, dtype=np.int8).reshape(tensor.shape)


def weight_scales(site: Site, tensor: Tensor, *, axis: int) -> tuple[float, ...]:
    """One scale for all, or one per output channel along ``axis``; zero points must be zero."""
    quantization = tensor.quantization
    if quantization is None:
        site.fail("its weights are not quantized")
    scales = quantization.scales
    site.require(
        all(zero == 0 for zero in quantization.zero_points), "its weights are not symmetric"
    )
    site.require(
        all(math.isfinite(scale) and scale >= 0 for scale in scales),
        "a scale of its weights is not a finite number",
    )
    if len(scales) != 1:
        site.require(
            quantization.axis == axis and len(scales) == tensor.shape[axis],
            f"its weights have {len(scales)} scales along axis {quantization.axis}",
        )
    return scales


def bias_array(site: Site, position: int, channels: int) -> NDArray[np.int64]:
    """The bias, zeros when the model leaves it out."""
    tensor = site.optional_input(position)
    if tensor is None:
        return np.zeros(channels, dtype=np.int64)
    if tensor.data is None:
        site.fail("its bias is not a constant")
    site.require(tensor.dtype is DType.INT32, f"its bias is {tensor.dtype}, not int32")
    site.require(tensor.count == channels, f"its bias has {tensor.count} values for {channels}")
    return np.frombuffer(tensor.data, dtype="<i4").astype(np.int64)


def fold_offset(
    site: Site, weights: NDArray[np.int8], bias: NDArray[np.int64], input_zero: int
) -> NDArray[np.int32]:
    """bias - input_zero * sum(weights), per output channel; weights are [channel, tap].

    Refuses weights for which a partial sum could leave int32: the kernels add without checks.
    """
    wide = weights.astype(np.int64)
    folded: NDArray[np.int32] = (bias - input_zero * wide.sum(axis=1)).astype(np.int32)
    bound = np.abs(bias) + 256 * np.abs(wide).sum(axis=1)
    site.require(
        bool((bound <= INT32_MAX).all()), "a sum of its weights and bias may exceed 32 bits"
    )
    return folded


def channel_multipliers(
    site: Site, source: Quantization, scales: tuple[float, ...], target: Quantization
) -> list[tuple[int, int]]:
    """Multiplier and shift per scale of the weights, as the reference forms them in double."""
    pairs = []
    for scale in scales:
        real = single(source.scale) * single(scale) / single(target.scale)
        pairs.append(checked_multiplier(site, real))
    return pairs


def checked_multiplier(site: Site, real: float) -> tuple[int, int]:
    """``real`` as multiplier and shift; refuses what does not fit the kernels."""
    site.require(math.isfinite(real), f"a rescaling factor is {real}")
    multiplier, shift = quantize_multiplier(real)
    site.require(shift <= 30, f"a rescaling factor is {real}")
    return multiplier, shift


def quant_table(bias: NDArray[np.int32], pairs: list[tuple[int, int]]) -> bytes:
    """The kernels' table: bias, multiplier, shift per output channel, little-endian int32."""
    table = np.empty((len(bias), 3), dtype="<i4")
    table[:, 0] = bias
    table[:, 1:] = pairs if len(pairs) == len(bias) else pairs * len(bias)
    return table.tobytes()
