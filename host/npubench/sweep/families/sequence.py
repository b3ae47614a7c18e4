"""A temporal convolutional network: sequence length, channels and depth free."""

from __future__ import annotations

from collections.abc import Mapping

from npubench.compiler.synthetic import NetworkBuilder, Node
from npubench.sweep.families import Family, Parameter, Value


def layers(net: NetworkBuilder, values: Mapping[str, Value]) -> Node:
    """Residual blocks of two 1-D convolutions, the dilation doubling with each."""
    length, channels = int(values["length"]), int(values["channels"])
    x = net.conv(net.input((1, 1, length, int(values["features"]))), channels, 1)
    for level in range(int(values["depth"])):
        taps, spread = (1, int(values["kernel"])), (1, 2**level)
        y = net.conv(x, channels, taps, dilation=spread)
        x = net.add(x, net.conv(y, channels, taps, dilation=spread, activation="NONE"))
    return net.softmax(net.dense(net.mean(x), int(values["classes"])))


FAMILY = Family(
    name="sequence",
    title="temporal convolutional network",
    source="Bai et al., An Empirical Evaluation of Generic Convolutional and Recurrent Networks "
    "for Sequence Modeling, arXiv:1803.01271; padded on both sides",
    parameters=(
        Parameter(name="length", help="steps of the sequence", default=64),
        Parameter(name="features", help="values of each step", default=10),
        Parameter(name="channels", help="channels of every layer", default=32),
        Parameter(name="depth", help="residual blocks; dilation 1, 2, 4, ...", default=3),
        Parameter(name="kernel", help="taps of each convolution", default=3),
        Parameter(name="classes", help="outputs", default=10),
    ),
    layers=layers,
)
