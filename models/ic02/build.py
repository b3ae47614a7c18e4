"""Image classification: the wide ResNet-8 of MLPerf Tiny v1.4 for CIFAR-10 images."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    mixed_samples,
    seed_weights,
    settle,
    spread_outputs,
)

SEED = 110
# Filters and stride of each residual stack.
STACKS = ((40, 1), (80, 2), (160, 2))
CLASSES = 10


def network() -> keras.Model:
    """32 x 32 RGB, 0..255 as they are, to ten scores."""
    inputs = keras.Input((32, 32, 3), name="input")
    x = convolution(inputs, STACKS[0][0], 1, "conv")
    x = layers.ReLU(name="conv_relu")(x)
    for stack, (filters, stride) in enumerate(STACKS, start=1):
        y = convolution(x, filters, stride, f"stack{stack}_a")
        y = layers.ReLU(name=f"stack{stack}_a_relu")(y)
        y = convolution(y, filters, 1, f"stack{stack}_b")
        if stride != 1:
            x = layers.Conv2D(
                filters, 1, strides=stride, padding="same", name=f"stack{stack}_shortcut"
            )(x)
        x = layers.Add(name=f"stack{stack}_add")([x, y])
        x = layers.ReLU(name=f"stack{stack}_relu")(x)
    x = layers.AveragePooling2D(8, name="pool")(x)
    x = keras.ops.reshape(x, (-1, STACKS[-1][0]))
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="ic02")


def convolution(x: Any, filters: int, stride: int, name: str) -> Any:
    """3 x 3 convolution and batch normalization."""
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((32, 32, 3), count=48, low=0.0, high=255.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples, batch=None)
