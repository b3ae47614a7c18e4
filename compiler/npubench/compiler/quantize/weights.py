"""Weights for published architectures whose data sets are not at hand: seeded, and well behaved.

Random weights alone let activations vanish or saturate, and a golden comparison of saturated
tensors proves little. So every batch normalization is settled on representative samples, and the
last layer is scaled until its outputs spread. Random numbers come from NumPy's ``RandomState``,
whose stream is frozen for good, and only as uniform numbers, which need no libm.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SIGNIFICANT_BITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatNetwork:
    """What a zoo script builds: a Keras model and how to quantize it.

    ``representative`` is (samples, ...) float32 in the model's input units. ``batch`` is the batch
    size that the converter sees (None: free; see ``quantize_keras``). ``test_inputs`` (float32) and
    ``test_labels`` (class numbers) are a test set that took no part in training, or None.
    ``metric`` auc: labels are 1 for what is anomalous, the network gives its input back.
    """

    model: Any
    representative: NDArray[np.float32]
    batch: int | None = 1
    test_inputs: NDArray[np.float32] | None = None
    test_labels: NDArray[np.int64] | None = None
    metric: Literal["top1", "auc"] = "top1"


def mixed_samples(
    shape: tuple[int, ...], *, count: int, low: float, high: float, seed: int
) -> NDArray[np.float32]:
    """``count`` samples of ``shape`` between ``low`` and ``high``, both of which occur.

    Every other sample is white noise, the rest are patches of 1/4 of the first two axes: what the
    generated input of a bench looks like, and something with structure.
    """
    random = np.random.RandomState(seed)
    samples = random.uniform(low, high, size=(count, *shape))
    for index in range(1, count, 2):
        patches = random.uniform(low, high, size=tuple(-(-axis // 4) for axis in shape[:2]))
        field = patches
        for axis in range(patches.ndim):
            field = np.repeat(field, 4, axis=axis)
        field = field[tuple(slice(0, axis) for axis in shape[:2])]
        samples[index] = field.reshape(field.shape + (1,) * (len(shape) - field.ndim))
    samples[0].flat[0] = low
    samples[0].flat[-1] = high
    return samples.astype(np.float32)


def seed_weights(model: Any, seed: int) -> None:
    """Give every layer of a Keras model seeded weights, in the order of its layers.

    Kernels are uniform within He's limit sqrt(6 / fan_in); biases, gammas and betas are uniform in
    a range that keeps about half of a rectified layer's outputs alive.
    """
    random = np.random.RandomState(seed)
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if variable.name in ("kernel", "recurrent_kernel"):
                fan_in = prod(shape[:2]) if _is_depthwise(layer) else prod(shape[:-1])
                limit = sqrt(6.0 / fan_in)
                values.append(random.uniform(-limit, limit, size=shape))
            elif variable.name == "gamma":
                values.append(random.uniform(0.75, 1.25, size=shape))
            elif variable.name in ("beta", "bias"):
                values.append(random.uniform(-0.25, 0.5, size=shape))
            else:
                values.append(np.asarray(variable))
        layer.set_weights([np.asarray(value, dtype=np.float32) for value in values])


def settle(model: Any, samples: NDArray[np.float32]) -> None:
    """Set every batch normalization's moving mean and variance to those of ``samples``.

    One pass in training mode with momentum zero does it, from the first layer to the last.
    Statistics are rounded to ten significant bits, so that another processor's last bits mostly
    do not matter.
    """
    layers = [layer for layer in model.layers if hasattr(layer, "moving_variance")]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(samples, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.moving_mean.assign(_rounded(np.asarray(layer.moving_mean)))
        layer.moving_variance.assign(_rounded(np.asarray(layer.moving_variance)))


def spread_outputs(model: Any, samples: NDArray[np.float32], *, deviation: float) -> None:
    """Scale and shift the last dense layer: each output before its activation gets mean zero and
    the standard deviation ``deviation`` over ``samples``."""
    from tensorflow import keras

    last = model.layers[-1]
    features = np.asarray(keras.Model(model.inputs, last.input)(samples, training=False))
    kernel = np.asarray(last.kernel, dtype=np.float64)
    raw = features.astype(np.float64) @ kernel
    scale = deviation / np.maximum(raw.std(axis=0), 1e-6)
    last.kernel.assign(_rounded(kernel * scale))
    last.bias.assign(_rounded(-raw.mean(axis=0) * scale))


def _is_depthwise(layer: Any) -> bool:
    return type(layer).__name__ == "DepthwiseConv2D"


def _rounded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values with SIGNIFICANT_BITS bits of mantissa."""
    mantissa, exponent = np.frexp(values.astype(np.float64))
    steps = float(2**SIGNIFICANT_BITS)
    return np.asarray(np.ldexp(np.round(mantissa * steps) / steps, exponent), dtype=np.float32)
