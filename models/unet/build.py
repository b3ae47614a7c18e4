"""Segmentation: a U-Net of microcontroller size."""

from __future__ import annotations

import keras
from keras import layers

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    mixed_samples,
    seed_weights,
    settle,
)

SEED = 121
SIDE = 64
FILTERS = (8, 16, 32)
CLASSES = 2


def network() -> keras.Model:
    """64 x 64 grey values, scaled to -1..1, to two scores for each pixel."""
    inputs = x = keras.Input((SIDE, SIDE, 1), name="input")
    kept = []
    for level, filters in enumerate(FILTERS[:-1]):
        x = twice(x, filters, f"down{level}")
        kept.append(x)
        x = layers.MaxPooling2D(2, name=f"pool{level}")(x)
    x = twice(x, FILTERS[-1], "bottom")
    for level in reversed(range(len(kept))):
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"larger{level}")(x)
        x = layers.Concatenate(name=f"beside{level}")([kept[level], x])
        x = twice(x, FILTERS[level], f"up{level}")
    x = layers.Conv2D(CLASSES, 1, name="head")(x)
    outputs = layers.Softmax(name="pixels")(x)
    return keras.Model(inputs, outputs, name="unet")


def twice(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Two convolutions with batch normalization."""
    for part in "ab":
        x = layers.Conv2D(filters, 3, padding="same", name=f"{name}{part}")(x)
        x = layers.BatchNormalization(name=f"{name}{part}_norm")(x)
        x = layers.ReLU(name=f"{name}{part}_relu")(x)
    return x


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the range."""
    samples = mixed_samples((SIDE, SIDE, 1), count=24, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    return FloatNetwork(model=model, representative=samples)
