"""A stack of equal convolutions: input side, channels, kernel and depth free."""

from __future__ import annotations

from collections.abc import Mapping

from npubench.compiler.synthetic import NetworkBuilder, Node
from npubench.sweep.families import Family, Parameter, Value


def layers(net: NetworkBuilder, values: Mapping[str, Value]) -> Node:
    """``depth`` convolutions of one size, without stride, on an input of as many channels."""
    side, channels = int(values["input"]), int(values["channels"])
    x = net.input((1, side, side, channels))
    for _ in range(int(values["depth"])):
        x = net.conv(x, channels, int(values["kernel"]))
    return x


FAMILY = Family(
    name="convs",
    title="stack of convolutions",
    source="equal CONV_2D layers, SAME padding",
    parameters=(
        Parameter(name="input", help="side of the square input", default=16),
        Parameter(name="channels", help="channels of input and layers", default=16),
        Parameter(name="kernel", help="side of the kernel", default=3),
        Parameter(name="depth", help="layers", default=2),
    ),
    layers=layers,
)
