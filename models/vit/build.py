"""Image classification: a small vision transformer for 32 x 32 pixels.

Normalization is by batch statistics, which fold into the layer before; attention is what is left:
products of two activations.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from npubench.compiler.quantize.weights import (
    FloatNetwork,
    mixed_samples,
    seed_weights,
    settle,
    spread_outputs,
)

SEED = 117
SIDE, PATCH = 32, 4
TOKENS = (SIDE // PATCH) ** 2
WIDTH, HEADS, BLOCKS = 32, 2, 2
CLASSES = 10


def network() -> keras.Model:
    """32 x 32 RGB, scaled to -1..1, to ten scores."""
    inputs = keras.Input((SIDE, SIDE, 3), name="input")
    x = layers.Conv2D(WIDTH, PATCH, strides=PATCH, name="patches")(inputs)
    x = layers.BatchNormalization(name="patches_norm")(x)
    x = ops.reshape(x, (-1, TOKENS, WIDTH))
    for block in range(BLOCKS):
        x = layers.Add(name=f"block{block}_add1")([x, attention(x, f"block{block}")])
        y = dense(x, 2 * WIDTH, f"block{block}_wide")
        y = layers.ReLU(name=f"block{block}_relu")(y)
        y = dense(y, WIDTH, f"block{block}_narrow")
        x = layers.Add(name=f"block{block}_add2")([x, y])
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="vit")


def attention(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Every token looks at every other one, in HEADS ways."""
    share = WIDTH // HEADS
    query, key, value = (
        ops.transpose(
            ops.reshape(dense(x, WIDTH, f"{name}_{part}"), (-1, TOKENS, HEADS, share)),
            (0, 2, 1, 3),
        )
        for part in ("query", "key", "value")
    )
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * share**-0.5
    found = ops.matmul(ops.softmax(scores, axis=-1), value)
    found = ops.reshape(ops.transpose(found, (0, 2, 1, 3)), (-1, TOKENS, WIDTH))
    return dense(found, WIDTH, f"{name}_out")


def dense(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    """A dense layer for each token, with batch normalization."""
    x = layers.Dense(width, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((SIDE, SIDE, 3), count=48, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.5)
    return FloatNetwork(model=model, representative=samples)
