"""Which operators go to CMSIS-NN, and how: in the arithmetic of the project's own lowerings."""

from __future__ import annotations

import numpy as np

from npubench.compiler.graph import Graph, Op
from npubench.compiler.lower import lower_op
from npubench.compiler.lower.convolution import convolution_layer, depthwise_layer
from npubench.compiler.lower.layer import Layer
from npubench.compiler.lower.site import PORTABLE, Lowering, Site
from npubench.compiler.lower.weights import bias_array
from npubench.compiler.plan import (
    Arg,
    Choice,
    Constant,
    ConstantArg,
    KernelCall,
    Lowered,
    ParamValue,
    ScratchArg,
)

FLAVOUR = "cmsis_nn"
_SCRATCH = ScratchArg()
_MVE_BLOCK = 124  # channels of a block of its depthwise kernel for Helium


def lower_to_cmsis_nn(
    graph: Graph, op: Op, *, helium: bool
) -> tuple[Lowered, tuple[Constant, ...]]:
    """The operator as a call of CMSIS-NN, or of a portable kernel where CMSIS-NN has none.

    Raises UnsupportedOp as the portable lowering does.
    """
    portable = lower_op(graph, op, flavours=(PORTABLE,))
    call, constants = portable
    if not isinstance(call, KernelCall):
        return portable
    site = Site(graph=graph, op=op)
    match call.kernel:
        case "nb_conv2d_s8" | "nb_conv1x1_s8":
            return _convolution(site, convolution_layer(site))
        case "nb_depthwise_conv2d_s8":
            return _depthwise(site, depthwise_layer(site), helium=helium)
        case "nb_fully_connected_s8":
            return _dense(site, call, constants, helium=helium)
        case "nb_average_pool_s8" | "nb_max_pool_s8":
            return _pool(call, constants)
        case "nb_add_s8" | "nb_mul_s8" if _alike(site):
            return _elementwise(site, call, constants)
        case "nb_softmax_s8":
            return _call(
                call, "nb_cmsis_softmax", "elementwise_cmsis_nn.c", "softmax", dict(call.params)
            ), constants
    return portable


def _call(
    call: KernelCall,
    kernel: str,
    source: str,
    kind: str,
    params: dict[str, ParamValue],
    *,
    args: tuple[Arg, ...] | None = None,
    scratch_bytes: int = 0,
) -> KernelCall:
    """A call of ours in the place of ``call``."""
    return KernelCall(
        op_index=call.op_index,
        kernel=kernel,
        source=source,
        flavour=FLAVOUR,
        params_type=f"nb_cmsis_{kind}_params",
        params=tuple(params.items()),
        args=call.args if args is None else args,
        scratch_bytes=scratch_bytes,
        choice=Choice(reason="CMSIS-NN"),
    )


def _windowed(site: Site, layer: Layer, kernel: str, scratch: int, multiplier: int) -> Lowering:
    source, target, window = layer.source, layer.target, layer.window
    channels = layer.channels
    bias = bias_array(site, 2, channels)
    pairs = np.array(layer.pairs, dtype="<i4")
    constants = [
        site.constant("weights", "int8_t", layer.weights.tobytes()),
        site.constant("multiplier", "int32_t", pairs[:, 0].tobytes()),
        site.constant("shift", "int32_t", pairs[:, 1].tobytes()),
        site.constant("bias", "int32_t", bias.astype("<i4").tobytes()),
    ]
    names = {item.name.rpartition("_")[2]: ConstantArg(constant=item.name) for item in constants}
    params: dict[str, ParamValue] = {
        "batches": source.shape[0],
        "in_h": source.shape[1],
        "in_w": source.shape[2],
        "in_c": source.shape[3],
        "out_h": target.shape[1],
        "out_w": target.shape[2],
        "out_c": channels,
        "depth_multiplier": multiplier,
        "kernel_h": window.kernel[0],
        "kernel_w": window.kernel[1],
        "stride_h": window.stride[0],
        "stride_w": window.stride[1],
        "dilation_h": window.dilation[0],
        "dilation_w": window.dilation[1],
        "pad_top": window.pad[0],
        "pad_left": window.pad[1],
        "input_zero": layer.input_zero,
        "output_zero": layer.output_zero,
        "low": layer.low,
        "high": layer.high,
        "scratch_bytes": scratch,
    }
    (read_arg, *_, write_arg) = lower_args(site)
    call = KernelCall(
        op_index=site.op.index,
        kernel=kernel,
        source="conv_cmsis_nn.c",
        flavour=FLAVOUR,
        params_type="nb_cmsis_conv2d_params",
        params=tuple(params.items()),
        args=(
            read_arg,
            names["weights"],
            names["bias"],
            names["multiplier"],
            names["shift"],
            _SCRATCH,
            write_arg,
        ),
        scratch_bytes=scratch,
        choice=Choice(reason="CMSIS-NN"),
    )
    return call, tuple(constants)


