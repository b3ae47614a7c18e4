"""One small network with two inputs as Keras, ONNX and PyTorch, by scripts that a user might have.

Weights come from one frozen generator, so that all three are one network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SHAPES = {
    "c.weight": (8, 3, 3, 3), "c.bias": (8,), "d.weight": (8, 1, 3, 3), "d.bias": (8,),
    "f.weight": (8, 4), "f.bias": (8,), "o.weight": (5, 16), "o.bias": (5,),
}  # fmt: skip

TORCH = '''
import numpy as np
import torch
from torch import nn


class Two(nn.Module):
    """An image and four numbers to five scores."""

    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3, padding=1)
        self.d = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
        self.f = nn.Linear(4, 8)
        self.o = nn.Linear(16, 5)
        weights = np.load(__file__.replace("two_torch.py", "two.npz"))
        self.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})

    def forward(self, image, meta):
        x = torch.relu(self.d(torch.relu(self.c(image)))).mean((2, 3))
        x = torch.cat([x, torch.relu(self.f(meta))], 1)
        return torch.softmax(self.o(x), 1)


def example_inputs():
    return torch.zeros(1, 3, 16, 16), torch.zeros(1, 4)
'''

KERAS = """
import sys

import keras
import numpy as np
from keras import layers

folder = sys.argv[1]
image, meta = keras.Input((16, 16, 3), name="image"), keras.Input((4,), name="meta")
x = layers.Conv2D(8, 3, padding="same", activation="relu", name="c")(image)
x = layers.ZeroPadding2D(1)(x)
x = layers.DepthwiseConv2D(3, strides=2, activation="relu", name="d")(x)
x = layers.GlobalAveragePooling2D()(x)
x = layers.Concatenate()([x, layers.Dense(8, activation="relu", name="f")(meta)])
scores = layers.Dense(5, activation="softmax", name="o")(x)
model = keras.Model([image, meta], scores)
weights = np.load(folder + "/two.npz")
order = {"c": (2, 3, 1, 0), "d": (2, 3, 0, 1), "f": (1, 0), "o": (1, 0)}
for name, axes in order.items():
    model.get_layer(name).set_weights(
        [weights[name + ".weight"].transpose(axes), weights[name + ".bias"]]
    )
model.save(folder + "/two.keras")
"""

ONNX = """
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

folder = sys.argv[1]
weights = np.load(folder + "/two.npz")
node, value = helper.make_node, helper.make_tensor_value_info
nodes = [
    node("Conv", ["image", "c.weight", "c.bias"], ["a"], pads=[1] * 4),
    node("Relu", ["a"], ["b"]),
    node("Conv", ["b", "d.weight", "d.bias"], ["e"], pads=[1] * 4, strides=[2, 2], group=8),
    node("Relu", ["e"], ["f"]),
    node("ReduceMean", ["f"], ["g"], axes=[2, 3], keepdims=0),
    node("Gemm", ["meta", "f.weight", "f.bias"], ["h"], transB=1),
    node("Relu", ["h"], ["i"]),
    node("Concat", ["g", "i"], ["j"], axis=1),
    node("Gemm", ["j", "o.weight", "o.bias"], ["k"], transB=1),
    node("Softmax", ["k"], ["scores"], axis=1),
]
graph = helper.make_graph(
    nodes,
    "two",
    [
        value("image", TensorProto.FLOAT, ["n", 3, 16, 16]),
        value("meta", TensorProto.FLOAT, ["n", 4]),
    ],
    [value("scores", TensorProto.FLOAT, ["n", 5])],
    [numpy_helper.from_array(weights[name], name) for name in weights.files],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 8
onnx.save(model, folder + "/two.onnx")
"""


def write_two(folder: Path) -> None:
    """The weights and the three scripts."""
    random = np.random.RandomState(11)
    weights = {
        name: random.normal(size=shape, scale=0.4).astype(np.float32)
        for name, shape in SHAPES.items()
    }
    np.savez(folder / "two.npz", **weights)  # type: ignore[arg-type]
    (folder / "two_torch.py").write_text(TORCH, encoding="utf-8")
    (folder / "make_keras.py").write_text(KERAS, encoding="utf-8")
    (folder / "make_onnx.py").write_text(ONNX, encoding="utf-8")
