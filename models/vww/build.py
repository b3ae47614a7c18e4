"""Visual wake words: MobileNetV1 with width multiplier 0.25 at 96 x 96, as in MLPerf Tiny."""

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

SEED = 102
FIRST_FILTERS = 8
# Filters and stride of each depthwise-separable block.
BLOCKS = (
    (16, 1),
    (32, 2),
    (32, 1),
    (64, 2),
    (64, 1),
    (128, 2),
    (128, 1),
    (128, 1),
    (128, 1),
    (128, 1),
    (128, 1),
    (256, 2),
    (256, 1),
)
CLASSES = 2


def network() -> keras.Model:
    """96 x 96 RGB, scaled to 0..1, to two scores."""
    inputs = keras.Input((96, 96, 3), name="input")
    x = layers.Conv2D(FIRST_FILTERS, 3, strides=2, padding="same", use_bias=False, name="conv")(
        inputs
    )
    x = normalized(x, "conv")
    for block, (filters, stride) in enumerate(BLOCKS, start=1):
        name = f"depthwise{block}"
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=name)(x)
        x = normalized(x, name)
        name = f"pointwise{block}"
        x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)
        x = normalized(x, name)
    x = layers.AveragePooling2D(3, name="pool")(x)
    x = keras.ops.reshape(x, (-1, BLOCKS[-1][0]))
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="vww")


def normalized(x: Any, name: str) -> Any:
    """Batch normalization and ReLU."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((96, 96, 3), count=24, low=0.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.0)
    return FloatNetwork(model=model, representative=samples, batch=None)
