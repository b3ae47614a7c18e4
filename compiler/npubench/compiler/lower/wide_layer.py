"""Layers with int16 activations and int8 weights: CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED and
TRANSPOSE_CONV."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.choice import fastest
from npubench.compiler.lower.requant import single
from npubench.compiler.lower.site import Choice, Lowering, Site, read, write
from npubench.compiler.lower.weights import (
    channel_multipliers,
    checked_multiplier,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.wide import Sums, sums_of, wide_bias, wide_table
from npubench.compiler.lower.wide_fast import KERNELS, fast_layer
from npubench.compiler.lower.window import Window, slide, turn, turned_shape
from npubench.compiler.plan import Constant, ConstantArg, KernelCall, ParamValue, ScratchArg

_CODES = "int16_t"
_BY_MAC = {Sums.LONG: 3.5, Sums.SHORT: 2.6, Sums.TWICE: 2.6}


def _ends(site: Site, position: int = 0) -> tuple[Tensor, Quantization, Tensor, Quantization]:
    source, target = site.activation(position), site.output()
    return (
        source,
        site.symmetric(source, "the input"),
        target,
        site.symmetric(target, "the output"),
    )


def _quant(
    site: Site,
    by_channel: NDArray[np.int8],
    bias: tuple[NDArray[np.int64], bool],
    pairs: list[tuple[int, int]],
) -> tuple[Sums, Constant]:
    values, twice = bias
    sums = sums_of(site, by_channel, values, twice=twice)
    return sums, site.constant("quant", "int32_t", wide_table(site, values, pairs, sums))


def _call(
    site: Site,
    kernel: str,
    source: Tensor,
    target: Tensor,
    params: dict[str, ParamValue],
    constants: tuple[Constant, ...],
    instructions: float,
    scratch_bytes: int | None = None,
) -> Lowering:
    scratch = () if scratch_bytes is None else (ScratchArg(ctype=_CODES),)
    call = KernelCall(
        op_index=site.op.index,
        kernel=f"nb_{kernel}",
        source=f"{kernel}.c",
        params_type=f"nb_{kernel}_params",
        params=tuple(params.items()),
        args=(
            read(source, _CODES),
            *(ConstantArg(constant=constant.name) for constant in constants),
            *scratch,
            write(target, _CODES),
        ),
        scratch_bytes=scratch_bytes or 0,
        choice=Choice(reason="", instructions=round(instructions)),
    )
    return call, constants


def _image(source: Tensor, target: Tensor) -> dict[str, ParamValue]:
    names = ("batches", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c")
    return dict(zip(names, (*source.shape, *target.shape[1:]), strict=True))


def _window(window: Window) -> dict[str, ParamValue]:
    names = ("kernel", "stride", "dilation")
    pairs = (window.kernel, window.stride, window.dilation)
    params: dict[str, ParamValue] = {
        f"{name}_{side}": pair[axis]
        for name, pair in zip(names, pairs, strict=True)
        for axis, side in enumerate("hw")
    }
    return params | {"pad_top": window.pad[0], "pad_left": window.pad[1]}


def convolution(site: Site) -> Lowering:
    """CONV_2D, in groups too. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(2, 3))
    source, given, target, wanted = _ends(site)
    filters = site.input(1)
    weights = weight_array(site, filters)
    site.require(weights.ndim == 4, f"its weights have shape {list(filters.shape)}")
    window = slide(site, source, target, (weights.shape[1], weights.shape[2]), dilated=True)
    channels, depth, in_c = weights.shape[0], weights.shape[3], source.shape[3]
    groups = in_c // depth
    site.require(
        in_c == groups * depth and channels % groups == 0 and channels == target.shape[3],
        f"{channels} filters of {depth} channels make {target.shape[3]} of {in_c}",
    )
    by_channel = weights.reshape(channels, -1)
    bias = wide_bias(site, 2, channels, (DType.INT64, DType.INT32))
    pairs = channel_multipliers(site, given, weight_scales(site, filters, axis=0), wanted)
    sums, quant = _quant(site, by_channel, bias, pairs)
    low, high = fused_range(site, wanted, wide=True)
    params = {
        **_image(source, target),
        "groups": groups,
        **_window(window),
        "sums": int(sums),
        "low": low,
        "high": high,
    }
    taps = by_channel.shape[1]
    portable = _call(
        site,
        "conv2d_s16",
        source,
        target,
        params,
        (site.constant("weights", "int8_t", weights.tobytes()), quant),
        target.count * (_BY_MAC[sums] * taps + 30),
        scratch_bytes=4 * taps,
    )
    return _fastest(site, portable, params, by_channel, quant, sums)


def _fastest(
    site: Site,
    portable: Lowering,
    params: dict[str, ParamValue],
    weights: NDArray[np.int8],
    quant: Constant,
    sums: Sums,
) -> Lowering:
    call, _ = portable
    assert isinstance(call, KernelCall)
    offers = {
        kernel.flavour: partial(fast_layer, site, call, params, weights, quant, sums, kernel)
        for kernel in KERNELS
    }
    return fastest(site, offers, portable)


