"""Promise: what no kernel serves exactly is refused, by name, index, reason and where to add it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npubench.compiler.graph import DType, Graph, Op, OptionValue, Quantization, Tensor
from npubench.compiler.lower import SUPPORTED, lower_op
from npubench.compiler.lower.requant import high_mul, quantize_multiplier, requantize, shift_right
from npubench.compiler.plan import Alias, ConstantArg, KernelCall, TensorArg
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import UnsupportedOp
from npubench.core.paths import data_root
from support.operator_networks import networks

OPS = Path(__file__).resolve().parents[2] / "data" / "ops"
FIRMWARE = data_root() / "firmware"


def load(name: str) -> Graph:
    return read_tflite((OPS / f"{name}.tflite").read_bytes(), name=name)


def changed(graph: Graph, index: int, **fields: object) -> Graph:
    """The graph with one tensor changed."""
    tensors = list(graph.tensors)
    tensors[index] = replace(tensors[index], **fields)  # type: ignore[arg-type]
    return replace(graph, tensors=tuple(tensors))


def with_options(graph: Graph, **options: OptionValue) -> Graph:
    """The graph with options of its first operator changed."""
    op = replace(graph.ops[0], options=graph.ops[0].options | options)
    return replace(graph, ops=(op, *graph.ops[1:]))


def refused(graph: Graph) -> str:
    """The reason for which the graph's first operator is refused."""
    op = graph.ops[0]
    with pytest.raises(UnsupportedOp) as caught:
        lower_op(graph, op)
    assert caught.value.op == op.kind
    assert caught.value.index == op.index
    assert "npubench coverage" in caught.value.hint
    return caught.value.reason


def quantized(scale: float, zero: int) -> Quantization:
    return Quantization(scales=(scale,), zero_points=(zero,))


def test_an_unknown_operator_is_named() -> None:
    graph = load("dense")
    graph = replace(graph, ops=(replace(graph.ops[0], kind="CUMSUM", index=7),))
    assert refused(graph) == "there is no kernel for it"


def test_a_custom_operator_is_named_by_its_code() -> None:
    graph = load("dense")
    op = replace(graph.ops[0], kind="CUSTOM", custom_code="MyFilter")
    with pytest.raises(UnsupportedOp, match="CUSTOM MyFilter"):
        lower_op(graph, op)


@pytest.mark.parametrize("name", ["conv_3x3_same", "depthwise_3x3_same", "dense"])
def test_weights_must_be_constant_int8_and_symmetric(name: str) -> None:
    graph = load(name)
    weights = graph.ops[0].inputs[1]
    assert "not a constant" in refused(changed(graph, weights, data=None))
    assert "uint8" in refused(changed(graph, weights, dtype=DType.UINT8))
    count = len((graph.tensor(weights).quantization or quantized(1, 0)).scales)
    skewed = Quantization(
        scales=(0.1,) * count,
        zero_points=(1,) * count,
        axis=3 if name.startswith("depthwise") else 0,
    )
    assert "not symmetric" in refused(changed(graph, weights, quantization=skewed))
    assert "not quantized" in refused(changed(graph, weights, quantization=None))
    wrong = Quantization(scales=(0.1, 0.2), zero_points=(0, 0), axis=1)
    assert "along axis 1" in refused(changed(graph, weights, quantization=wrong))


def test_int16_activations_are_symmetric_and_not_mixed_with_int8() -> None:
    models = networks()
    graph = read_tflite(models["wide_conv_0"], name="wide")
    source, target = graph.inputs[0], graph.outputs[0]
    assert "zero point 3" in refused(changed(graph, source, quantization=quantized(0.1, 3)))
    assert "not int16" in refused(changed(graph, target, dtype=DType.INT8))
    assert "shifts to the left" in refused(changed(graph, source, quantization=quantized(9e4, 0)))
    graph = read_tflite(models["wide_depthwise_1"], name="wide")
    assert "its bias is int32" in refused(changed(graph, 2, dtype=DType.INT32))
    graph = read_tflite(models["wide_add_0_0"], name="wide")
    assert "int16 and int8" in refused(changed(graph, graph.inputs[1], dtype=DType.INT8))
    graph = read_tflite(models["wide_tanh_0"], name="wide")
    assert "not 2^-15" in refused(changed(graph, graph.outputs[0], quantization=quantized(0.1, 0)))


