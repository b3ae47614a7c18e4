"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.lower import dsp, mve, wide_layer
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.call import Kernel, image_params, layer_call
from npubench.compiler.lower.choice import fastest
from npubench.compiler.lower.grouped import grouped_convolution
from npubench.compiler.lower.layer import Layer, settle
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site
from npubench.compiler.lower.weights import (
    bias_array,
    channel_multipliers,
    fold_offset,
    quant_table,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.window import Window, slide
from npubench.compiler.plan import ParamValue


def _window_params(window: Window) -> dict[str, ParamValue]:
    return {
        "kernel_h": window.kernel[0],
        "kernel_w": window.kernel[1],
        "stride_h": window.stride[0],
        "stride_w": window.stride[1],
        "dilation_h": window.dilation[0],
        "dilation_w": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
    }


def convolution_layer(site: Site) -> Layer:
    """CONV_2D in numbers. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(2, 3))
    source, filters, target = site.activation(0), site.input(1), site.output()
    site.quantization(source, "the input")
    site.quantization(target, "the output")
    weights = weight_array(site, filters)
    site.require(weights.ndim == 4, f"its weights have shape {list(filters.shape)}")
    window = slide(site, source, target, (weights.shape[1], weights.shape[2]), dilated=True)
    channels = target.shape[3]
    site.require(
        weights.shape[0] == channels, f"{weights.shape[0]} filters for {channels} channels"
    )
    site.require(
        weights.shape[3] == source.shape[3],
        f"filters of {weights.shape[3]} channels on {source.shape[3]} (grouped convolution)",
    )
    return _layer(site, weights, weights.reshape(channels, -1), window, axis=0)


def depthwise_layer(site: Site) -> Layer:
    """DEPTHWISE_CONV_2D in numbers. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(2, 3))
    source, filters, target = site.activation(0), site.input(1), site.output()
    site.quantization(source, "the input")
    site.quantization(target, "the output")
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
    return _layer(site, weights[0], weights.reshape(-1, channels).T, window, axis=3)


def _layer(
    site: Site,
    weights: NDArray[np.int8],
    by_channel: NDArray[np.int8],
    window: Window,
    *,
    axis: Literal[0, 3],
) -> Layer:
    """What both have: bias with the input's offset, a scale of each channel, limits. ``axis``: of
    the weights, along which output channels lie; 3 in a depthwise layer."""
    source, filters, target = site.activation(0), site.input(1), site.output()
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
    channels = target.shape[3]
    scales = weight_scales(site, filters, axis=axis)
    bias = fold_offset(site, by_channel, bias_array(site, 2, channels), given.zero_point)
    pairs = channel_multipliers(site, given, scales, wanted)
    low, high = fused_range(site, wanted)
    return Layer(
        source=source,
        target=target,
        weights=weights,
        depthwise=axis == 3,
        bias=bias,
        pairs=tuple(pairs if len(pairs) == channels else pairs * channels),
        window=window,
        input_zero=given.zero_point,
        output_zero=wanted.zero_point,
        low=low,
        high=high,
    )


def _convolution(site: Site) -> Lowering:
    if site.is_wide():
        return wide_layer.convolution(site)
    site.arity(inputs=(2, 3))
    source, filters = site.activation(0), site.input(1)
    if len(filters.shape) == len(source.shape) == 4 and filters.shape[3] != source.shape[3]:
        return grouped_convolution(site)
    layer = convolution_layer(site)
    portable = _portable(site, layer, quant_table(layer.bias, list(layer.pairs)))
    settled = settle(layer)
    offers = {
        mve.FLAVOUR: partial(mve.convolution, site, settled),
        dsp.FLAVOUR: partial(dsp.convolution, site, settled),
    }
    return fastest(site, offers, portable)


def _portable(site: Site, layer: Layer, table: bytes) -> Lowering:
    source, target, weights, window = layer.source, layer.target, layer.weights, layer.window
    constants = (
        site.constant("weights", "int8_t", weights.tobytes()),
        site.constant("quant", "int32_t", table),
    )
    choice = Choice(reason="", instructions=round(2.6 * layer.macs + 28 * target.count))
    if window.kernel == (1, 1) and window.stride == (1, 1):
        params: dict[str, ParamValue] = {
            "pixels": source.count // source.shape[3],
            "in_c": source.shape[3],
            "out_c": layer.channels,
            **_output_params(layer),
        }
        kernel = Kernel(name="nb_conv1x1_s8", source="conv2d_s8.c")
        return layer_call(site, layer, kernel, params, constants, choice=choice)
    return layer_call(
        site,
        layer,
        Kernel(name="nb_conv2d_s8", source="conv2d_s8.c", scratch="void"),
        {
            **image_params(layer),
            **_window_params(window),
            "input_zero": layer.input_zero,
            **_output_params(layer),
        },
        constants,
        scratch_bytes=2 * layer.by_channel.shape[1],
        choice=choice,
    )


def _output_params(layer: Layer) -> dict[str, ParamValue]:
    return {"output_zero": layer.output_zero, "low": layer.low, "high": layer.high}


def _depthwise(site: Site) -> Lowering:
    if site.is_wide():
        return wide_layer.depthwise(site)
    layer = depthwise_layer(site)
    portable = _portable_depthwise(site, layer, quant_table(layer.bias, list(layer.pairs)))
    settled = settle(layer)
    offers = {
        mve.FLAVOUR: partial(mve.depthwise, site, settled),
        dsp.FLAVOUR: partial(dsp.depthwise, site, settled),
    }
    return fastest(site, offers, portable)


def _portable_depthwise(site: Site, layer: Layer, table: bytes) -> Lowering:
    source, target = layer.source, layer.target
    taps = layer.by_channel.shape[1]
    return layer_call(
        site,
        layer,
        Kernel(name="nb_depthwise_conv2d_s8", source="depthwise_conv2d_s8.c", scratch="void"),
        {
            **image_params(layer),
            "multiplier": layer.channels // source.shape[3],
            **_window_params(layer.window),
            "input_zero": layer.input_zero,
            **_output_params(layer),
        },
        (
            site.constant("weights", "int8_t", layer.weights.tobytes()),
            site.constant("quant", "int32_t", table),
        ),
        scratch_bytes=taps * source.shape[3] if layer.window.leaves_input else 0,
        choice=Choice(reason="", instructions=round(4 * layer.macs + 28 * target.count)),
    )


LOWERINGS: dict[str, LoweringFunction] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
}