def lower_args(site: Site) -> tuple[Arg, Arg]:
    """The input read and the output written, of an operator with one of each."""
    from npubench.compiler.lower.site import read, write

    return read(site.activation(0)), write(site.output())


def _columns_bytes(layer: Layer) -> int:
    """What its im2col takes: four columns of a window in whole vectors, on any core."""
    depth = layer.window.kernel[0] * layer.window.kernel[1] * layer.source.shape[3]
    return 4 * -(-depth // 16) * 16


def _convolution(site: Site, layer: Layer) -> Lowering:
    point = layer.window.kernel == (1, 1) and layer.window.pad == (0, 0)
    return _windowed(site, layer, "nb_cmsis_conv2d", 0 if point else _columns_bytes(layer), 0)


def _depthwise(site: Site, layer: Layer, *, helium: bool) -> Lowering:
    taps = layer.window.kernel[0] * layer.window.kernel[1]
    in_c = layer.source.shape[3]
    if helium:
        scratch = max(4 * _MVE_BLOCK * taps, 0)
        if in_c == 1:  # as a convolution, with its weights turned
            scratch = max(scratch, _columns_bytes(layer) + taps * layer.channels)
    else:
        scratch = 2 * in_c * taps
    return _windowed(
        site, layer, "nb_cmsis_depthwise", scratch, layer.channels // layer.source.shape[3]
    )


def _dense(
    site: Site, call: KernelCall, constants: tuple[Constant, ...], *, helium: bool
) -> Lowering:
    values = dict(call.params)
    outputs = int(_number(values, "out_c"))
    weights, sums = constants[0], constants[1]
    bias = site.constant("raw", "int32_t", bias_array(site, 2, outputs).astype("<i4").tobytes())
    given = site.quantization(site.input(0), "the input")
    params: dict[str, ParamValue] = {
        "batches": values["batches"],
        "in_c": values["in_c"],
        "out_c": outputs,
        "multiplier": values["multiplier"],
        "shift": values["shift"],
        "input_zero": given.zero_point,
        "output_zero": values["output_zero"],
        "low": values["low"],
        "high": values["high"],
    }
    kept = [weights, bias, *((sums,) if helium else ())]
    args: list[Arg] = [
        call.args[0],
        ConstantArg(constant=weights.name),
        ConstantArg(constant=bias.name),
        ConstantArg(constant=sums.name if helium else None),
    ]
    kernel = "nb_cmsis_fully_connected"
    if len(constants) == 3:
        pairs = np.frombuffer(constants[2].data, dtype="<i4").reshape(-1, 2)
        for name, column in (("multiplier", 0), ("shift", 1)):
            kept.append(site.constant(name, "int32_t", pairs[:, column].tobytes()))
            args.append(ConstantArg(constant=kept[-1].name))
        kernel = "nb_cmsis_fully_connected_channels"
    args.append(call.args[-1])
    return _call(
        call, kernel, "dense_cmsis_nn.c", "fully_connected", params, args=tuple(args)
    ), tuple(kept)


def _pool(call: KernelCall, constants: tuple[Constant, ...]) -> Lowering:
    average = call.kernel == "nb_average_pool_s8"
    params = dict(call.params)
    scratch = 4 * _number(params, "channels") if average else 0
    params["scratch_bytes"] = scratch
    return _call(
        call,
        "nb_cmsis_average_pool" if average else "nb_cmsis_max_pool",
        "pool_cmsis_nn.c",
        "pool",
        params,
        args=(call.args[0], _SCRATCH, call.args[1]),
        scratch_bytes=scratch,
    ), constants


def _alike(site: Site) -> bool:
    """Whether both inputs have the output's shape: CMSIS-NN does not broadcast."""
    shape = site.output().shape
    return all(site.input(position).shape == shape for position in (0, 1))


_ELEMENTWISE = (
    "zero1", "zero2", "multiplier1", "shift1", "multiplier2", "shift2", "left_shift",
    "multiplier", "shift", "output_zero", "low", "high",
)  # fmt: skip


def _elementwise(site: Site, call: KernelCall, constants: tuple[Constant, ...]) -> Lowering:
    values = dict(call.params)
    params: dict[str, ParamValue] = {"count": site.output().count}
    params |= {name: values.get(name, 0) for name in _ELEMENTWISE}
    name = "nb_cmsis_add" if call.kernel == "nb_add_s8" else "nb_cmsis_mul"
    return _call(call, name, "elementwise_cmsis_nn.c", "elementwise", params), constants


def _number(values: dict[str, ParamValue], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value
