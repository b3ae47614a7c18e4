"""Image classification: the searched CIFAR-10 network of the µNPU paper."""

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

SEED = 111
# Filters and kernel of each convolution; a block begins with a pooling, but for the first.
BLOCKS = (
    ((64, 3), (32, 1), (64, 3)),
    ((32, 3), (64, 1)),
    ((128, 3), (128, 1)),
    ((64, 3), (128, 3)),
    ((128, 1),),
)
CLASSES = 10


def network() -> keras.Model:
    """32 x 32 RGB, scaled to -1..1, to ten scores."""
    inputs = x = keras.Input((32, 32, 3), name="input")
    for block, convolutions in enumerate(BLOCKS, start=1):
        if block > 1:
            x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
        for index, (filters, kernel) in enumerate(convolutions, start=1):
            name = f"conv{block}_{index}"
            x = layers.Conv2D(filters, kernel, padding="same", name=name)(x)
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="nas")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((32, 32, 3), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples)
