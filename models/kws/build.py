"""Keyword spotting: the depthwise-separable CNN of MLPerf Tiny (Hello Edge's DS-CNN, small)."""

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

SEED = 101
FILTERS = 64
BLOCKS = 4
CLASSES = 12
# The input quantization of the reference file, which the runner's input files are made for.
SCALE, ZERO_POINT = 0.5847029089927673, 83


def network() -> keras.Model:
    """49 x 10 MFCCs to 12 scores. Dropout, which does nothing in inference, is left out."""
    inputs = keras.Input((49, 10, 1), name="input")
    x = layers.Conv2D(FILTERS, (10, 4), strides=2, padding="same", name="conv")(inputs)
    x = normalized(x, "conv")
    for block in range(1, BLOCKS + 1):
        x = layers.DepthwiseConv2D(3, padding="same", name=f"depthwise{block}")(x)
        x = normalized(x, f"depthwise{block}")
        x = layers.Conv2D(FILTERS, 1, padding="same", name=f"pointwise{block}")(x)
        x = normalized(x, f"pointwise{block}")
    x = layers.AveragePooling2D((25, 5), name="pool")(x)
    x = keras.ops.reshape(x, (-1, FILTERS))
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="kws")


def normalized(x: Any, name: str) -> Any:
    """Batch normalization and ReLU."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the reference's input range."""
    samples = mixed_samples(
        (49, 10, 1),
        count=64,
        low=(-128 - ZERO_POINT) * SCALE,
        high=(127 - ZERO_POINT) * SCALE,
        seed=SEED,
    )
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples, batch=None)
