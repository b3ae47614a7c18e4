"""TRANSPOSE_CONV, BATCH_MATMUL and SVDF: products of inputs and weights in other orders."""

from __future__ import annotations

import numpy as np

from npubench.compiler.graph import DType, Tensor
from npubench.compiler.lower import wide_layer
from npubench.compiler.lower.activation import fused_range
from npubench.compiler.lower.requant import INT32_MAX, single
from npubench.compiler.lower.site import Choice, Lowering, LoweringFunction, Site, read, write
from npubench.compiler.lower.weights import (
    bias_array,
    channel_multipliers,
    checked_multiplier,
    fold_offset,
    quant_table,
    weight_array,
    weight_scales,
)
from npubench.compiler.lower.wide import wide_pair
from npubench.compiler.lower.window import turn, turned_shape
from npubench.compiler.plan import ConstantArg, KernelCall, ParamValue, TensorArg

_BATCH_DIMS = 3


def _transpose_conv(site: Site) -> Lowering:
    if site.is_wide(2):
        return wide_layer.transpose_convolution(site)
    site.arity(inputs=(3, 4))
    filters = site.input(1)
    source, target = site.activation(2), site.output()
    turned_shape(site, target)
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
    weights = weight_array(site, filters)
    shape = turn(site, source, target, filters, weights.shape)
    channels, depth, (kernel_h, kernel_w) = shape.channels, shape.depth, shape.kernel
    flat = weights.reshape(channels, -1)
    bias = bias_array(site, 3, channels)
    # Refuses sums that may exceed 32 bits; the offset stays with the input, whose taps differ.
    fold_offset(site, flat, bias, given.zero_point)
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
        "in_c": depth,
        "out_h": target.shape[1],
        "out_w": target.shape[2],
        "out_c": channels,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": shape.stride[0],
        "stride_w": shape.stride[1],
        "pad_top": shape.pad[0],
        "pad_left": shape.pad[1],
        "input_zero": given.zero_point,
        "output_zero": wanted.zero_point,
        "low": low,
        "high": high,
    }
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_transpose_conv_s8",
        source="transpose_conv_s8.c",
        params_type="nb_transpose_conv_s8_params",
        params=tuple(params.items()),
        args=(
            read(source),
            *(ConstantArg(constant=constant.name) for constant in constants),
            write(target),
        ),
        choice=Choice(reason="", instructions=6 * source.count * channels * kernel_h * kernel_w),
    )
    return call, constants


def _batch_matmul(site: Site) -> Lowering:
    site.arity(inputs=(2,))
    left, right, target = site.input(0), site.input(1), site.output()
    wide = site.is_wide()
    first, second = site.codes(left, "the left"), site.codes(right, "the right")
    wanted = site.codes(target, "the output")
    site.require(left.dtype is right.dtype is target.dtype, f"{left.dtype} to {target.dtype}")
    adj_x, adj_y = site.flag("adj_x"), site.flag("adj_y")
    rank = max(len(left.shape), len(right.shape))
    site.require(
        min(len(left.shape), len(right.shape)) >= 2 and rank <= _BATCH_DIMS + 2,
        f"shapes {list(left.shape)} and {list(right.shape)}",
    )
    shapes = [(1,) * (_BATCH_DIMS + 2 - len(item.shape)) + item.shape for item in (left, right)]
    rows, depth = shapes[0][-2:][::-1] if adj_x else shapes[0][-2:]
    inner, columns = shapes[1][-2:][::-1] if adj_y else shapes[1][-2:]
    dims = tuple(max(a, b) for a, b in zip(*(shape[:-2] for shape in shapes), strict=True))
    strides = []
    for shape in shapes:
        steps: list[int] = []
        step = shape[-2] * shape[-1]
        for size, full in zip(reversed(shape[:-2]), reversed(dims), strict=True):
            site.require(size in (1, full), f"shapes {list(left.shape)} and {list(right.shape)}")
            steps.insert(0, 0 if size == 1 else step)
            step *= size
        strides.append(tuple(steps))
    site.require(
        inner == depth and target.count == rows * columns * int(np.prod(dims)),
        f"shapes {list(left.shape)}, {list(right.shape)} and {list(target.shape)}",
    )
    # The reference forms this one product in float32.
    product = float(np.float32(first.scale) * np.float32(second.scale))
    multiplier, shift = checked_multiplier(site, product / single(wanted.scale))
    if wide:
        multiplier, shift = wide_pair(site, multiplier, shift)
        site.require(depth < 2**17, f"a sum of {depth} products may exceed 47 bits")
    else:
        site.require(depth * 255**2 <= INT32_MAX, f"a sum of {depth} products may exceed 32 bits")
    ctype = "int16_t" if wide else "int8_t"
    operands = (site.operand(left, "left", ctype), site.operand(right, "right", ctype))
    params: dict[str, ParamValue] = {
        "dims": dims,
        "left_stride": strides[0],
        "right_stride": strides[1],
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "left_row": 1 if adj_x else depth,
        "left_step": rows if adj_x else 1,
        "right_step": 1 if adj_y else columns,
        "right_column": depth if adj_y else 1,
        "left_zero": first.zero_point,
        "right_zero": second.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": wanted.zero_point,
    }
    if wide:
        params = {name: value for name, value in params.items() if not name.endswith("_zero")}
    kernel = "nb_batch_matmul_s16" if wide else "nb_batch_matmul_s8"
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel,
        source="fully_connected_s16.c" if wide else "batch_matmul_s8.c",
        params_type=f"{kernel}_params",
        params=tuple(params.items()),
        args=(operands[0].arg, operands[1].arg, write(target, ctype)),
        choice=Choice(reason="", instructions=target.count * (7 * depth + 30)),
    )
    return call, operands[0].constants + operands[1].constants


