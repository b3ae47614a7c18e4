"""Small networks over whose answers TFLM, LiteRT, an NPU's compiler and the truth disagree."""

from __future__ import annotations

import numpy as np

from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model


def _image(name: str, scale: float, zero: int, *, size: int = 8, channels: int = 4) -> TensorSpec:
    shape = (1, size, size, channels)
    return TensorSpec(shape=shape, scales=(scale,), zero_points=(zero,), name=name)


def _unary(kind: str, given: tuple[float, int], wanted: tuple[float, int]) -> bytes:
    return write_model(
        ModelSpec(
            tensors=(_image("in", *given), _image("out", *wanted)),
            ops=(OpSpec(kind=kind, inputs=(0,), outputs=(1,)),),
        )
    )


def _conv_tensors(*, size: int) -> tuple[TensorSpec, ...]:
    """Weights and bias of a 3x3 convolution of four channels, and its output."""
    rng = np.random.default_rng(5)
    weights = rng.integers(-127, 128, (4, 3, 3, 4), dtype=np.int8)
    return (
        TensorSpec(
            shape=(4, 3, 3, 4),
            data=weights.tobytes(),
            scales=(0.01,) * 4,
            zero_points=(0,) * 4,
            name="weights",
        ),
        TensorSpec(shape=(4,), dtype="int32", data=bytes(16), scales=None, name="bias"),
        _image("out", 0.25, 0, size=size),
    )


_SAME_CONV = {0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("b", 0)}


def _relu6_then_conv() -> bytes:
    """TFLM is wrong in the middle of a network."""
    return write_model(
        ModelSpec(
            tensors=(
                _image("in", 0.1, -10),
                _image("mid", 6 / 255, -128),
                *_conv_tensors(size=8),
            ),
            ops=(
                OpSpec(kind="RELU6", inputs=(0,), outputs=(1,)),
                OpSpec(kind="CONV_2D", inputs=(1, 2, 3), outputs=(4,), options=_SAME_CONV),
            ),
            outputs=(4,),
        )
    )


def _slice_then_conv() -> bytes:
    """Every second row and column, then a convolution with SAME padding."""
    ints = {
        name: np.array(values, np.int32).tobytes()
        for name, values in {
            "begin": (0, 0, 0, 0),
            "end": (1, 16, 16, 4),
            "strides": (1, 2, 2, 1),
        }.items()
    }
    steering = tuple(
        TensorSpec(shape=(4,), dtype="int32", data=data, scales=None, name=name)
        for name, data in ints.items()
    )
    return write_model(
        ModelSpec(
            tensors=(
                _image("in", 0.1, 3, size=16),
                *steering,
                _image("mid", 0.1, 3),
                *_conv_tensors(size=8),
            ),
            ops=(
                OpSpec(
                    kind="STRIDED_SLICE",
                    inputs=(0, 1, 2, 3),
                    outputs=(4,),
                    options=dict.fromkeys(range(5), ("i", 0)),
                ),
                OpSpec(kind="CONV_2D", inputs=(4, 5, 6), outputs=(7,), options=_SAME_CONV),
            ),
            outputs=(7,),
        )
    )


def sum_over(
    axes: tuple[int, ...], shape: tuple[int, ...], *, scale: float = 1.7, zero_point: int = -3
) -> bytes:
    """A SUM of an image of 1 x 8 x 8 x 4 (scale 0.1, zero point 3) over ``axes``."""
    data = np.array(axes, np.int32).tobytes()
    return write_model(
        ModelSpec(
            tensors=(
                _image("in", 0.1, 3),
                TensorSpec(shape=(len(axes),), dtype="int32", data=data, scales=None, name="axes"),
                TensorSpec(shape=shape, scales=(scale,), zero_points=(zero_point,), name="out"),
            ),
            ops=(OpSpec(kind="SUM", inputs=(0, 1), outputs=(2,)),),
            outputs=(2,),
        )
    )


RELU6 = _unary("RELU6", (0.1, -10), (6 / 255, -128))
LOGISTIC = _unary("LOGISTIC", (9.1, 81), (1 / 256, -128))
RELU_N1_TO_1 = _unary("RELU_N1_TO_1", (0.05, 4), (2 / 255, 0))
RELU6_CONV = _relu6_then_conv()
SLICE_CONV = _slice_then_conv()
SUM = sum_over((1, 2), (1, 4))
SUMS = {
    "image": SUM,
    "rows": sum_over((1,), (1, 8, 4), scale=0.6, zero_point=-40),
    "columns": sum_over((2,), (1, 8, 4), scale=0.35, zero_point=17),
    "channels": sum_over((3,), (1, 8, 8), scale=0.3, zero_point=-1),
    "all": sum_over((1, 2, 3), (1,), scale=4.0, zero_point=9),
}
