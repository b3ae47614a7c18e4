"""Activity recognition: a temporal convolutional network over three axes of acceleration."""

from __future__ import annotations

import keras
from keras import layers

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    mixed_samples,
    seed_weights,
    settle,
    spread_outputs,
)

SEED = 118
STEPS, AXES = 128, 3
FILTERS, KERNEL = 24, 3
DILATIONS = (1, 2, 4, 8)
CLASSES = 6


def network() -> keras.Model:
    """128 steps of three axes, scaled to -1..1, to six scores."""
    inputs = keras.Input((STEPS, AXES), name="input")
    x = layers.Conv1D(FILTERS, 1, name="widen")(inputs)
    for dilation in DILATIONS:
        name = f"dilated{dilation}"
        y = layers.Conv1D(FILTERS, KERNEL, dilation_rate=dilation, padding="causal", name=name)(x)
        y = layers.BatchNormalization(name=f"{name}_norm")(y)
        y = layers.ReLU(name=f"{name}_relu")(y)
        x = layers.Add(name=f"{name}_add")([x, y])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="tcn")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the range."""
    samples = mixed_samples((STEPS, AXES), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples)