def _svdf(site: Site) -> Lowering:
    site.arity(inputs=(5,))
    source, target, state = site.activation(0), site.output(), site.input(4)
    features, time = site.input(1), site.input(2)
    given, wanted = site.quantization(source, "the input"), site.quantization(target, "the output")
    rank = site.integer("rank", 1)
    wide = state.dtype is DType.INT16
    site.require(
        state.dtype in (DType.INT8, DType.INT16) and time.dtype is state.dtype,
        f"its state is {state.dtype} and its weights over time {time.dtype}",
    )
    kept = {variable.tensor for variable in site.graph.variables}
    site.require(state.index in kept, "its state is no variable")
    weights = weight_array(site, features)
    site.require(
        weights.ndim == 2 and len(time.shape) == 2 and len(source.shape) == 2 and rank >= 1,
        f"its weights have shapes {list(features.shape)} and {list(time.shape)}",
    )
    filters, depth = weights.shape
    memory, batches = time.shape[1], source.shape[0]
    site.require(
        filters % rank == 0
        and source.shape[1] == depth
        and time.shape[0] == filters
        and state.count == batches * filters * memory
        and target.count == batches * (filters // rank),
        f"shapes {list(source.shape)}, {list(features.shape)}, {list(time.shape)}, "
        f"{list(state.shape)} and {list(target.shape)}, rank {rank}",
    )
    if time.data is None:
        site.fail("its weights over time are not a constant")
    site.require(depth * 255 * 128 <= INT32_MAX, f"a sum of {depth} products may exceed 32 bits")
    (features_scale,) = _scales(site, features)
    (time_scale,) = _scales(site, time)
    (state_scale,) = _scales(site, state)
    zero = 0 if state.quantization is None else state.quantization.zero_point
    first = checked_multiplier(
        site, single(given.scale) * single(features_scale) / single(state_scale)
    )
    second = checked_multiplier(
        site, single(state_scale) * single(time_scale) / single(wanted.scale)
    )
    constants = [
        site.constant("features", "int8_t", weights.tobytes()),
        site.constant("time", "int16_t" if wide else "int8_t", time.data),
    ]
    bias = site.optional_input(3)
    if bias is not None:
        values = bias_array(site, 3, filters // rank)
        constants.append(site.constant("bias", "int32_t", values.astype("<i4").tobytes()))
    params: dict[str, ParamValue] = {
        "batches": batches,
        "depth": depth,
        "units": filters // rank,
        "rank": rank,
        "memory": memory,
        "input_zero": given.zero_point,
        "state_zero": zero,
        "multiplier1": first[0],
        "shift1": first[1],
        "multiplier2": second[0],
        "shift2": second[1],
        "output_zero": wanted.zero_point,
    }
    call = KernelCall(
        op_index=site.op.index,
        kernel="nb_svdf_s16" if wide else "nb_svdf_s8",
        source="svdf.c",
        params_type="nb_svdf_params",
        params=tuple(params.items()),
        args=(
            read(source),
            ConstantArg(constant=constants[0].name),
            ConstantArg(constant=constants[1].name),
            ConstantArg(constant=constants[2].name if bias is not None else None),
            TensorArg(tensor=state.index, ctype="int16_t" if wide else "int8_t", const=False),
            write(target),
        ),
        choice=Choice(reason="", instructions=batches * filters * (6 * depth + 7 * memory)),
    )
    return call, tuple(constants)


def _scales(site: Site, tensor: Tensor) -> tuple[float]:
    quantization = tensor.quantization
    if quantization is None or len(quantization.scales) != 1:
        site.fail(f"tensor {tensor.index} has not one scale")
    return (quantization.scale,)


LOWERINGS: dict[str, LoweringFunction] = {
    "TRANSPOSE_CONV": _transpose_conv,
    "BATCH_MATMUL": _batch_matmul,
    "SVDF": _svdf,
}
