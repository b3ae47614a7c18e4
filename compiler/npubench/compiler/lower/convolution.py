"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

from functools import partial

from npubench.compiler.graph import Tensor
from npubench.compiler.lower import dsp, mve
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.choice import fastest
from npubench.compiler.lower.layer import Layer, settle
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import (
    bias_array,
    channel_multipliers,
    fold_offset,
    quant_table,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.window import Window, slide
from npubench.compiler.plan import Constant, ConstantArg, KernelCall, ParamValue, ScratchArg


def _shape_params(source: Tensor, target: Tensor) -> dict[str, ParamValue]:
    return {
        "batches": source.shape[0],
        "in_h": source.shape[1],
        "in_w": source.shape[2],
        "in_c": source.shape[3],
        "out_h": target.shape[1],
        "out_w": target.shape[2],
        "out_c": target.shape[3],
    }


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
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
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
    flat = weights.reshape(channels, -1)
    scales = weight_scales(site, filters, axis=0)
    bias = fold_offset(site, flat, bias_array(site, 2, channels), given.zero_point)
    pairs = channel_multipliers(site, given, scales, wanted)
    low, high = fused_range(site, wanted)
    return Layer(
        source=source,
        target=target,
        weights=weights,
        depthwise=False,
        bias=bias,
        pairs=tuple(pairs if len(pairs) == channels else pairs * channels),
        window=window,
        input_zero=given.zero_point,
        output_zero=wanted.zero_point,
        low=low,
        high=high,
    )


def _convolution(site: Site) -> Lowering:
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
    channels = layer.channels
    constants = (
        site.constant("weights", "int8_t", weights.tobytes()),
        site.constant("quant", "int32_t", table),
    )
    output_params: dict[str, ParamValue] = {
        "output_zero": layer.output_zero,
        "low": layer.low,
        "high": layer.high,
    }
    choice = Choice(reason="", instructions=round(2.6 * layer.macs + 28 * target.count))
    if window.kernel == (1, 1) and window.stride == (1, 1):
        pixels = source.count // source.shape[3]
        params: dict[str, ParamValue] = {
            "pixels": pixels,
            "in_c": source.shape[3],
            "out_c": channels,
            **output_params,
        }
        return _call(
            site, "nb_conv1x1_s8", "conv2d_s8.c", params, source, target, constants, None, choice
        )
    params = {
        **_shape_params(source, target),
        **_window_params(window),
        "input_zero": layer.input_zero,
        **output_params,
    }
    scratch = 2 * layer.by_channel.shape[1]
    return _call(
        site, "nb_conv2d_s8", "conv2d_s8.c", params, source, target, constants, scratch, choice
    )


def depthwise_layer(site: Site) -> Layer:
    """DEPTHWISE_CONV_2D in numbers. Raises UnsupportedOp for a form that no kernel serves."""
    site.arity(inputs=(2, 3))
    source, filters, target = site.activation(0), site.input(1), site.output()
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
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
    flat = weights.reshape(-1, channels).T
    scales = weight_scales(site, filters, axis=3)
    bias = fold_offset(site, flat, bias_array(site, 2, channels), given.zero_point)
    pairs = channel_multipliers(site, given, scales, wanted)
    low, high = fused_range(site, wanted)
    return Layer(
        source=source,
        target=target,
        weights=weights[0],
        depthwise=True,
        bias=bias,
        pairs=tuple(pairs if len(pairs) == channels else pairs * channels),
        window=window,
        input_zero=given.zero_point,
        output_zero=wanted.zero_point,
        low=low,
        high=high,
    )


def _depthwise(site: Site) -> Lowering:
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
    params: dict[str, ParamValue] = {
        **_shape_params(source, target),
        "multiplier": layer.channels // source.shape[3],
        **_window_params(layer.window),
        "input_zero": layer.input_zero,
        "output_zero": layer.output_zero,
        "low": layer.low,
        "high": layer.high,
    }
    constants = (
        site.constant("weights", "int8_t", layer.weights.tobytes()),
        site.constant("quant", "int32_t", table),
    )
    taps = layer.by_channel.shape[1]
    return _call(
        site,
        "nb_depthwise_conv2d_s8",
        "depthwise_conv2d_s8.c",
        params,
        source,
        target,
        constants,
        taps * source.shape[3] if layer.window.leaves_input else 0,
        Choice(reason="", instructions=round(4 * layer.macs + 28 * target.count)),
    )


def _call(
    site: Site,
    kernel: str,
    source_file: str,
    params: dict[str, ParamValue],
    source: Tensor,
    target: Tensor,
    constants: tuple[Constant, ...],
    scratch_bytes: int | None,
    choice: Choice,
) -> Lowering:
    scratch = () if scratch_bytes is None else (ScratchArg(),)
    return (
        KernelCall(
            op_index=site.op.index,
            kernel=kernel,
            source=source_file,
            params_type=f"{kernel}_params",
            params=tuple(params.items()),
            args=(
                read(source),
                *(ConstantArg(constant=constant.name) for constant in constants),
                *scratch,
                write(target),
            ),
            scratch_bytes=scratch_bytes or 0,
            choice=choice,
        ),
        constants,
    )


LOWERINGS: dict[str, LoweringFunction] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
}
