"""FULLY_CONNECTED."""

from __future__ import annotations

from functools import partial

import numpy as np

from npubench.compiler.lower import dsp, mve, wide_layer
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.choice import fastest
from npubench.compiler.lower.layer import Layer
from npubench.compiler.lower.requant import single
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import (
    bias_array,
    channel_multipliers,
    checked_multiplier,
    fold_offset,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.window import POINT
from npubench.compiler.plan import ConstantArg, KernelCall


def _fully_connected(site: Site) -> Lowering:
    if site.is_wide():
        return wide_layer.dense(site)
    site.arity(inputs=(2, 3))
    source, filters, target = site.activation(0), site.input(1), site.output()
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
    layout = site.word("weights_format", "DEFAULT")
    site.require(layout == "DEFAULT", f"weights format {layout}")
    weights = weight_array(site, filters)
    site.require(weights.ndim == 2, f"its weights have shape {list(filters.shape)}")
    outputs, depth = weights.shape
    batches = source.count // depth
    site.require(
        source.count == batches * depth and target.count == batches * outputs,
        f"shapes {list(source.shape)}, {list(filters.shape)} and {list(target.shape)}",
    )
    bias = fold_offset(site, weights, bias_array(site, 2, outputs), given.zero_point)
    scales = weight_scales(site, filters, axis=0)
    low, high = fused_range(site, wanted)
    constants = [
        site.constant("weights", "int8_t", weights.tobytes()),
        site.constant("bias", "int32_t", bias.astype("<i4").tobytes()),
    ]
    if len(scales) == 1:
        # The reference forms this one product in float32.
        product = float(np.float32(given.scale) * np.float32(scales[0]))
        multiplier, shift = checked_multiplier(site, product / single(wanted.scale))
        pairs = [(multiplier, shift)]
        scales_arg = ConstantArg(constant=None)
    else:
        multiplier, shift = 0, 0
        pairs = channel_multipliers(site, given, scales, wanted)
        table = np.array(pairs, dtype="<i4")
        constants.append(site.constant("scales", "int32_t", table.tobytes()))
        scales_arg = ConstantArg(constant=constants[-1].name)
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_fully_connected_s8",
        source="fully_connected_s8.c",
        params_type="nb_fully_connected_s8_params",
        params=(
            ("batches", batches),
            ("in_c", depth),
            ("out_c", outputs),
            ("multiplier", multiplier),
            ("shift", shift),
            ("output_zero", wanted.zero_point),
            ("low", low),
            ("high", high),
        ),
        args=(
            read(source),
            ConstantArg(constant=constants[0].name),
            ConstantArg(constant=constants[1].name),
            scales_arg,
            write(target),
        ),
        choice=Choice(reason="", instructions=round(2.9 * weights.size + 30 * outputs) * batches),
    )
    layer = Layer(
        source=source,
        target=target,
        weights=weights,
        depthwise=False,
        bias=bias,
        pairs=tuple(pairs if len(pairs) == outputs else pairs * outputs),
        window=POINT,
        input_zero=given.zero_point,
        output_zero=wanted.zero_point,
        low=low,
        high=high,
    )
    offers = {
        mve.FLAVOUR: partial(mve.dense, site, layer),
        dsp.FLAVOUR: partial(dsp.dense, site, layer),
    }
    return fastest(site, offers, (call, tuple(constants)))


LOWERINGS: dict[str, LoweringFunction] = {"FULLY_CONNECTED": _fully_connected}
