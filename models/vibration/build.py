"""Anomaly detection: an autoencoder of a machine's vibration, trained on signals from a model.

A healthy machine: a shaft with its harmonics at a wandering speed, a resonance, noise. Faults: an
imbalance, a bearing whose race is hit at each ball, a loose foot. The spectrum of a second of it
goes in and comes out; what the network has never seen comes out wrong.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from npubench.compiler.quantize.weights import FloatNetwork

SEED = 131
RATE_HZ, LENGTH = 8_192, 8_192
BINS = 128
BOTTLENECK = 8
TRAIN, TEST = 2_000, 400
EPOCHS, BATCH = 60, 32
FAULTS = ("imbalance", "bearing", "looseness")

Signal = NDArray[np.float64]


def network() -> keras.Model:
    """A spectrum of 128 bands, scaled to about -1..1, and back."""
    return keras.Sequential(
        [
            keras.Input((BINS,), name="input"),
            layers.Dense(64, activation="relu", name="dense1"),
            layers.Dense(BOTTLENECK, name="bottleneck"),
            layers.Dense(64, activation="relu", name="dense2"),
            layers.Dense(BINS, name="output"),
        ],
        name="vibration",
    )


def vibration(random: np.random.RandomState, fault: str = "") -> Signal:
    """A second of acceleration of a machine, healthy or with a small fault."""
    time = np.arange(LENGTH) / RATE_HZ
    speed_hz = random.uniform(24, 30)
    wander = np.cumsum(random.uniform(-1, 1, LENGTH)) / LENGTH * 4
    phase = 2 * np.pi * (speed_hz * time + wander)
    harmonics = [1.0, 0.5, 0.3, 0.15]
    if fault == "imbalance":
        harmonics[0] *= random.uniform(1.6, 2.6)
    if fault == "looseness":
        harmonics += [random.uniform(0.15, 0.3) for _ in range(6)]
    signal = sum(
        level * random.uniform(0.8, 1.2) * np.sin((order + 1) * phase + random.uniform(0, 6))
        for order, level in enumerate(harmonics)
    )
    signal = signal + resonance(random, random.uniform(-1, 1, LENGTH), 1_800.0) * 0.4
    if fault == "bearing":
        hits = np.zeros(LENGTH)
        times = np.arange(0, 1, 1 / (3.57 * speed_hz)) * RATE_HZ
        places = (times + random.uniform(-8, 8, len(times))).astype(int) % LENGTH
        hits[places] = random.uniform(0.5, 1.5, len(places))
        signal = signal + resonance(random, hits, 3_100.0) * random.uniform(1.5, 3.0)
    return np.asarray(signal + random.uniform(-1, 1, LENGTH) * 0.2)


def resonance(random: np.random.RandomState, driven: Signal, middle_hz: float) -> Signal:
    """What a body makes of an excitation: one resonance, 120 Hz wide."""
    hz = np.fft.rfftfreq(LENGTH, 1 / RATE_HZ)
    middle_hz *= random.uniform(0.98, 1.02)
    gain = 1 / np.sqrt(1 + ((hz - middle_hz) / 120) ** 2)
    return np.asarray(np.fft.irfft(np.fft.rfft(driven) * gain, LENGTH))


def spectrum(signal: Signal) -> NDArray[np.float32]:
    """The level of each of BINS even bands, scaled to about -1..1."""
    power = np.abs(np.fft.rfft(signal * np.hanning(LENGTH)))[1:] ** 2
    bands = power.reshape(BINS, -1).mean(axis=1)
    return np.asarray((np.log10(bands + 1e-3) - 2.0) / 4.0, dtype=np.float32)


def build() -> FloatNetwork:
    """Train on healthy machines; the test set is half healthy, half faulty (label 1)."""
    keras.utils.set_random_seed(SEED)
    random = np.random.RandomState(SEED)
    healthy = np.stack([spectrum(vibration(random)) for _ in range(TRAIN)])
    tests = [spectrum(vibration(random)) for _ in range(TEST // 2)]
    tests += [
        spectrum(vibration(random, FAULTS[index % len(FAULTS)])) for index in range(TEST // 2)
    ]
    model = network()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * TRAIN // BATCH)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    model.fit(healthy, healthy, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return FloatNetwork(
        model=model,
        representative=np.concatenate([healthy[:192], np.stack(tests[-64:])]),
        test_inputs=np.stack(tests),
        test_labels=np.repeat(np.arange(2), TEST // 2),
        metric="auc",
    )
