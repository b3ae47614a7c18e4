"""Anomaly detection: the autoencoder of motor vibration of the µNPU paper."""

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

SEED = 114
AXES, BINS = 3, 256
BOTTLENECK = 4


def network() -> keras.Model:
    """Spectra of three axes, 256 values each, scaled to -1..1, and back."""
    inputs = keras.Input((AXES, BINS), name="input")
    x = layers.Conv1D(128, 1, name="conv1")(inputs)
    x = normalized(x, "conv1")
    x = layers.Conv1D(64, AXES, name="conv2")(x)
    x = normalized(x, "conv2")
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(32, activation="relu", name="dense1")(x)
    x = layers.Dense(BOTTLENECK, use_bias=False, name="bottleneck")(x)
    x = layers.Dense(32, activation="relu", name="dense2")(x)
    x = layers.Dense(96, activation="relu", name="dense3")(x)
    outputs = layers.Dense(AXES * BINS, name="output")(x)
    return keras.Model(inputs, outputs, name="autoencoder")


def normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Batch normalization and ReLU."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the spectra's range."""
    samples = mixed_samples((AXES, BINS), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=0.4)
    return FloatNetwork(model=model, representative=samples)
