"""Language: a small autoregressive transformer over characters, one context to the next character.

There is no cache of keys and values: each inference reads the whole context again, so that tokens
per second are inferences per second.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    seed_weights,
    settle,
    spread_outputs,
)

SEED = 123
CONTEXT, VOCABULARY = 32, 64
WIDTH, HEADS, BLOCKS = 48, 2, 2


def network() -> keras.Model:
    """32 characters, each one of 64 (one-hot), to 64 probabilities of the next."""
    inputs = keras.Input((CONTEXT, VOCABULARY), name="input")
    x = dense(inputs, WIDTH, "embedding")
    for block in range(BLOCKS):
        x = layers.Add(name=f"block{block}_add1")([x, attention(x, f"block{block}")])
        y = dense(x, 2 * WIDTH, f"block{block}_wide")
        y = layers.ReLU(name=f"block{block}_relu")(y)
        y = dense(y, WIDTH, f"block{block}_narrow")
        x = layers.Add(name=f"block{block}_add2")([x, y])
    x = ops.reshape(x[:, -1:], (-1, WIDTH))
    outputs = layers.Dense(VOCABULARY, activation="softmax", name="next")(x)
    return keras.Model(inputs, outputs, name="lm")


def attention(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Every character looks at itself and at those before it, in HEADS ways."""
    share = WIDTH // HEADS
    query, key, value = (
        ops.transpose(
            ops.reshape(dense(x, WIDTH, f"{name}_{part}"), (-1, CONTEXT, HEADS, share)),
            (0, 2, 1, 3),
        )
        for part in ("query", "key", "value")
    )
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * share**-0.5
    later = np.triu(np.full((CONTEXT, CONTEXT), -8.0, dtype=np.float32), k=1)
    weights = ops.softmax(scores + later, axis=-1)
    found = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
    return dense(ops.reshape(found, (-1, CONTEXT, WIDTH)), WIDTH, f"{name}_out")


def dense(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    """A dense layer for each character, with batch normalization."""
    x = layers.Dense(width, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and random texts."""
    random = np.random.RandomState(SEED)
    texts = random.randint(0, VOCABULARY, size=(48, CONTEXT))
    samples = np.eye(VOCABULARY, dtype=np.float32)[texts]
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples)