@pytest.mark.parametrize("name", ["conv_3x3_same", "depthwise_3x3_same", "dense"])
def test_activations_must_be_int8(name: str) -> None:
    graph = load(name)
    for index in (graph.inputs[0], graph.outputs[0]):
        assert "not int8" in refused(changed(graph, index, dtype=DType.UINT8))
        assert "not quantized" in refused(changed(graph, index, quantization=None))
        for scale in (0.0, float("nan"), float("inf"), -1.0):
            assert "scale" in refused(changed(graph, index, quantization=quantized(scale, 0)))
        assert "zero point" in refused(changed(graph, index, quantization=quantized(1.0, 200)))


@pytest.mark.parametrize("name", ["conv_3x3_same", "depthwise_3x3_same", "dense"])
def test_a_bias_that_could_overflow_is_refused(name: str) -> None:
    graph = load(name)
    bias = graph.ops[0].inputs[2]
    count = graph.tensor(bias).count
    for value in (2**31 - 1, -(2**31)):
        data = np.full(count, value, dtype="<i4").tobytes()
        assert "32 bits" in refused(changed(graph, bias, data=data))
    assert "int64" in refused(changed(graph, bias, dtype=DType.INT64, data=bytes(8 * count)))


def test_shapes_must_agree() -> None:
    graph = load("conv_3x3_same")
    output, source = graph.outputs[0], graph.inputs[0]
    assert "does not follow" in refused(changed(graph, output, shape=(1, 7, 7, 4)))
    assert "filters" in refused(changed(graph, output, shape=(1, 6, 7, 5)))
    assert "no whole groups" in refused(changed(graph, source, shape=(1, 6, 7, 7)))
    assert "batch" in refused(changed(graph, output, shape=(2, 6, 7, 4)))
    assert "four-dimensional" in refused(changed(graph, source, shape=(6, 7, 3)))
    assert "has shape" in refused(changed(graph, source, shape=(1, 0, 7, 3)))
    graph = load("dense")
    assert "shapes" in refused(changed(graph, graph.outputs[0], shape=(1, 13)))


def test_options_must_be_known() -> None:
    graph = load("conv_3x3_same")
    assert "TANH" in refused(with_options(graph, fused_activation_function="TANH"))
    assert "padding" in refused(with_options(graph, padding="REFLECT"))
    assert "stride" in refused(with_options(graph, stride_h=0))
    assert "dilation" in refused(with_options(graph, dilation_w_factor=-1))
    assert "stride_w" in refused(with_options(graph, stride_w="two"))
    dense = load("dense")
    assert "SHUFFLED" in refused(with_options(dense, weights_format="SHUFFLED4x16INT8"))


@pytest.mark.parametrize(
    "name",
    [
        "average_pool_2x2",
        "max_pool_2x2",
        "concatenation_channels",
        "pad_image",
        "slice_rows",
        "transpose_2d",
        "resize_up_0",
        "reshape",
        "minimum_channels",
        "relu6_0",
    ],
)
def test_moving_operators_do_not_rescale(name: str) -> None:
    """The reference copies codes, so that another scale at the output would be a wrong answer."""
    graph = load(name)
    output = graph.ops[0].outputs[0]
    reason = refused(changed(graph, output, quantization=quantized(0.01, 0)))
    assert "does not rescale" in reason


def test_fixed_output_scales() -> None:
    for name in ("softmax_0_10", "logistic_0", "tanh_0"):
        graph = load(name)
        reason = refused(changed(graph, graph.outputs[0], quantization=quantized(0.01, 0)))
        assert "scale 0.01" in reason


def test_rescaling_factors_outside_the_kernels_range() -> None:
    graph = load("add_channels")
    tiny = changed(graph, graph.outputs[0], quantization=quantized(1e-9, 0))
    assert "rescaling factor" in refused(tiny)
    graph = load("conv_3x3_same")
    tiny = changed(graph, graph.outputs[0], quantization=quantized(1e-15, 0))
    assert "scale 1e-15" in refused(tiny)


def test_broadcasts_must_fit() -> None:
    graph = load("add_channels")
    assert "shape" in refused(changed(graph, graph.inputs[1], shape=(4,)))
    assert "larger" in refused(changed(graph, graph.outputs[0], shape=(2, 3, 4, 5)))


def test_slices_must_select_what_the_output_holds() -> None:
    graph = load("slice_rows")
    assert "is not" in refused(changed(graph, graph.outputs[0], shape=(1, 3, 5, 3)))
    assert "ellipsis_mask" in refused(with_options(graph, ellipsis_mask=1))
    zero = np.zeros(4, dtype="<i4").tobytes()
    assert "step is zero" in refused(changed(graph, graph.ops[0].inputs[3], data=zero))


def test_pads_must_not_be_negative() -> None:
    graph = load("pad_vector")
    amounts = np.array([-1, 6], dtype="<i4").tobytes()
    assert "padded by -1" in refused(changed(graph, graph.ops[0].inputs[1], data=amounts))


