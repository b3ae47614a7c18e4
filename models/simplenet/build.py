"""Image classification: SimpleNet for CIFAR-100, as the µNPU paper runs it."""

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

SEED = 112
# Filters, kernel, whether a pooling comes before.
CONVOLUTIONS = (
    (16, 3, False),
    (20, 3, False),
    (20, 3, False),
    (20, 3, False),
    (20, 3, True),
    (20, 3, False),
    (44, 3, False),
    (48, 3, True),
    (48, 3, False),
    (96, 3, True),
    (512, 1, True),
    (128, 1, False),
    (128, 3, True),
)
CLASSES = 100


def network() -> keras.Model:
    """32 x 32 RGB, scaled to -1..1, to a hundred scores."""
    inputs = x = keras.Input((32, 32, 3), name="input")
    for index, (filters, kernel, pooled) in enumerate(CONVOLUTIONS, start=1):
        if pooled:
            x = layers.MaxPooling2D(2, name=f"pool{index}")(x)
        x = layers.Conv2D(filters, kernel, padding="same", name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"conv{index}_norm")(x)
        x = layers.ReLU(name=f"conv{index}_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="simplenet")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((32, 32, 3), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples)
