"""Image classification: MobileNetV2 with width 0.35 at 96 x 96."""

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

SEED = 116
WIDTH = 0.35
# Expansion, filters, repeats and stride of each stage: the paper's table 2.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
LAST = 1280
CLASSES = 2


def rounded(filters: float) -> int:
    """The next multiple of eight, never more than a tenth below."""
    found = max(8, int(filters + 4) // 8 * 8)
    return found + 8 if found < 0.9 * filters else found


def network() -> keras.Model:
    """96 x 96 RGB, scaled to -1..1, to two scores."""
    inputs = keras.Input((96, 96, 3), name="input")
    x = normalized(
        layers.Conv2D(
            rounded(32 * WIDTH), 3, strides=2, padding="same", use_bias=False, name="conv"
        )(inputs),
        "conv",
    )
    for stage, (expansion, filters, repeats, stride) in enumerate(STAGES):
        for repeat in range(repeats):
            x = block(
                x,
                expansion,
                rounded(filters * WIDTH),
                stride if repeat == 0 else 1,
                f"block{stage}_{repeat}",
            )
    x = normalized(layers.Conv2D(LAST, 1, use_bias=False, name="last")(x), "last")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="mobilenetv2")


def block(
    x: keras.KerasTensor, expansion: int, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    """An inverted residual."""
    before, channels = x, int(x.shape[-1])
    if expansion > 1:
        x = layers.Conv2D(channels * expansion, 1, use_bias=False, name=f"{name}_expand")(x)
        x = normalized(x, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = normalized(x, f"{name}_depthwise")
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(x)
    x = layers.BatchNormalization(name=f"{name}_project_norm")(x)
    if stride == 1 and channels == filters:
        x = layers.Add(name=f"{name}_add")([before, x])
    return x


def normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Batch normalization and ReLU6."""
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)


def build() -> FloatNetwork:
    """The network with seeded weights, and samples over the pixels' range."""
    samples = mixed_samples((96, 96, 3), count=24, low=-1.0, high=1.0, seed=SEED)
    model = network()
    seed_weights(model, SEED)
    settle(model, samples)
    spread_outputs(model, samples, deviation=1.0)
    return FloatNetwork(model=model, representative=samples)
