"""MobileNetV2: inverted residuals, input side and width free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from npubench.compiler.synthetic import NetworkBuilder, Node
from npubench.sweep.families import Family, Parameter, Value, divisible

BLOCKS: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repeats, stride of the first (the paper's table 2)."""
LAST_CHANNELS: Final = 1280


def layers(net: NetworkBuilder, values: Mapping[str, Value]) -> Node:
    """The whole network."""
    side, width = int(values["input"]), float(values["width"])
    x = net.input((1, side, side, 3))
    x = net.conv(x, divisible(32 * width), 3, stride=2)
    for expansion, channels, repeats, stride in BLOCKS:
        for repeat in range(repeats):
            x = _block(net, x, divisible(channels * width), expansion, stride if repeat == 0 else 1)
    x = net.conv(x, divisible(LAST_CHANNELS * max(1.0, width)), 1)
    return net.softmax(net.dense(net.mean(x), int(values["classes"])))


def _block(net: NetworkBuilder, x: Node, channels: int, expansion: int, stride: int) -> Node:
    inner = x.shape[3] * expansion
    y = x if expansion == 1 else net.conv(x, inner, 1)
    y = net.depthwise(y, 3, stride=stride)
    y = net.conv(y, channels, 1, activation="NONE")
    return net.add(x, y) if stride == 1 and x.shape == y.shape else y


FAMILY = Family(
    name="mobilenetv2",
    title="MobileNetV2",
    source="Sandler et al., MobileNetV2, arXiv:1801.04381",
    parameters=(
        Parameter(name="input", help="side of the square RGB input, in pixels", default=96),
        Parameter(name="width", help="width multiplier", default=0.35, low=0.05),
        Parameter(name="classes", help="outputs", default=10),
    ),
    layers=layers,
)
