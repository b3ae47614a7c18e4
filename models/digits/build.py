"""Handwritten digits, 8 x 8 pixels: a small CNN trained on scikit-learn's copy of the UCI set."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits

from npubench.compiler.quantize.weights import FloatNetwork

SEED = 105
CLASSES = 10
EPOCHS = 25
BATCH = 32
TEST_EVERY = 5


def network() -> keras.Model:
    """8 x 8 grey values, scaled to 0..1, to ten scores."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="input"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.Flatten(name="flatten"),
            layers.Dense(CLASSES, activation="softmax", name="dense"),
        ],
        name="digits",
    )


def build() -> FloatNetwork:
    """Train on four of five samples; every fifth one is the test set."""
    keras.utils.set_random_seed(SEED)
    digits = load_digits()
    images = (digits.images[..., np.newaxis] / 16.0).astype(np.float32)
    labels = digits.target.astype(np.int64)
    is_test = np.arange(len(labels)) % TEST_EVERY == 0
    model = network()
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy")
    model.fit(images[~is_test], labels[~is_test], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return FloatNetwork(
        model=model,
        representative=images[~is_test][:256],
        test_inputs=images[is_test],
        test_labels=labels[is_test],
    )
