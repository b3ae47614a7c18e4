"""Gesture recognition: a gated recurrent unit, unrolled, as microcontrollers run it."""

from __future__ import annotations

import keras
from keras import layers

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    mixed_samples,
    seed_weights,
    spread_outputs,
)

SEED = 120
STEPS, AXES, UNITS = 8, 6, 24
CLASSES = 8


def network() -> keras.Model:
    """8 steps of acceleration and rotation, scaled to -1..1, to eight scores."""
    inputs = keras.Input((STEPS, AXES), batch_size=1, name="input")
    x = layers.GRU(UNITS, reset_after=True, unroll=True, name="gru")(inputs)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="gru")


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the range."""
    samples = mixed_samples((STEPS, AXES), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples)
