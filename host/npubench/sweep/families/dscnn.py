"""A depthwise-separable CNN, as for keyword spotting: input side, channels and blocks free."""

from __future__ import annotations

from collections.abc import Mapping

from npubench.compiler.synthetic import NetworkBuilder, Node
from npubench.sweep.families import Family, Parameter, Value


def layers(net: NetworkBuilder, values: Mapping[str, Value]) -> Node:
    """A strided convolution, then blocks of depthwise 3x3 and pointwise."""
    side, channels = int(values["input"]), int(values["channels"])
    x = net.conv(net.input((1, side, side, 1)), channels, int(values["kernel"]), stride=2)
    for _ in range(int(values["blocks"])):
        x = net.conv(net.depthwise(x, 3), channels, 1)
    return net.softmax(net.dense(net.mean(x), int(values["classes"])))


FAMILY = Family(
    name="dscnn",
    title="depthwise-separable CNN",
    source="Zhang et al., Hello Edge, arXiv:1711.07128",
    parameters=(
        Parameter(name="input", help="side of the square input, one channel", default=32),
        Parameter(name="channels", help="channels of every layer", default=64),
        Parameter(name="blocks", help="depthwise-separable blocks", default=4),
        Parameter(name="kernel", help="side of the first convolution's kernel", default=5),
        Parameter(name="classes", help="outputs", default=12),
    ),
    layers=layers,
)
