"""What the accelerator cannot do, the shapes that it knows, and how a refusal is told.

Limits: ADI's ai8x-synthesis README, "limitations of the MAX78000 networks", and the checks of its
izer; those that differ between the parts are npu/max7800x/device's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.max7800x.layer import Floats, Kind, Layer, Shape, dequantized
from npubench.compiler.graph import DType, Graph, Op
from npubench.core.errors import UnsupportedOp

HINT = "run it on the CPU: --backend cpu"
MAX_CHANNELS = 1024
MAX_POOL = 16
MAX_PAD = 2
MAX_TAPS_1D = 9
MAX_FLATTEN_PIXELS = 256
MAX_FLATTEN_INPUTS = 16384
SHAPE_OPS = ("SHAPE", "STRIDED_SLICE", "PACK")
"""A converter writes them before the reshape of a network whose batch is open."""
MAX_SUM_CHANNELS = 64
MAX_POOL_CHANNELS = 64
"""Of a layer that pools several pixels and does nothing else: it takes one pass."""


def canonical(shape: tuple[int, ...]) -> Shape:
    """Channels, height, width of a tensor of the network; a line stands upright."""
    if len(shape) == 4:
        _, high, wide, channels = shape
        return (channels, wide, high) if turned(shape) else (channels, high, wide)
    if len(shape) == 3:
        return shape[2], shape[1], 1
    return (shape[-1] if shape else 1), 1, 1


def turned(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] == 1 and shape[2] > 1


def padded(shape: Shape, pad: tuple[int, int, int, int]) -> Shape:
    channels, high, wide = shape
    return channels, high + pad[0] + pad[1], wide + pad[2] + pad[3]


def leading_to(layer: Layer, target: int, waiting: tuple[int, ...]) -> Layer:
    """``layer`` with the reshapes after it."""
    return replace(layer, op_indices=(*layer.op_indices, *waiting), target=target)


def number(op: Op, name: str) -> int:
    value = op.options.get(name)
    if not isinstance(value, int):
        raise refusal(op, "pooling without a size")
    return value


def refusal(op: Op, reason: str) -> UnsupportedOp:
    return UnsupportedOp(op=op.kind, index=op.index, reason=reason, hint=HINT)


def sides_of(
    op: Op, pad: tuple[int, int, int, int], kind: Kind, kernel: tuple[int, int]
) -> tuple[int, int]:
    """The padding of rows and of columns: what came before it and its own."""
    high, wide = kernel
    top, bottom, left, right = pad
    if op.options.get("padding") == "SAME":
        if high % 2 == 0 or wide % 2 == 0:
            raise refusal(op, f"SAME padding of a kernel {high}x{wide} has one side only")
        top, bottom = top + (high - 1) // 2, bottom + (high - 1) // 2
        left, right = left + (wide - 1) // 2, right + (wide - 1) // 2
    across = 0 if kind == "conv1d" else top
    if (bottom, left, right) != (top, across, across):
        raise refusal(
            op, f"padding {top}, {bottom}, {left}, {right}: it must be the same on every side"
        )
    if top > MAX_PAD or top >= high:
        raise refusal(op, f"padding of {top}: at most {MAX_PAD}, and less than the kernel")
    return top, across


def real_constant(graph: Graph, op: Op, position: int) -> Floats:
    """An input's real values. Raises UnsupportedOp where it is no constant."""
    tensor = graph.tensor(op.inputs[position])
    if tensor.data is None or tensor.quantization is None:
        raise refusal(op, f"its input {position} is not a quantized constant")
    return dequantized(tensor)


def integer_constant(graph: Graph, op: Op, position: int) -> NDArray[np.int64]:
    """An input's whole numbers, flat. Raises UnsupportedOp where it is no constant."""
    tensor = graph.tensor(op.inputs[position])
    if tensor.data is None or tensor.dtype not in (DType.INT32, DType.INT64):
        raise refusal(op, f"its input {position} is not a constant")
    kind = np.int32 if tensor.dtype is DType.INT32 else np.int64
    return np.frombuffer(tensor.data, dtype=kind).astype(np.int64)