def test_too_many_inputs_to_concatenate() -> None:
    graph = load("concatenation_ten")
    op = graph.ops[0]
    crowded = replace(graph, ops=(replace(op, inputs=(*op.inputs, op.inputs[0])),))
    assert "11 inputs" in refused(crowded)


def test_missing_inputs() -> None:
    graph = load("conv_3x3_same")
    op = graph.ops[0]
    assert "has 1 inputs" in refused(replace(graph, ops=(replace(op, inputs=op.inputs[:1]),)))
    gone = replace(op, inputs=(op.inputs[0], -1, op.inputs[2]))
    assert "input 1 is missing" in refused(replace(graph, ops=(gone,)))


def test_long_softmax_rows() -> None:
    shape = (1, 5000)
    tensors = tuple(
        Tensor(
            index=index,
            name=name,
            shape=shape,
            dtype=DType.INT8,
            quantization=quantization,
            data=None,
        )
        for index, name, quantization in (
            (0, "x", quantized(0.1, 0)),
            (1, "y", quantized(1 / 256, -128)),
        )
    )
    op = Op(index=0, kind="SOFTMAX", inputs=(0,), outputs=(1,), options={"beta": 1.0})
    graph = Graph(name="long", sha256="", tensors=tensors, ops=(op,), inputs=(0,), outputs=(1,))
    assert "4095" in refused(graph)


@pytest.mark.parametrize("path", sorted(OPS.glob("*.tflite")), ids=lambda path: path.stem)
def test_calls_agree_with_the_header(path: Path) -> None:
    """Kernel, source, parameters' type, field order and number of pointers exist in the C code."""
    graph = read_tflite(path.read_bytes(), name=path.stem)
    header = (FIRMWARE / "include" / "nb_kernels.h").read_text(encoding="utf-8")
    for op in graph.ops:
        step, constants = lower_op(graph, op)
        if isinstance(step, Alias):
            assert constants == ()
            continue
        assert isinstance(step, KernelCall)
        source = FIRMWARE / "kernels" / "portable" / step.source
        assert f"void {step.kernel}(" in source.read_text(encoding="utf-8")
        declared = re.search(rf"void {step.kernel}\(([^)]*)\);", header)
        assert declared is not None
        assert declared.group(1).count(",") == len(step.args)
        bodies = re.findall(r"typedef struct \{([^}]*)\} (\w+);", header)
        body = {name: text for text, name in bodies}[step.params_type]
        fields = [
            field.strip().split("[")[0]
            for line in re.findall(r"u?int32_t ([^;]*);", body)
            for field in line.split(",")
        ]
        assert fields == [name for name, _ in step.params]
        owned = {constant.name for constant in constants}
        used = {
            arg.constant
            for arg in step.args
            if isinstance(arg, ConstantArg) and arg.constant is not None
        }
        assert used == owned
        for arg in step.args:
            if isinstance(arg, TensorArg):
                assert not graph.tensor(arg.tensor).is_constant


def test_supported_holds_the_promised_operators() -> None:
    promised = (
        "CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED AVERAGE_POOL_2D MAX_POOL_2D ADD SUB MUL RESHAPE "
        "SQUEEZE EXPAND_DIMS PAD MEAN CONCATENATION SOFTMAX LOGISTIC TANH RELU RELU6 LEAKY_RELU "
        "HARD_SWISH QUANTIZE DEQUANTIZE STRIDED_SLICE TRANSPOSE RESIZE_NEAREST_NEIGHBOR"
    )
    assert set(promised.split()) <= SUPPORTED


def test_multipliers() -> None:
    assert quantize_multiplier(0.0) == (0, 0)
    assert quantize_multiplier(1.0) == (1 << 30, 1)
    assert quantize_multiplier(0.5) == (1 << 30, 0)
    assert quantize_multiplier(1.0 - 2.0**-40) == (1 << 30, 1)  # rounds up to a power of two
    assert quantize_multiplier(2.0**-32) == (1 << 30, -31)
    assert quantize_multiplier(2.0**-33) == (0, 0)  # flushed
    assert quantize_multiplier(1e-11) == (0, 0)


def test_two_roundings() -> None:
    assert high_mul(-(2**31), -(2**31)) == 2**31 - 1
    assert high_mul(1, 1 << 30) == 1  # a tie goes up
    assert high_mul(-1, 1 << 30) == 0
    assert [shift_right(value, 1) for value in (-3, -1, 1, 3)] == [-2, -1, 1, 2]  # ties go away
    # 0.499... rounds to 0.5 first and then to 1: one rounding would give 0.
    assert requantize((1 << 30) - 1, 1 << 30, -29) == 1
