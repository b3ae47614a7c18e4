"""Write the single-operator int8 models of this folder.

Run from the root: ``.venv/bin/python tests/data/ops/make_ops.py``. Equal code gives equal
bytes. The models are assembled from the .tflite schema directly, so that every scale, zero point
and option can be chosen, extremes included; what a converter produces is covered by the networks
of the zoo and by the MLPerf Tiny reference models.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

FOLDER = Path(__file__).resolve().parent

TYPES: dict[str, Any] = {
    "int8": (schema.TensorType.INT8, np.int8),
    "uint8": (schema.TensorType.UINT8, np.uint8),
    "int32": (schema.TensorType.INT32, np.int32),
    "float32": (schema.TensorType.FLOAT32, np.float32),
}
NONE = schema.ActivationFunctionType.NONE
RELU = schema.ActivationFunctionType.RELU
RELU6 = schema.ActivationFunctionType.RELU6
RELU1 = schema.ActivationFunctionType.RELU_N1_TO_1
SAME = schema.Padding.SAME
VALID = schema.Padding.VALID


class Net:
    """A network under construction: tensors are numbered in the order of their making."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = "npubench operator test"
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.name = "main"
        self.graph.tensors = []
        self.graph.operators = []
        self.graph.inputs = []
        self.graph.outputs = []
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: Sequence[int],
        scale: float | Sequence[float] | None = None,
        zero: int = 0,
        *,
        dtype: str = "int8",
        data: NDArray[Any] | None = None,
        axis: int = 0,
    ) -> int:
        tensor = schema.TensorT()
        tensor.name = f"t{len(self.graph.tensors)}"
        tensor.shape = [int(size) for size in shape]
        tensor.type = TYPES[dtype][0]
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            raw = np.ascontiguousarray(data, dtype=TYPES[dtype][1]).tobytes()
            buffer.data = np.frombuffer(raw, dtype=np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scale is not None:
            scales = [scale] if isinstance(scale, float) else list(scale)
            quantization = schema.QuantizationParametersT()
            quantization.scale = np.array(scales, dtype=np.float32)
            quantization.zeroPoint = np.array([zero] * len(scales), dtype=np.int64)
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def input(self, *args: Any, **kwargs: Any) -> int:
        index = self.tensor(*args, **kwargs)
        self.graph.inputs.append(index)
        return index

    def output(self, *args: Any, **kwargs: Any) -> int:
        index = self.tensor(*args, **kwargs)
        self.graph.outputs.append(index)
        return index

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
    ) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs = list(inputs)
        operator.outputs = list(outputs)
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = options
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def bytes(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def filled(options: Any, **values: Any) -> Any:
    for name, value in values.items():
        assert hasattr(options, name), name
        setattr(options, name, value)
    return options


def generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def extent(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - reach) // stride + 1


Case = Callable[[np.random.Generator], Net]
CASES: dict[str, Case] = {}


def case(name: str, make: Case) -> None:
    assert name not in CASES, name
    CASES[name] = make


def weights_of(rng: np.random.Generator, shape: Sequence[int]) -> NDArray[np.int8]:
    return rng.integers(-127, 128, shape, dtype=np.int8)


def scales_of(rng: np.random.Generator, count: int, typical: float) -> list[float]:
    return [float(s) for s in typical * rng.uniform(0.2, 1.5, count)]


def convolution(
    shape: tuple[int, int, int, int],
    filters: int,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    padding: int = SAME,
    activation: int = NONE,
    bias: bool = True,
    per_channel: bool = True,
    zero: tuple[int, int] = (-7, 11),
    scales: tuple[float, float] = (0.05, 0.04),
    typical: float | None = None,
    depthwise: bool = False,
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        net = Net()
        batch, height, width, depth = shape
        taps = kernel[0] * kernel[1] * (1 if depthwise else depth)
        size = typical or 0.02 / np.sqrt(taps)
        weight_shape = (1, *kernel, filters) if depthwise else (filters, *kernel, depth)
        weight_scale = scales_of(rng, filters if per_channel else 1, size)
        x = net.input(shape, scales[0], zero[0])
        w = net.tensor(
            weight_shape,
            weight_scale,
            data=weights_of(rng, weight_shape),
            axis=3 if depthwise else 0,
        )
        inputs = [x, w]
        if bias:
            values = rng.integers(-20000, 20000, filters, dtype=np.int32)
            bias_scale = [s * scales[0] for s in weight_scale]
            inputs.append(net.tensor([filters], bias_scale, dtype="int32", data=values))
        out = [
            extent(n, k, s, d, padding)
            for n, k, s, d in zip((height, width), kernel, stride, dilation, strict=True)
        ]
        y = net.output([batch, *out, filters], scales[1], zero[1])
        options = schema.DepthwiseConv2DOptionsT() if depthwise else schema.Conv2DOptionsT()
        filled(
            options,
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            dilationHFactor=dilation[0],
            dilationWFactor=dilation[1],
            fusedActivationFunction=activation,
        )
        if depthwise:
            options.depthMultiplier = filters // depth
        net.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, [y], options)
        return net

    return make


def add_convolutions() -> None:
    case("conv_1x1", convolution((1, 5, 3, 8), 6, (1, 1)))
    case("conv_1x1_odd", convolution((1, 3, 3, 5), 7, (1, 1), activation=RELU))
    case("conv_1x1_one_pixel", convolution((1, 1, 1, 16), 10, (1, 1)))
    case("conv_1x1_stride2", convolution((1, 6, 5, 4), 4, (1, 1), stride=(2, 2)))
    case(
        "conv_1x1_stride2_valid", convolution((1, 6, 5, 4), 4, (1, 1), stride=(2, 2), padding=VALID)
    )
    case("conv_1x1_batch3", convolution((3, 2, 3, 4), 5, (1, 1)))
    case("conv_3x3_same", convolution((1, 6, 7, 3), 4, (3, 3)))
    case("conv_3x3_same_relu", convolution((1, 6, 7, 3), 4, (3, 3), activation=RELU))
    case("conv_3x3_same_relu6", convolution((1, 6, 7, 3), 4, (3, 3), activation=RELU6))
    case("conv_3x3_same_relu1", convolution((1, 4, 4, 3), 4, (3, 3), activation=RELU1))
    case("conv_3x3_valid", convolution((1, 6, 7, 3), 5, (3, 3), padding=VALID))
    case("conv_3x3_stride2", convolution((1, 7, 8, 3), 8, (3, 3), stride=(2, 2)))
    case(
        "conv_3x3_stride2_valid", convolution((1, 9, 8, 2), 3, (3, 3), stride=(2, 2), padding=VALID)
    )
    case("conv_3x3_stride2x1", convolution((1, 7, 8, 3), 3, (3, 3), stride=(2, 1)))
    case("conv_3x3_dilated", convolution((1, 9, 8, 3), 4, (3, 3), dilation=(2, 2)))
    case(
        "conv_3x3_dilated_valid",
        convolution((1, 9, 8, 3), 4, (3, 3), dilation=(2, 3), padding=VALID),
    )
    case("conv_3x3_dilated_rows", convolution((1, 9, 8, 3), 4, (3, 3), dilation=(3, 1)))
    case("conv_10x4_one_channel", convolution((1, 25, 10, 1), 8, (10, 4), stride=(2, 2)))
    case("conv_5x1", convolution((1, 9, 1, 4), 6, (5, 1)))
    case("conv_kernel_beyond_input", convolution((1, 2, 2, 3), 4, (5, 5)))
    case("conv_batch2", convolution((2, 3, 3, 2), 3, (3, 3)))
    case("conv_no_bias", convolution((1, 4, 4, 3), 4, (3, 3), bias=False))
    case("conv_per_tensor", convolution((1, 4, 4, 3), 4, (3, 3), per_channel=False))
    case("conv_one_filter", convolution((1, 5, 5, 3), 1, (3, 3)))
    case(
        "conv_extreme_zero", convolution((1, 5, 5, 3), 4, (3, 3), zero=(127, -128), activation=RELU)
    )
    case("conv_low_zero", convolution((1, 5, 5, 3), 4, (3, 3), zero=(-128, 127)))
    case(
        "conv_tiny_multiplier",
        convolution((1, 4, 4, 3), 4, (3, 3), scales=(1e-6, 1.0), typical=1e-5),
    )
    case(
        "conv_small_multiplier",
        convolution((1, 4, 4, 16), 4, (3, 3), scales=(1e-3, 1.0), typical=2e-3),
    )
    case(
        "conv_large_multiplier",
        convolution((1, 4, 4, 2), 4, (1, 1), scales=(0.5, 1e-3), typical=0.4),
    )
    case(
        "conv_huge_multiplier",
        convolution((1, 3, 3, 2), 4, (3, 3), scales=(8.0, 1e-5), typical=4.0),
    )
    for index in range(12):
        rng = generator(f"conv_random_{index}")
        kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        dilated = rng.random() < 0.3
        dilation = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if dilated else (1, 1)
        stride = (1, 1) if dilated else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        shape = (
            int(rng.integers(1, 3)),
            int(rng.integers(9, 13)),
            int(rng.integers(9, 13)),
            int(rng.integers(1, 9)),
        )
        case(
            f"conv_random_{index}",
            convolution(
                shape,
                int(rng.integers(1, 12)),
                kernel,
                stride=stride,
                dilation=dilation,
                padding=int(rng.choice([SAME, VALID])),
                activation=int(rng.choice([NONE, RELU, RELU6])),
                zero=(int(rng.integers(-128, 128)), int(rng.integers(-128, 128))),
                scales=(float(rng.uniform(0.005, 0.2)), float(rng.uniform(0.02, 0.2))),
            ),
        )


def depthwise(
    shape: tuple[int, int, int, int], multiplier: int, kernel: tuple[int, int], **rest: Any
) -> Case:
    return convolution(shape, shape[3] * multiplier, kernel, depthwise=True, **rest)


def add_depthwise() -> None:
    case("depthwise_3x3_same", depthwise((1, 6, 5, 8), 1, (3, 3)))
    case("depthwise_3x3_valid", depthwise((1, 6, 5, 8), 1, (3, 3), padding=VALID))
    case("depthwise_3x3_relu6", depthwise((1, 6, 5, 8), 1, (3, 3), activation=RELU6))
    case("depthwise_3x3_stride2", depthwise((1, 8, 7, 4), 1, (3, 3), stride=(2, 2)))
    case(
        "depthwise_3x3_stride2_even",
        depthwise((1, 8, 8, 4), 1, (3, 3), stride=(2, 2), activation=RELU),
    )
    case("depthwise_odd_channels", depthwise((1, 5, 5, 7), 1, (3, 3)))
    case("depthwise_one_channel", depthwise((1, 6, 6, 1), 1, (3, 3)))
    case("depthwise_multiplier", depthwise((1, 5, 6, 3), 4, (3, 3)))
    case("depthwise_multiplier_one_channel", depthwise((1, 9, 7, 1), 8, (5, 3), stride=(2, 2)))
    case("depthwise_dilated", depthwise((1, 9, 9, 5), 1, (3, 3), dilation=(2, 2)))
    case("depthwise_dilated_multiplier", depthwise((1, 9, 9, 2), 2, (3, 3), dilation=(2, 3)))
    case("depthwise_10x1_valid", depthwise((1, 14, 1, 8), 1, (10, 1), padding=VALID))
    case("depthwise_5x5", depthwise((2, 7, 7, 6), 1, (5, 5)))
    case("depthwise_1x1", depthwise((1, 4, 4, 6), 1, (1, 1)))
    case("depthwise_no_bias", depthwise((1, 4, 4, 5), 1, (3, 3), bias=False))
    case("depthwise_per_tensor", depthwise((1, 4, 4, 5), 1, (3, 3), per_channel=False))
    case("depthwise_extreme_zero", depthwise((1, 4, 4, 5), 1, (3, 3), zero=(127, -128)))
    case("depthwise_kernel_beyond_input", depthwise((1, 2, 3, 5), 1, (5, 5)))
    for index in range(8):
        rng = generator(f"depthwise_random_{index}")
        case(
            f"depthwise_random_{index}",
            depthwise(
                (1, int(rng.integers(6, 11)), int(rng.integers(6, 11)), int(rng.integers(1, 10))),
                int(rng.choice([1, 1, 1, 2, 3])),
                (int(rng.integers(1, 6)), int(rng.integers(1, 6))),
                stride=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
                padding=int(rng.choice([SAME, VALID])),
                activation=int(rng.choice([NONE, RELU, RELU6])),
                zero=(int(rng.integers(-128, 128)), int(rng.integers(-128, 128))),
            ),
        )


def dense(
    batches: int,
    depth: int,
    outputs: int,
    *,
    bias: bool = True,
    activation: int = NONE,
    per_channel: bool = False,
    shape: tuple[int, ...] | None = None,
    out_shape: tuple[int, ...] | None = None,
    keep: bool = False,
    scales: tuple[float, float] = (0.05, 0.06),
    typical: float = 0.004,
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        net = Net()
        weight_scale = scales_of(rng, outputs if per_channel else 1, typical)
        x = net.input(shape or (batches, depth), scales[0], -19)
        w = net.tensor((outputs, depth), weight_scale, data=weights_of(rng, (outputs, depth)))
        inputs = [x, w]
        if bias:
            values = rng.integers(-5000, 5000, outputs, dtype=np.int32)
            bias_scale = [float(np.float32(s) * np.float32(scales[0])) for s in weight_scale]
            inputs.append(net.tensor([outputs], bias_scale, dtype="int32", data=values))
        else:
            inputs.append(-1)
        y = net.output(out_shape or (batches, outputs), scales[1], 23)
        options = filled(
            schema.FullyConnectedOptionsT(), fusedActivationFunction=activation, keepNumDims=keep
        )
        net.op("FULLY_CONNECTED", inputs, [y], options)
        return net

    return make


def add_dense() -> None:
    case("dense", dense(1, 32, 12))
    case("dense_relu", dense(1, 33, 8, activation=RELU))
    case("dense_relu6", dense(1, 17, 9, activation=RELU6))
    case("dense_one", dense(1, 5, 1))
    case("dense_two", dense(1, 6, 2))
    case("dense_three", dense(1, 7, 3))
    case("dense_depth_one", dense(1, 1, 6))
    case("dense_batch", dense(4, 10, 6))
    case("dense_no_bias", dense(1, 20, 5, bias=False))
    case("dense_per_channel", dense(1, 20, 7, per_channel=True))
    case("dense_from_image", dense(1, 24, 5, shape=(1, 2, 3, 4)))
    case(
        "dense_keep_dimensions",
        dense(6, 4, 5, shape=(1, 2, 3, 4), out_shape=(1, 2, 3, 5), keep=True),
    )
    case("dense_tiny_multiplier", dense(1, 16, 5, scales=(1e-6, 1.0), typical=1e-5))
    case("dense_large_multiplier", dense(1, 16, 5, scales=(0.5, 0.001), typical=0.5))
    for index in range(8):
        rng = generator(f"dense_random_{index}")
        scales = (float(rng.uniform(0.001, 0.3)), float(rng.uniform(0.01, 0.3)))
        case(
            f"dense_random_{index}",
            dense(
                1,
                int(rng.integers(8, 60)),
                int(rng.integers(4, 20)),
                scales=scales,
                typical=float(rng.uniform(0.001, 0.02)),
            ),
        )


def pool(
    kind: str,
    shape: tuple[int, int, int, int],
    window: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: int = VALID,
    activation: int = NONE,
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, 0.05, -3)
        out = [
            extent(n, k, s, 1, padding) for n, k, s in zip(shape[1:3], window, stride, strict=True)
        ]
        y = net.output((shape[0], *out, shape[3]), 0.05, -3)
        options = filled(
            schema.Pool2DOptionsT(),
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
            filterHeight=window[0],
            filterWidth=window[1],
            fusedActivationFunction=activation,
        )
        net.op(kind, [x], [y], options)
        return net

    return make


def add_pools() -> None:
    for kind, name in (("AVERAGE_POOL_2D", "average_pool"), ("MAX_POOL_2D", "max_pool")):
        case(f"{name}_2x2", pool(kind, (1, 6, 6, 5), (2, 2), stride=(2, 2)))
        case(f"{name}_2x2_batch", pool(kind, (2, 4, 4, 3), (2, 2), stride=(2, 2)))
        case(f"{name}_same", pool(kind, (1, 7, 5, 4), (3, 3), stride=(2, 2), padding=SAME))
        case(f"{name}_overlap", pool(kind, (1, 6, 7, 3), (3, 2), padding=SAME, activation=RELU))
        case(f"{name}_global", pool(kind, (1, 9, 5, 8), (9, 5)))
        case(f"{name}_relu6", pool(kind, (1, 5, 5, 2), (2, 3), activation=RELU6))


BINARY_OPTIONS = {
    "ADD": schema.AddOptionsT,
    "SUB": schema.SubOptionsT,
    "MUL": schema.MulOptionsT,
    "MINIMUM": schema.MaximumMinimumOptionsT,
    "MAXIMUM": schema.MaximumMinimumOptionsT,
}


def binary(
    kind: str,
    first: tuple[int, ...],
    second: tuple[int, ...],
    *,
    quant: tuple[float, int, float, int, float, int] = (0.05, -7, 0.031, 12, 0.07, 3),
    activation: int = NONE,
    constant: int | None = None,
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        net = Net()
        q = quant
        if kind in ("MINIMUM", "MAXIMUM"):
            q = (0.05, -7) * 3
        inputs = []
        for position, shape in enumerate((first, second)):
            scale, zero = q[2 * position], q[2 * position + 1]
            if position == constant:
                data = rng.integers(-128, 128, shape, dtype=np.int8)
                inputs.append(net.tensor(shape, scale, zero, data=data))
            else:
                inputs.append(net.input(shape, scale, zero))
        y = net.output(np.broadcast_shapes(first, second), q[4], q[5])
        options = BINARY_OPTIONS[kind]()
        if hasattr(options, "fusedActivationFunction"):
            options.fusedActivationFunction = activation
        net.op(kind, inputs, [y], options)
        return net

    return make


def add_binaries() -> None:
    pairs = (256, 256)
    for kind in ("ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM"):
        name = kind.lower()
        case(f"{name}_all_pairs", binary(kind, pairs, pairs))
        case(f"{name}_channels", binary(kind, (1, 3, 4, 5), (5,)))
        case(f"{name}_channels_first", binary(kind, (1, 1, 1, 5), (1, 3, 4, 5)))
        case(f"{name}_scalar", binary(kind, (1, 3, 4, 5), (1,)))
        case(f"{name}_rows", binary(kind, (2, 3, 4, 5), (2, 1, 1, 5)))
        case(f"{name}_both", binary(kind, (1, 3, 1, 5), (1, 1, 4, 5)))
        case(f"{name}_crossed", binary(kind, (2, 1, 4, 1), (1, 3, 1, 5)))
        case(f"{name}_constant", binary(kind, (1, 3, 4, 5), (1, 3, 4, 5), constant=1))
        case(f"{name}_constant_scalar", binary(kind, (1, 3, 4, 5), (1, 1, 1, 1), constant=1))
        case(f"{name}_constant_first", binary(kind, (5,), (1, 3, 4, 5), constant=0))
    for kind in ("ADD", "SUB", "MUL"):
        name = kind.lower()
        same = (0.05, 4, 0.05, 4, 0.1, 4)
        case(f"{name}_all_pairs_same", binary(kind, pairs, pairs, quant=same))
        case(f"{name}_all_pairs_relu", binary(kind, pairs, pairs, activation=RELU))
        case(f"{name}_all_pairs_relu6", binary(kind, pairs, pairs, activation=RELU6))
        far = (0.0013, 127, 0.9, -128, 0.37, -100)
        case(f"{name}_all_pairs_far", binary(kind, pairs, pairs, quant=far))
        for index in range(4):
            rng = generator(f"{name}_random_{index}")
            values = [
                item
                for _ in range(3)
                for item in (float(rng.uniform(0.003, 0.3)), int(rng.integers(-128, 128)))
            ]
            case(f"{name}_random_{index}", binary(kind, pairs, pairs, quant=tuple(values)))
    case("mul_all_pairs_tiny", binary("MUL", pairs, pairs, quant=(1e-4, 5, 1e-4, -5, 1.0, 0)))
    case("mul_all_pairs_large", binary("MUL", pairs, pairs, quant=(1.0, 5, 1.0, -5, 0.03, 0)))


def unary(
    kind: str,
    given: tuple[float, int],
    wanted: tuple[float, int],
    options: Any = None,
    *,
    types: tuple[str, str] = ("int8", "int8"),
    shape: tuple[int, ...] = (256,),
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, *(given if types[0] != "float32" else ()), dtype=types[0])
        y = net.output(shape, *(wanted if types[1] != "float32" else ()), dtype=types[1])
        net.op(kind, [x], [y], options)
        return net

    return make


def add_unaries() -> None:
    for index, given in enumerate(((0.05, 3), (0.1, -128), (0.004, 60), (0.4, 0), (1.7, -20))):
        case(f"logistic_{index}", unary("LOGISTIC", given, (1 / 256, -128)))
        case(f"tanh_{index}", unary("TANH", given, (1 / 128, 0)))
    ranges = (
        ((0.05, 3), (0.05, 3)),
        ((0.05, -128), (0.03, -128)),
        ((0.1, 10), (0.04, -100)),
        ((0.02, -50), (0.3, 100)),
    )
    for index, (given, wanted) in enumerate(ranges):
        case(f"relu_{index}", unary("RELU", given, wanted))
        case(f"hard_swish_{index}", unary("HARD_SWISH", given, wanted, schema.HardSwishOptionsT()))
        for alpha in (0.1, 0.3, 1.5, -0.2):
            name = f"leaky_relu_{index}_{str(alpha).replace('.', '').replace('-', 'minus')}"
            options = filled(schema.LeakyReluOptionsT(), alpha=alpha)
            case(name, unary("LEAKY_RELU", given, wanted, options))
        case(f"quantize_{index}", unary("QUANTIZE", given, wanted, schema.QuantizeOptionsT()))
    for index in range(6):
        rng = generator(f"hard_swish_random_{index}")
        scales = np.exp(rng.uniform(np.log(0.002), np.log(0.5), 2))
        zeros = rng.integers(-128, 128, 2)
        case(
            f"hard_swish_random_{index}",
            unary(
                "HARD_SWISH",
                (float(scales[0]), int(zeros[0])),
                (float(scales[1]), int(zeros[1])),
                schema.HardSwishOptionsT(),
            ),
        )
    for index, scale in enumerate((0.05, 0.02, 0.2)):
        case(f"relu6_{index}", unary("RELU6", (scale, -60), (scale, -60)))
    case(
        "quantize_to_uint8",
        unary(
            "QUANTIZE", (0.05, 3), (0.05, 131), schema.QuantizeOptionsT(), types=("int8", "uint8")
        ),
    )
    case(
        "quantize_to_uint8_scaled",
        unary(
            "QUANTIZE", (0.05, 3), (0.03, 100), schema.QuantizeOptionsT(), types=("int8", "uint8")
        ),
    )
    case(
        "quantize_from_uint8",
        unary(
            "QUANTIZE", (0.05, 131), (0.05, 3), schema.QuantizeOptionsT(), types=("uint8", "int8")
        ),
    )
    case(
        "quantize_from_uint8_scaled",
        unary(
            "QUANTIZE", (0.05, 100), (0.07, 3), schema.QuantizeOptionsT(), types=("uint8", "int8")
        ),
    )
    case(
        "quantize_float",
        unary("QUANTIZE", (1.0, 0), (0.1, 3), schema.QuantizeOptionsT(), types=("float32", "int8")),
    )
    case(
        "quantize_float_half",
        unary(
            "QUANTIZE", (1.0, 0), (0.25, -5), schema.QuantizeOptionsT(), types=("float32", "int8")
        ),
    )
    case(
        "dequantize",
        unary(
            "DEQUANTIZE",
            (0.0317, -9),
            (1.0, 0),
            schema.DequantizeOptionsT(),
            types=("int8", "float32"),
        ),
    )
    for index, (scale, beta) in enumerate(
        ((0.1, 1.0), (0.02, 1.0), (0.7, 1.0), (0.05, 0.4), (3.0, 1.0), (0.0005, 1.0))
    ):
        for depth in (1, 2, 10, 67):
            options = filled(schema.SoftmaxOptionsT(), beta=beta)
            case(
                f"softmax_{index}_{depth}",
                unary("SOFTMAX", (scale, 5), (1 / 256, -128), options, shape=(12, depth)),
            )
    case(
        "softmax_image",
        unary(
            "SOFTMAX",
            (0.05, 5),
            (1 / 256, -128),
            filled(schema.SoftmaxOptionsT(), beta=1.0),
            shape=(1, 2, 3, 300),
        ),
    )


def mean(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    keep: bool,
    quant: tuple[float, int, float, int] = (0.05, -7, 0.04, 9),
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, *quant[:2])
        axis = net.tensor([len(axes)], dtype="int32", data=np.array(axes))
        reduced = {a % len(shape) for a in axes}
        out = [1 if i in reduced else n for i, n in enumerate(shape) if keep or i not in reduced]
        y = net.output(out, *quant[2:])
        net.op("MEAN", [x, axis], [y], filled(schema.ReducerOptionsT(), keepDims=keep))
        return net

    return make


def add_means() -> None:
    shape = (2, 3, 4, 5)
    for index, axes in enumerate(
        (
            (1, 2),
            (2, 1),
            (-3, -2),
            (0,),
            (1,),
            (2,),
            (3,),
            (0, 2),
            (1, 3),
            (0, 3),
            (2, 3),
            (0, 1, 2),
            (1, 2, 3),
        )
    ):
        case(f"mean_{index}", mean(shape, axes, keep=index % 2 == 0))
    case("mean_image", mean((1, 7, 7, 16), (1, 2), keep=False))
    case("mean_same_scale", mean((1, 5, 5, 8), (1, 2), False, (0.05, 3, 0.05, 3)))
    case("mean_large_output_scale", mean((1, 5, 3, 8), (1, 2), False, (0.001, 3, 2.0, 3)))
    case("mean_small_output_scale", mean((1, 5, 3, 8), (1, 2), False, (2.0, 3, 0.02, 3)))
    case("mean_last", mean((6, 50), (1,), False))
    case("mean_unit_axes", mean((1, 1, 1, 8), (1, 2), False))


def concatenation(
    shapes: Sequence[tuple[int, ...]], axis: int, constant: int | None = None
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        net = Net()
        inputs = []
        for position, shape in enumerate(shapes):
            if position == constant:
                data = rng.integers(-128, 128, shape, dtype=np.int8)
                inputs.append(net.tensor(shape, 0.05, -7, data=data))
            else:
                inputs.append(net.input(shape, 0.05, -7))
        out = list(shapes[0])
        out[axis] = sum(shape[axis] for shape in shapes)
        y = net.output(out, 0.05, -7)
        net.op(
            "CONCATENATION",
            inputs,
            [y],
            filled(schema.ConcatenationOptionsT(), axis=axis, fusedActivationFunction=NONE),
        )
        return net

    return make


def pad(
    shape: tuple[int, ...], amounts: Sequence[tuple[int, int]], value: int | None = None
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, 0.05, -7)
        p = net.tensor([len(shape), 2], dtype="int32", data=np.array(amounts))
        inputs = [x, p]
        if value is not None:
            inputs.append(net.tensor([1], 0.05, -7, data=np.array([value])))
        out = [n + sum(a) for n, a in zip(shape, amounts, strict=True)]
        y = net.output(out, 0.05, -7)
        if value is None:
            net.op("PAD", inputs, [y], schema.PadOptionsT())
        else:
            net.op("PADV2", inputs, [y], schema.PadV2OptionsT())
        return net

    return make


def strided_slice(
    shape: tuple[int, ...],
    begin: Sequence[int],
    end: Sequence[int],
    step: Sequence[int],
    out: Sequence[int],
    **masks: int,
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, 0.05, -7)
        rest = [
            net.tensor([len(values)], dtype="int32", data=np.array(values))
            for values in (begin, end, step)
        ]
        y = net.output(out, 0.05, -7)
        options = filled(
            schema.StridedSliceOptionsT(),
            beginMask=0,
            endMask=0,
            ellipsisMask=0,
            newAxisMask=0,
            shrinkAxisMask=0,
        )
        net.op("STRIDED_SLICE", [x, *rest], [y], filled(options, **masks))
        return net

    return make


def transpose(shape: tuple[int, ...], order: Sequence[int]) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, 0.05, -7)
        p = net.tensor([len(order)], dtype="int32", data=np.array(order))
        y = net.output([shape[axis] for axis in order], 0.05, -7)
        net.op("TRANSPOSE", [x, p], [y], schema.TransposeOptionsT())
        return net

    return make


def resize(
    shape: tuple[int, int, int, int], size: tuple[int, int], align: bool, half: bool
) -> Case:
    def make(rng: np.random.Generator) -> Net:
        del rng
        net = Net()
        x = net.input(shape, 0.05, -7)
        s = net.tensor([2], dtype="int32", data=np.array(size))
        y = net.output((shape[0], *size, shape[3]), 0.05, -7)
        options = filled(
            schema.ResizeNearestNeighborOptionsT(), alignCorners=align, halfPixelCenters=half
        )
        net.op("RESIZE_NEAREST_NEIGHBOR", [x, s], [y], options)
        return net

    return make


def reshape(kind: str, shape: tuple[int, ...], out: tuple[int, ...]) -> Case:
    """The reshape, and an addition after it, since aliases alone make no network."""

    def make(rng: np.random.Generator) -> Net:
        net = Net()
        x = net.input(shape, 0.05, -7)
        y = net.tensor(out, 0.05, -7)
        z = net.output(out, 0.06, 2)
        c = net.tensor([1], 0.03, 4, data=rng.integers(-128, 128, [1]))
        if kind == "RESHAPE":
            s = net.tensor([len(out)], dtype="int32", data=np.array(out))
            net.op(kind, [x, s], [y], filled(schema.ReshapeOptionsT(), newShape=list(out)))
        elif kind == "SQUEEZE":
            net.op(kind, [x], [y], filled(schema.SqueezeOptionsT(), squeezeDims=[1, 2]))
        else:
            s = net.tensor([1], dtype="int32", data=np.array([1]))
            net.op(kind, [x, s], [y], schema.ExpandDimsOptionsT())
        net.op("ADD", [y, c], [z], schema.AddOptionsT())
        return net

    return make


def add_movements() -> None:
    case("concatenation_channels", concatenation([(1, 3, 4, 5), (1, 3, 4, 2)], 3))
    case("concatenation_negative", concatenation([(1, 3, 4, 5), (1, 3, 4, 2)], -1))
    case("concatenation_rows", concatenation([(2, 3, 4), (2, 1, 4), (2, 5, 4)], 1))
    case("concatenation_constant", concatenation([(1, 3, 4), (1, 2, 4)], 1, constant=1))
    case("concatenation_ten", concatenation([(1, n) for n in range(1, 11)], 1))
    case("pad_image", pad((1, 3, 4, 2), [(0, 0), (1, 2), (2, 0), (0, 0)]))
    case("pad_all", pad((2, 3, 4, 2), [(1, 0), (1, 2), (2, 0), (3, 1)]))
    case("pad_vector", pad((5,), [(2, 3)]))
    case("padv2", pad((1, 3, 4, 2), [(0, 0), (1, 2), (2, 0), (0, 0)], value=55))
    case(
        "slice_rows",
        strided_slice((1, 6, 5, 3), (0, 1, 0, 0), (1, 5, 5, 3), (1, 2, 1, 1), (1, 2, 5, 3)),
    )
    case(
        "slice_masks",
        strided_slice(
            (1, 6, 5, 3),
            (0, 2, 1, 0),
            (0, 0, 4, 0),
            (1, 1, 1, 1),
            (1, 4, 3, 3),
            beginMask=9,
            endMask=11,
        ),
    )
    case("slice_negative", strided_slice((2, 6, 5), (0, -2, -1), (2, 0, 0), (1, -2, -1), (2, 2, 4)))
    case(
        "slice_shrink",
        strided_slice((2, 6, 5), (1, 0, 0), (2, 6, 5), (1, 1, 1), (6, 5), shrinkAxisMask=1),
    )
    case(
        "slice_shrink_negative",
        strided_slice((2, 6, 5), (0, 0, -2), (2, 6, 5), (1, 2, 1), (2, 3), shrinkAxisMask=4),
    )
    case("transpose_2d", transpose((5, 7), (1, 0)))
    case("transpose_channels", transpose((1, 4, 5, 3), (0, 3, 1, 2)))
    case("transpose_4d", transpose((2, 3, 4, 5), (3, 1, 0, 2)))
    for index, (align, half) in enumerate(((False, False), (True, False), (False, True))):
        case(f"resize_up_{index}", resize((1, 3, 4, 2), (7, 9), align, half))
        case(f"resize_down_{index}", resize((2, 9, 8, 3), (4, 3), align, half))
        case(f"resize_one_{index}", resize((1, 5, 5, 3), (1, 1), align, half))
    case("reshape", reshape("RESHAPE", (1, 3, 4, 5), (4, 15)))
    case("squeeze", reshape("SQUEEZE", (2, 1, 1, 5), (2, 5)))
    case("expand_dims", reshape("EXPAND_DIMS", (2, 5), (2, 1, 5)))


def all_cases() -> dict[str, Case]:
    """Every model's name and maker."""
    if not CASES:
        add_convolutions()
        add_depthwise()
        add_dense()
        add_pools()
        add_binaries()
        add_unaries()
        add_means()
        add_movements()
    return CASES


def main() -> None:
    cases = all_cases()
    total = 0
    for name, make in cases.items():
        data = make(generator(name)).bytes()
        total += len(data)
        (FOLDER / f"{name}.tflite").write_bytes(data)
    for path in FOLDER.glob("*.tflite"):
        if path.stem not in cases:
            path.unlink()
    sys.stdout.write(f"{len(cases)} models, {total} bytes\n")


if __name__ == "__main__":
    main()
