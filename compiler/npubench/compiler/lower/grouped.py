"""CONV_2D in groups: each output channel reads a part of the input's."""

from __future__ import annotations

import numpy as np

from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.site import Choice, Lowering, Site, read, write
from npubench.compiler.lower.weights import (
    bias_array,
    channel_multipliers,
    fold_offset,
    quant_table,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.window import slide
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue


def grouped_convolution(site: Site) -> Lowering:
    """The call of the grouped kernel. Raises UnsupportedOp for channels that make no groups."""
    site.arity(inputs=(2, 3))
    source, filters, target = site.activation(0), site.input(1), site.output()
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
    weights = weight_array(site, filters)
    window = slide(site, source, target, (weights.shape[1], weights.shape[2]), dilated=True)
    channels, depth, in_c = weights.shape[0], weights.shape[3], source.shape[3]
    groups = in_c // depth
    site.require(
        in_c == groups * depth and channels % groups == 0 and channels == target.shape[3],
        f"filters of {depth} channels on {in_c}, {channels} of them: no whole groups",
    )
    bias = bias_array(site, 2, channels)
    # Refuses sums that may exceed 32 bits; the offset stays with the input.
    fold_offset(site, weights.reshape(channels, -1), bias, given.zero_point)
    pairs = channel_multipliers(site, given, weight_scales(site, filters, axis=0), wanted)
    low, high = fused_range(site, wanted)
    constants = (
        site.constant("weights", "int8_t", weights.tobytes()),
        site.constant("quant", "int32_t", quant_table(bias.astype(np.int32), pairs)),
    )
    params: dict[str, ParamValue] = {
        "batches": source.shape[0],
        "in_h": source.shape[1],
        "in_w": source.shape[2],
        "in_c": in_c,
        "out_h": target.shape[1],
        "out_w": target.shape[2],
        "out_c": channels,
        "groups": groups,
        "kernel_h": window.kernel[0],
        "kernel_w": window.kernel[1],
        "stride_h": window.stride[0],
        "stride_w": window.stride[1],
        "dilation_h": window.dilation[0],
        "dilation_w": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
        "input_zero": given.zero_point,
        "output_zero": wanted.zero_point,
        "low": low,
        "high": high,
    }
    macs = target.count * window.kernel[0] * window.kernel[1] * depth
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_grouped_conv2d_s8",
        source="transpose_conv_s8.c",
        params_type="nb_grouped_conv2d_s8_params",
        params=tuple(params.items()),
        args=(
            read(source),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(target),
        ),
        choice=Choice(reason="no other kernel has groups", instructions=6 * macs),
    )
    return call, constants
