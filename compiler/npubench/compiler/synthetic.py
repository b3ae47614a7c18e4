"""Networks made here, layer by layer, with seeded weights: for cost alone, they answer nothing.

Scales are chosen so that each layer's codes spread over int8 as those of a trained network do; the
cost of a kernel does not depend on the weights' values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import DType, Graph, Op, OptionValue, Quantization, Tensor
from npubench.compiler.tflite.writer import write_tflite

Activation = Literal["NONE", "RELU", "RELU6"]
Padding = Literal["SAME", "VALID"]
Pair = int | tuple[int, int]

WEIGHT_RMS: Final = 127 / math.sqrt(3)
"""Of codes spread evenly over -127 to 127."""
CODES_RMS: Final = 40.0
"""How far the codes of a linear output spread."""
RELU6_SCALE: Final = 6 / 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value of the network under construction. ``rms``: of its real values, as expected."""

    tensor: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    rms: float


class NetworkBuilder:
    """Builds one int8 network; equal calls give equal bytes. Shapes are NHWC with batch 1."""

    def __init__(self, name: str, *, seed: int = 1) -> None:
        self._name = name
        self._bits = np.random.PCG64(seed)
        self._tensors: list[Tensor] = []
        self._ops: list[Op] = []
        self._inputs: list[int] = []

    @property
    def operators(self) -> int:
        """How many there are by now."""
        return len(self._ops)

    def input(self, shape: Sequence[int]) -> Node:
        """An input of int8, codes spread evenly."""
        node = self._value(f"input{len(self._inputs)}", tuple(shape), 1 / 64, 0, 128 / 64 / 3**0.5)
        self._inputs.append(node.tensor)
        return node

    def conv(
        self,
        x: Node,
        channels: int,
        kernel: Pair = 3,
        *,
        stride: Pair = 1,
        dilation: Pair = 1,
        padding: Padding = "SAME",
        activation: Activation = "RELU6",
    ) -> Node:
        """CONV_2D with a bias; weights per output channel."""
        (kh, kw), (sh, sw), (dh, dw) = _pair(kernel), _pair(stride), _pair(dilation)
        shape = (channels, kh, kw, x.shape[3])
        rows, columns = _extent(x.shape[1:3], (kh, kw), (sh, sw), (dh, dw), padding)
        return self._weighted(
            "CONV_2D",
            x,
            weights_shape=shape,
            axis=0,
            taps=kh * kw * x.shape[3],
            out_shape=(1, rows, columns, channels),
            activation=activation,
            options={
                "padding": padding,
                "stride_w": sw,
                "stride_h": sh,
                "dilation_w_factor": dw,
                "dilation_h_factor": dh,
            },
        )

    def depthwise(
        self,
        x: Node,
        kernel: Pair = 3,
        *,
        stride: Pair = 1,
        dilation: Pair = 1,
        multiplier: int = 1,
        padding: Padding = "SAME",
        activation: Activation = "RELU6",
    ) -> Node:
        """DEPTHWISE_CONV_2D with a bias."""
        (kh, kw), (sh, sw), (dh, dw) = _pair(kernel), _pair(stride), _pair(dilation)
        channels = x.shape[3] * multiplier
        rows, columns = _extent(x.shape[1:3], (kh, kw), (sh, sw), (dh, dw), padding)
        return self._weighted(
            "DEPTHWISE_CONV_2D",
            x,
            weights_shape=(1, kh, kw, channels),
            axis=3,
            taps=kh * kw,
            out_shape=(1, rows, columns, channels),
            activation=activation,
            options={
                "padding": padding,
                "stride_w": sw,
                "stride_h": sh,
                "depth_multiplier": multiplier,
                "dilation_w_factor": dw,
                "dilation_h_factor": dh,
            },
        )

    def dense(self, x: Node, units: int, *, activation: Activation = "NONE") -> Node:
        """FULLY_CONNECTED over the last dimension of a flat input; one scale for all weights."""
        flat = x if len(x.shape) == 2 else self.reshape(x, (1, math.prod(x.shape)))
        return self._weighted(
            "FULLY_CONNECTED",
            flat,
            weights_shape=(units, flat.shape[1]),
            axis=None,
            taps=flat.shape[1],
            out_shape=(1, units),
            activation=activation,
            options={
                "weights_format": "DEFAULT",
                "keep_num_dims": False,
                "asymmetric_quantize_inputs": False,
            },
        )

    def pool(
        self,
        x: Node,
        kind: Literal["AVERAGE", "MAX"],
        size: Pair,
        *,
        stride: Pair | None = None,
        padding: Padding = "VALID",
    ) -> Node:
        """AVERAGE_POOL_2D or MAX_POOL_2D."""
        kh, kw = _pair(size)
        sh, sw = _pair(size if stride is None else stride)
        rows, columns = _extent(x.shape[1:3], (kh, kw), (sh, sw), (1, 1), padding)
        return self._op(
            f"{kind}_POOL_2D",
            (x,),
            (1, rows, columns, x.shape[3]),
            scale=x.scale,
            zero_point=x.zero_point,
            rms=x.rms,
            options={
                "padding": padding,
                "stride_w": sw,
                "stride_h": sh,
                "filter_width": kw,
                "filter_height": kh,
                "fused_activation_function": "NONE",
            },
        )

    def add(self, a: Node, b: Node, *, activation: Activation = "NONE") -> Node:
        """ADD of two values of one shape."""
        rms = math.hypot(a.rms, b.rms)
        return self._op(
            "ADD",
            (a, b),
            a.shape,
            scale=rms / CODES_RMS,
            zero_point=0,
            rms=rms,
            options={"fused_activation_function": activation, "pot_scale_int16": True},
        )

    def mul(self, a: Node, b: Node) -> Node:
        """MUL of two values of one shape."""
        rms = a.rms * b.rms
        return self._op(
            "MUL",
            (a, b),
            a.shape,
            scale=rms / CODES_RMS,
            zero_point=0,
            rms=rms,
            options={"fused_activation_function": "NONE"},
        )

    def reshape(self, x: Node, shape: Sequence[int]) -> Node:
        """RESHAPE; it moves no data."""
        wanted = self._constant("shape", np.asarray(shape, dtype=np.int32), DType.INT32, None)
        return self._op(
            "RESHAPE",
            (x,),
            tuple(shape),
            scale=x.scale,
            zero_point=x.zero_point,
            rms=x.rms,
            more=(wanted,),
            options={"new_shape": tuple(shape)},
        )

    def mean(self, x: Node) -> Node:
        """MEAN over rows and columns: (1, channels)."""
        axes = self._constant("axes", np.asarray([1, 2], dtype=np.int32), DType.INT32, None)
        return self._op(
            "MEAN",
            (x,),
            (1, x.shape[3]),
            scale=x.scale,
            zero_point=x.zero_point,
            rms=x.rms,
            more=(axes,),
            options={"keep_dims": False},
        )

    def softmax(self, x: Node) -> Node:
        """SOFTMAX over the last dimension."""
        return self._op(
            "SOFTMAX",
            (x,),
            x.shape,
            scale=1 / 256,
            zero_point=-128,
            rms=1 / x.shape[-1],
            options={"beta": 1.0},
        )

    def curve(self, x: Node, kind: Literal["LOGISTIC", "TANH"]) -> Node:
        """A function of each element, which kernels take from a table."""
        scale, zero = (1 / 256, -128) if kind == "LOGISTIC" else (1 / 128, 0)
        return self._op(kind, (x,), x.shape, scale=scale, zero_point=zero, rms=0.6, options={})

    def finish(self, *outputs: Node) -> bytes:
        """The network as a .tflite."""
        return write_tflite(
            Graph(
                name=self._name,
                sha256="",
                tensors=tuple(self._tensors),
                ops=tuple(self._ops),
                inputs=tuple(self._inputs),
                outputs=tuple(node.tensor for node in outputs),
            )
        )

    def _weighted(
        self,
        kind: str,
        x: Node,
        *,
        weights_shape: tuple[int, ...],
        axis: int | None,
        taps: int,
        out_shape: tuple[int, ...],
        activation: Activation,
        options: dict[str, OptionValue],
    ) -> Node:
        """A layer with weights and a bias; the weights' scale gives the wanted spread."""
        wanted_rms = 1.0 if activation == "NONE" else 3.0
        channels = out_shape[-1]
        scale = wanted_rms / (math.sqrt(taps) * WEIGHT_RMS * x.rms)
        if axis is None:
            scales = np.asarray([scale], dtype=np.float32)
        else:
            scales = (scale * (0.8 + 0.4 * self._uniform(channels))).astype(np.float32)
        codes = np.clip(self._bytes(math.prod(weights_shape)).view(np.int8), -127, 127)
        weights = self._constant(
            f"weights{len(self._ops)}",
            codes.reshape(weights_shape),
            DType.INT8,
            Quantization(
                scales=tuple(float(value) for value in scales),
                zero_points=(0,) * len(scales),
                axis=axis or 0,
            ),
        )
        unit = scales.astype(np.float64) * x.scale
        bias = np.rint(wanted_rms * (self._uniform(channels) - 0.5) / unit).astype(np.int32)
        biases = self._constant(
            f"bias{len(self._ops)}",
            bias,
            DType.INT32,
            Quantization(
                scales=tuple(float(np.float32(value)) for value in unit),
                zero_points=(0,) * len(scales),
            ),
        )
        linear = activation == "NONE"
        return self._op(
            kind,
            (x,),
            out_shape,
            scale=1 / CODES_RMS if linear else RELU6_SCALE,
            zero_point=0 if linear else -128,
            rms=1.0 if linear else 2.0,
            more=(weights, biases),
            options={**options, "fused_activation_function": activation},
        )

    def _op(
        self,
        kind: str,
        inputs: Sequence[Node],
        shape: tuple[int, ...],
        *,
        scale: float,
        zero_point: int,
        rms: float,
        options: dict[str, OptionValue],
        more: tuple[int, ...] = (),
    ) -> Node:
        index = len(self._ops)
        node = self._value(f"{index}_{kind.lower()}", shape, scale, zero_point, rms)
        self._ops.append(
            Op(
                index=index,
                kind=kind,
                inputs=(*(item.tensor for item in inputs), *more),
                outputs=(node.tensor,),
                options=options,
            )
        )
        return node

    def _value(
        self, name: str, shape: tuple[int, ...], scale: float, zero_point: int, rms: float
    ) -> Node:
        index = len(self._tensors)
        exact = float(np.float32(scale))
        self._tensors.append(
            Tensor(
                index=index,
                name=name,
                shape=shape,
                dtype=DType.INT8,
                quantization=Quantization(scales=(exact,), zero_points=(zero_point,)),
                data=None,
            )
        )
        return Node(tensor=index, shape=shape, scale=exact, zero_point=zero_point, rms=rms)

    def _constant(
        self, name: str, values: NDArray[Any], dtype: DType, scheme: Quantization | None
    ) -> int:
        index = len(self._tensors)
        self._tensors.append(
            Tensor(
                index=index,
                name=f"{name}_{index}",
                shape=tuple(values.shape),
                dtype=dtype,
                quantization=scheme,
                data=values.tobytes(),
            )
        )
        return index

    def _bytes(self, count: int) -> NDArray[np.uint8]:
        """Random bytes from the generator's raw words, whose sequence numpy promises to keep."""
        words = np.asarray(self._bits.random_raw(-(-count // 8)), dtype="<u8")
        return words.view(np.uint8)[:count].copy()

    def _uniform(self, count: int) -> NDArray[np.float64]:
        """Evenly from 0 to 1."""
        words = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        return words.astype(np.float64) / 2.0**64


def _pair(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _extent(
    size: Sequence[int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: Padding,
) -> tuple[int, int]:
    """Rows and columns of a window operator's output (TensorFlow Lite's ComputeOutSize)."""
    rows, columns = (
        -(-length // step) if padding == "SAME" else -(-(length - (taps - 1) * spread) // step)
        for length, taps, step, spread in zip(size, kernel, stride, dilation, strict=True)
    )
    return rows, columns