def depthwise(site: Site) -> Lowering:
    """DEPTHWISE_CONV_2D. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(2, 3))
    source, given, target, wanted = _ends(site)
    filters = site.input(1)
    weights = weight_array(site, filters)
    site.require(
        weights.ndim == 4 and weights.shape[0] == 1,
        f"its weights have shape {list(filters.shape)}",
    )
    window = slide(site, source, target, (weights.shape[1], weights.shape[2]), dilated=True)
    channels = target.shape[3]
    multiplier = channels // source.shape[3]
    site.require(
        weights.shape[3] == channels and channels == multiplier * source.shape[3],
        f"{weights.shape[3]} filters make {channels} of {source.shape[3]} channels",
    )
    by_channel = weights.reshape(-1, channels).T
    # The reference reads any bias as int64.
    bias = wide_bias(site, 2, channels, (DType.INT64,))
    pairs = channel_multipliers(site, given, weight_scales(site, filters, axis=3), wanted)
    sums, quant = _quant(site, by_channel, bias, pairs)
    low, high = fused_range(site, wanted, wide=True)
    params = {
        **_image(source, target),
        "multiplier": multiplier,
        **_window(window),
        "sums": int(sums),
        "low": low,
        "high": high,
    }
    return _call(
        site,
        "depthwise_conv2d_s16",
        source,
        target,
        params,
        (site.constant("weights", "int8_t", weights.tobytes()), quant),
        target.count * (6.5 * by_channel.shape[1] + 45),
    )


def dense(site: Site) -> Lowering:
    """FULLY_CONNECTED. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(2, 3))
    source, given, target, wanted = _ends(site)
    filters = site.input(1)
    layout = site.word("weights_format", "DEFAULT")
    site.require(layout == "DEFAULT", f"weights format {layout}")
    weights = weight_array(site, filters)
    site.require(weights.ndim == 2, f"its weights have shape {list(filters.shape)}")
    outputs, depth = weights.shape
    rows = source.count // depth
    site.require(
        source.count == rows * depth and target.count == rows * outputs,
        f"shapes {list(source.shape)}, {list(filters.shape)} and {list(target.shape)}",
    )
    scales = weight_scales(site, filters, axis=0)
    if len(scales) == 1:
        # The reference forms this one product in float32.
        product = float(np.float32(given.scale) * np.float32(scales[0]))
        pairs = [checked_multiplier(site, product / single(wanted.scale))]
    else:
        pairs = channel_multipliers(site, given, scales, wanted)
    bias = wide_bias(site, 2, outputs, (DType.INT64, DType.INT32))
    sums, quant = _quant(site, weights, bias, pairs)
    low, high = fused_range(site, wanted, wide=True)
    params: dict[str, ParamValue] = {
        "rows": rows,
        "in_c": depth,
        "out_c": outputs,
        "sums": int(sums),
        "low": low,
        "high": high,
    }
    portable = _call(
        site,
        "fully_connected_s16",
        source,
        target,
        params,
        (site.constant("weights", "int8_t", weights.tobytes()), quant),
        rows * outputs * (4.5 * depth + 35),
    )
    # A dense layer is a 1x1 convolution over its rows.
    image = dict.fromkeys(("batches", "in_h", "out_h", "groups"), 1)
    image |= dict.fromkeys(("kernel_h", "kernel_w", "stride_h", "stride_w"), 1)
    image |= dict.fromkeys(("dilation_h", "dilation_w"), 1)
    image |= {"in_w": rows, "out_w": rows, "in_c": depth, "out_c": outputs}
    image |= {"pad_top": 0, "pad_left": 0, "sums": int(sums), "low": low, "high": high}
    return _fastest(site, portable, dict(image), weights, quant, sums)


def transpose_convolution(site: Site) -> Lowering:
    """TRANSPOSE_CONV. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(3, 4))
    source, given, target, wanted = _ends(site, 2)
    filters = site.input(1)
    turned_shape(site, target)
    weights = weight_array(site, filters)
    shape = turn(site, source, target, filters, weights.shape)
    channels, (kernel_h, kernel_w) = shape.channels, shape.kernel
    by_channel = weights.reshape(channels, -1)
    bias = wide_bias(site, 3, channels, (DType.INT64, DType.INT16))
    pairs = channel_multipliers(site, given, weight_scales(site, filters, axis=0), wanted)
    sums, quant = _quant(site, by_channel, bias, pairs)
    low, high = fused_range(site, wanted, wide=True)
    params: dict[str, ParamValue] = {
        **_image(source, target),
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": shape.stride[0],
        "stride_w": shape.stride[1],
        "pad_top": shape.pad[0],
        "pad_left": shape.pad[1],
        "sums": int(sums),
        "low": low,
        "high": high,
    }
    macs = source.count * channels * kernel_h * kernel_w
    return _call(
        site,
        "transpose_conv_s16",
        source,
        target,
        params,
        (site.constant("weights", "int8_t", weights.tobytes()), quant),
        5 * macs + 60 * target.count,
    )
