"""Keyword spotting: ten words of synthetic speech, silence and other words; a small DS-CNN.

The speech comes from eSpeak NG (the program ``espeak-ng``): accents, voices, speeds and pitches,
with noise, at random places within a second. Voices of the test set are never heard in training.
"""

from __future__ import annotations

import io
import subprocess
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.signal import resample_poly

from npubench.compiler.quantize.weights import FloatNetwork

SEED = 130
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
OTHERS = (
    "bed",
    "bird",
    "cat",
    "dog",
    "eight",
    "five",
    "four",
    "happy",
    "house",
    "marvin",
    "nine",
    "one",
    "seven",
    "sheila",
    "six",
    "three",
    "tree",
    "two",
    "wow",
    "zero",
    "water",
    "paper",
    "window",
    "music",
)
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
TRAIN_VOICES = ("m1", "m2", "m3", "m4", "m5", "f1", "f2", "f3", "Andy", "Annie")
TEST_VOICES = ("m7", "f4", "f5", "steph")
SPEEDS = (130, 165, 200)
RATE_HZ, SECOND = 16_000, 16_000
WINDOW, HOP, FRAMES, BANDS, COEFFICIENTS = 640, 320, 49, 40, 10
FILTERS, BLOCKS = 40, 4
CLASSES = len(WORDS) + 2
SILENCE, UNKNOWN = len(WORDS), len(WORDS) + 1
EPOCHS, BATCH = 24, 64

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A word as one voice says it."""

    word: str
    accent: str
    voice: str
    speed: int
    pitch: int


def network() -> keras.Model:
    """49 frames of 10 cepstral coefficients to twelve scores."""
    inputs = keras.Input((FRAMES, COEFFICIENTS, 1), name="input")
    x = layers.Conv2D(FILTERS, (8, 4), strides=2, padding="same", use_bias=False, name="conv")(
        inputs
    )
    x = layers.ReLU(name="conv_relu")(layers.BatchNormalization(name="conv_norm")(x))
    for block in range(1, BLOCKS + 1):
        for kind, layer in (
            ("depthwise", layers.DepthwiseConv2D(3, padding="same", use_bias=False)),
            ("pointwise", layers.Conv2D(FILTERS, 1, use_bias=False)),
        ):
            layer.name = f"{kind}{block}"
            x = layers.BatchNormalization(name=f"{kind}{block}_norm")(layer(x))
            x = layers.ReLU(name=f"{kind}{block}_relu")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="dense")(x)
    return keras.Model(inputs, outputs, name="words")


def spoken(item: Utterance) -> Sound:
    """What eSpeak NG says, 16 kHz, -1..1, without the silence around it."""
    command = ("espeak-ng", "-v", f"{item.accent}+{item.voice}", "-s", f"{item.speed}")
    said = subprocess.run(
        (*command, "-p", f"{item.pitch}", "--stdout", item.word), capture_output=True, check=True
    ).stdout
    with wave.open(io.BytesIO(said)) as file:
        rate_hz = file.getframerate()
        raw = np.frombuffer(said[44:], dtype="<i2").astype(np.float32) / 32768
    sound = resample_poly(raw, RATE_HZ // 50, rate_hz // 50).astype(np.float32)
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return sound[loud[0] : loud[-1] + 1][:SECOND] if len(loud) else sound[:SECOND]


def utterances(voices: Sequence[str], random: np.random.RandomState) -> list[Utterance]:
    """Every word by every voice in every accent; of the other words a share."""
    found = []
    for accent in ACCENTS:
        for voice in voices:
            for word in (*WORDS, *random.choice(OTHERS, 4, replace=False)):
                found += [
                    Utterance(word, accent, voice, speed, int(random.randint(30, 70)))
                    for speed in random.choice(SPEEDS, 2, replace=False)
                ]
    return found


def samples(
    voices: Sequence[str], random: np.random.RandomState, *, copies: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features and labels; each utterance ``copies`` times, at another place and in other noise."""
    items = utterances(voices, random)
    with ThreadPoolExecutor(2) as pool:
        sounds = list(pool.map(spoken, items))
    features, labels = [], []
    for item, sound in zip(items, sounds, strict=True):
        label = WORDS.index(item.word) if item.word in WORDS else UNKNOWN
        for _ in range(copies):
            features.append(cepstrum(placed(sound, random)))
            labels.append(label)
    for _ in range(copies * len(items) // CLASSES):
        features.append(cepstrum(placed(np.zeros(0, dtype=np.float32), random)))
        labels.append(SILENCE)
    return np.stack(features)[..., np.newaxis], np.asarray(labels, dtype=np.int64)


def placed(sound: Sound, random: np.random.RandomState) -> Sound:
    """The word somewhere in a second of coloured noise, 5 to 30 dB below it."""
    whole = np.zeros(SECOND, dtype=np.float32)
    begin = random.randint(0, SECOND - len(sound) + 1)
    whole[begin : begin + len(sound)] = sound * random.uniform(0.3, 1.0)
    white = random.uniform(-1, 1, SECOND)
    spectrum = np.fft.rfft(white) / np.maximum(np.arange(SECOND // 2 + 1), 1) ** random.uniform(
        0, 1
    )
    noise = np.fft.irfft(spectrum, SECOND)
    level = 10 ** (-random.uniform(5, 30) / 20) * 0.1
    return np.asarray(whole + noise / np.std(noise) * level, dtype=np.float32)


def cepstrum(sound: Sound) -> NDArray[np.float32]:
    """(FRAMES, COEFFICIENTS) mel-frequency cepstral coefficients, scaled to about -1..1."""
    starts = HOP * np.arange(FRAMES)[:, np.newaxis]
    frames = sound[starts + np.arange(WINDOW)] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, 1024)) ** 2
    energies = np.log(power @ mel_bands().T + 1e-4)
    return np.asarray(dct(energies, norm="ortho")[:, :COEFFICIENTS] / 40, dtype=np.float32)


def mel_bands() -> NDArray[np.float64]:
    """(BANDS, 513) triangles, even on the mel scale between 20 and 7600 Hz."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (20.0, 7600.0))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.arange(513) * RATE_HZ / 1024
    rise = (bins - edges[:-2, np.newaxis]) / np.diff(edges)[:-1, np.newaxis]
    fall = (edges[2:, np.newaxis] - bins) / np.diff(edges)[1:, np.newaxis]
    return np.maximum(0.0, np.minimum(rise, fall))


def build() -> FloatNetwork:
    """Make the speech, train, and keep voices that were never heard for the test."""
    keras.utils.set_random_seed(SEED)
    random = np.random.RandomState(SEED)
    inputs, labels = samples(TRAIN_VOICES, random, copies=3)
    tests, test_labels = samples(TEST_VOICES, random, copies=1)
    model = network()
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * len(inputs) // BATCH)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    model.fit(inputs, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return FloatNetwork(
        model=model,
        representative=inputs[:: max(1, len(inputs) // 256)],
        test_inputs=tests,
        test_labels=test_labels,
    )
