"""Anomaly detection: the fully connected autoencoder of MLPerf Tiny (DCASE 2020 task 2)."""

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

SEED = 104
FEATURES = 640
HIDDEN = (128, 128, 128, 128, 8, 128, 128, 128, 128)
# The input quantization of the reference file, so that uploads mean the same.
SCALE, ZERO_POINT = 0.3910152316093445, 89


def network() -> keras.Model:
    """Five frames of 128 log-mel energies to their reconstruction."""
    inputs = keras.Input((FEATURES,), name="input")
    x = inputs
    for index, units in enumerate(HIDDEN, start=1):
        x = layers.Dense(units, name=f"dense{index}")(x)
        x = layers.BatchNormalization(name=f"dense{index}_norm")(x)
        x = layers.ReLU(name=f"dense{index}_relu")(x)
    outputs = layers.Dense(FEATURES, name="reconstruction")(x)
    return keras.Model(inputs, outputs, name="ad")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the reference's input range."""
    samples = mixed_samples(
        (FEATURES,),
        count=128,
        low=(-128 - ZERO_POINT) * SCALE,
        high=(127 - ZERO_POINT) * SCALE,
        seed=SEED,
    )
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=12.0)
    return FloatNetwork(model=model, representative=samples, batch=None)
