"""A chain of dense layers: inputs, width and depth free."""

from __future__ import annotations

from collections.abc import Mapping

from npubench.compiler.synthetic import NetworkBuilder, Node
from npubench.sweep.families import Family, Parameter, Value


def layers(net: NetworkBuilder, values: Mapping[str, Value]) -> Node:
    """``depth`` hidden layers with ReLU, then the outputs."""
    x = net.input((1, int(values["inputs"])))
    for _ in range(int(values["depth"])):
        x = net.dense(x, int(values["width"]), activation="RELU")
    return net.dense(x, int(values["outputs"]))


FAMILY = Family(
    name="mlp",
    title="multilayer perceptron",
    source="the usual chain of dense layers",
    parameters=(
        Parameter(name="inputs", help="input values", default=256),
        Parameter(name="width", help="units of every hidden layer", default=128),
        Parameter(name="depth", help="hidden layers", default=3),
        Parameter(name="outputs", help="outputs", default=10),
    ),
    layers=layers,
)
