"""Keypoints: five points of a face at 48 x 48 grey pixels."""

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

SEED = 122
SIDE, POINTS = 48, 5
FILTERS = (16, 24, 32, 48)


def network() -> keras.Model:
    """48 x 48 grey values, scaled to -1..1, to x and y of five points in shares of the side."""
    inputs = x = keras.Input((SIDE, SIDE, 1), name="input")
    for index, filters in enumerate(FILTERS):
        x = (
            layers.SeparableConv2D(filters, 3, padding="same", name=f"conv{index}")(x)
            if index
            else layers.Conv2D(filters, 3, padding="same", name="conv0")(x)
        )
        x = layers.BatchNormalization(name=f"conv{index}_norm")(x)
        x = layers.ReLU(name=f"conv{index}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"pool{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(2 * POINTS, name="points")(x)
    return keras.Model(inputs, outputs, name="keypoints")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the range."""
    samples = mixed_samples((SIDE, SIDE, 1), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=0.3)
    return FloatNetwork(model=model, representative=samples)
