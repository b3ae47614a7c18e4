"""What the accelerator cannot do, the shapes that it knows, and how a refusal is told.

Limits: ADI's ai8x-synthesis README, "limitations of the MAX78000 networks", and the checks of its
izer; those that differ between the parts are npu/max7800x/device's.
"""

from __future__ import annotations

from dataclasses import replace

from npubench.compiler.backends.max7800x.layer import Layer, Shape
from npubench.compiler.graph import Op
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
