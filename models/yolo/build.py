"""Object detection: a YOLO v1 at 96 x 96, of the size of the µNPU paper's."""

from __future__ import annotations

import keras
from keras import layers

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    mixed_samples,
    seed_weights,
    settle,
)

SEED = 115
# Filters, kernel, whether a pooling comes before.
CONVOLUTIONS = (
    (16, 3, False),
    (24, 3, True),
    (32, 3, True),
    (32, 3, False),
    (48, 3, True),
    (64, 1, False),
)
BOXES, CLASSES = 2, 2


def network() -> keras.Model:
    """96 x 96 RGB, scaled to 0..1, to 12 x 12 cells of two boxes (x, y, width, height, confidence)
    and two classes, all between 0 and 1."""
    inputs = x = keras.Input((96, 96, 3), name="input")
    for index, (filters, kernel, pooled) in enumerate(CONVOLUTIONS, start=1):
        if pooled:
            x = layers.MaxPooling2D(2, name=f"pool{index}")(x)
        x = layers.Conv2D(filters, kernel, padding="same", name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"conv{index}_norm")(x)
        x = layers.ReLU(name=f"conv{index}_relu")(x)
    x = layers.Conv2D(5 * BOXES + CLASSES, 1, name="head")(x)
    outputs = layers.Activation("sigmoid", name="cells")(x)
    return keras.Model(inputs, outputs, name="yolo")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((96, 96, 3), count=24, low=0.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    return FloatNetwork(model=model, representative=samples)
