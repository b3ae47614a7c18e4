"""What the accelerator's arithmetic costs: its answers beside the network's own int8 answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from npubench.compiler.backends.max7800x.layer import Floats
from npubench.compiler.backends.max7800x.scheme import (
    Ints,
    QuantizedChain,
    input_table,
    int8_layers,
    output_bytes,
    real_of,
    simulate_layers,
)
from npubench.compiler.graph import Graph
from npubench.stats.noise import noisiest

LOUD_DB = 200.0
"""Stands for no noise at all."""
SAMPLES = 100
SEARCH_SAMPLES = 8
_SEED = 1_000_003


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyCost:
    """What the scheme costs against the network's own int8 answers. ``largest_error`` and
    ``output_range`` (of the network's outputs) in real units; ``snr_db``: signal to noise over all
    samples and outputs, ``lowest_snr_db``: of the output that has least. ``worst_op``: the operator
    that adds most noise beside its signal; None where nothing differs."""

    samples: int
    same_class_ratio: float
    largest_error: float
    output_range: float
    snr_db: float
    lowest_snr_db: float
    worst_op: int | None


def drawn_samples(quantized: QuantizedChain) -> Ints:
    """Inputs as the zoo calibrates: half white noise, half patches, over the whole range; codes,
    (SAMPLES, height, width, channels)."""
    from npubench.compiler.quantize.weights import mixed_samples

    channels, high, wide = quantized.chain.layers[0].source_shape
    drawn = mixed_samples((high, wide, channels), count=SAMPLES, low=-128.0, high=127.0, seed=_SEED)
    return np.rint(drawn).astype(np.int64)


def accuracy_cost(
    graph: Graph, quantized: QuantizedChain, samples: Ints | None = None
) -> AccuracyCost:
    """Compare the scheme with the network's own int8 answers, in real units, over all outputs; the
    best class is the last output's, and of scores that tie each is the best.

    ``samples``: codes of the input, (samples, height, width, channels); None: drawn_samples.
    """
    source = graph.tensor(graph.inputs[0])
    chain = quantized.chain
    channels, high, wide = chain.layers[0].source_shape
    if samples is None:
        samples = drawn_samples(quantized)
    table = np.frombuffer(input_table(source, quantized.input_exponent), dtype=np.int8)
    same = 0
    error = span = 0.0
    signals = np.zeros(len(chain.outputs))
    noises = np.zeros(len(chain.outputs))
    by_layer = np.zeros((2, len(chain.layers)))
    for count, sample in enumerate(samples):
        codes = sample.reshape(high, wide, channels).transpose(2, 0, 1)
        right = int8_layers(graph, chain, codes)
        ours = simulate_layers(quantized, table[codes.astype(np.uint8)].astype(np.int64))
        for number, at in enumerate(chain.outputs):
            target = graph.tensor(chain.layers[at].target)
            exact = real_of(target, right[at]).reshape(-1)
            data = output_bytes(graph, quantized, ours[at], at)
            shape = ours[at].shape
            found_codes = np.frombuffer(data, dtype=np.int8).reshape(*shape[1:], shape[0])
            found = real_of(target, found_codes.astype(np.int64).transpose(2, 0, 1)).reshape(-1)
            error = max(error, float(np.abs(exact - found).max()))
            span = max(span, float(np.ptp(exact)))
            signals[number] += np.square(exact).sum()
            noises[number] += np.square(exact - found).sum()
        same += int(exact[np.argmax(found)] == exact.max())
        if count < SEARCH_SAMPLES:
            by_layer += _powers(graph, quantized, right, ours)
    return AccuracyCost(
        samples=len(samples),
        same_class_ratio=same / len(samples),
        largest_error=round(error, 6),
        output_range=round(span, 6),
        snr_db=_decibels(float(signals.sum()), float(noises.sum())),
        lowest_snr_db=min(map(_decibels, signals.tolist(), noises.tolist())),
        worst_op=_worst_op(quantized, by_layer),
    )


def _powers(
    graph: Graph, quantized: QuantizedChain, right: dict[int, Ints], ours: dict[int, Ints]
) -> Floats:
    """Of every layer the power of the int8 network's values and that of the difference."""
    found = np.zeros((2, len(quantized.layers)))
    for at, step in enumerate(quantized.layers):
        exact = real_of(graph.tensor(step.layer.target), right[at]).reshape(-1)
        given = ours[at].reshape(-1) * math.ldexp(1.0, step.exponent)
        found[:, at] = np.square(exact).sum(), np.square(exact - given).sum()
    return found


def _worst_op(quantized: QuantizedChain, powers: Floats) -> int | None:
    """The last operator of the layer that adds most noise beside its signal."""
    steps = dict(enumerate(quantized.layers))
    beside = {
        at: float(noise / signal) if signal > 0 else float(noise > 0)
        for at, (signal, noise) in enumerate(powers.T)
    }
    worst = noisiest(beside, {at: step.layer.inputs for at, step in steps.items()})
    return None if worst is None else steps[worst].layer.op_indices[-1]


def _decibels(signal: float, noise: float) -> float:
    if noise <= 0:
        return LOUD_DB
    return round(min(10 * math.log10(signal / noise), LOUD_DB), 2) if signal > 0 else -LOUD_DB
