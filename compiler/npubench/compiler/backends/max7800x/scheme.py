"""The accelerator's arithmetic: int8 times int8, power-of-two scales, no zero points.

A value q stands for q * 2**exponent. A layer sums x * w and 128 * bias exactly, shifts right with
rounding half up, and saturates to int8; the last layer may give the sum itself in 32 bits. Source:
ai8x-synthesis README (quantization, output_shift). It is the tool's own simulator that gives the
known answer; this model shows what the scheme costs in accuracy before any board is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.max7800x.chain import HINT
from npubench.compiler.backends.max7800x.layer import Chain, Floats, Layer
from npubench.compiler.graph import Graph, Tensor
from npubench.core.errors import UnsupportedOp
from npubench.core.seeded import seeded_bytes

BIAS_UNIT = 128
SHIFT_LIMIT = 15
ACCURACY_SEEDS = tuple(range(1, 17))

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedLayer:
    """A layer in the accelerator's numbers. ``output_shift`` as ai8xize takes it: the total right
    shift is 7 - output_shift. ``exponent`` is that of what it gives."""

    layer: Layer
    weights: Ints
    bias: Ints
    weight_exponent: int
    output_shift: int
    exponent: int
    wide: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedChain:
    """The whole chain; ``input_exponent``: of its int8 input."""

    chain: Chain
    layers: tuple[QuantizedLayer, ...]
    input_exponent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyCost:
    """What the scheme costs against the network's own int8 answers. ``largest_error`` and
    ``output_range`` (of the network's outputs) in real units."""

    samples: int
    same_class_ratio: float
    largest_error: float
    output_range: float


def quantize_chain(graph: Graph, chain: Chain) -> QuantizedChain:
    """Choose every exponent from the network's own ranges. Raises UnsupportedOp when a layer's
    shift is out of the accelerator's reach."""
    exponent = first = _exponent(_largest(graph.tensor(chain.layers[0].source)))
    layers = []
    for number, layer in enumerate(chain.layers):
        if layer.kind == "pool":
            layers.append(_pooling(layer, exponent))
            continue
        wide = number == len(chain.layers) - 1 and not layer.relu
        target = _exponent(_largest(graph.tensor(layer.target)))
        quantized = _quantize(layer, exponent, target, wide=wide)
        layers.append(quantized)
        exponent = quantized.exponent
    return QuantizedChain(chain=chain, layers=tuple(layers), input_exponent=first)


def _pooling(layer: Layer, exponent: int) -> QuantizedLayer:
    """A layer that only pools keeps its input's scale."""
    nothing = np.zeros(0, dtype=np.int64)
    return QuantizedLayer(
        layer=layer, weights=nothing, bias=nothing, weight_exponent=0, output_shift=0,
        exponent=exponent, wide=False,
    )  # fmt: skip


def _quantize(layer: Layer, source: int, target: int, *, wide: bool) -> QuantizedLayer:
    weight = _exponent(float(np.abs(layer.weights).max(initial=0.0)))
    needed = float(np.abs(layer.bias).max(initial=0.0))
    while needed / (math.ldexp(1.0, source + weight) * BIAS_UNIT) > 127:
        weight += 1
    unit = math.ldexp(1.0, source + weight)
    shift = target - source - weight
    output_shift = 0 if wide else 7 - shift
    if abs(output_shift) > SHIFT_LIMIT:
        raise UnsupportedOp(
            op="layer",
            index=layer.op_indices[-1],
            reason=f"its scales need an output shift of {output_shift}: {SHIFT_LIMIT} at most",
            hint=HINT,
        )
    return QuantizedLayer(
        layer=layer,
        weights=_integers(layer.weights / math.ldexp(1.0, weight)),
        bias=_integers(layer.bias / (unit * BIAS_UNIT)),
        weight_exponent=weight,
        output_shift=output_shift,
        exponent=source + weight if wide else target,
        wide=wide,
    )


def input_table(tensor: Tensor, exponent: int) -> bytes:
    """256 bytes: the accelerator's int8 for each byte of the network's int8 input."""
    quantization = tensor.quantization
    assert quantization is not None
    values = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float64)
    real = (values - quantization.zero_point) * quantization.scale
    table: bytes = _integers(real / math.ldexp(1.0, exponent)).astype(np.int8).tobytes()
    return table


def sample_input(graph: Graph, quantized: QuantizedChain, seed: int) -> Ints:
    """The generated input in the accelerator's numbers, (channels, height, width)."""
    tensor = graph.tensor(graph.inputs[0])
    data = np.frombuffer(seeded_bytes(seed, tensor.size_bytes), dtype=np.uint8)
    table = np.frombuffer(input_table(tensor, quantized.input_exponent), dtype=np.int8)
    channels, high, wide = quantized.chain.layers[0].source_shape
    return table[data].astype(np.int64).reshape(high, wide, channels).transpose(2, 0, 1)


def output_bytes(graph: Graph, quantized: QuantizedChain, values: Ints) -> bytes:
    """The accelerator's numbers as the network's own int8 output tensor, as the driver does it."""
    tensor = graph.tensor(quantized.chain.layers[-1].target)
    assert tensor.quantization is not None
    ratio = output_ratio(graph, quantized)
    scaled = np.floor(values.reshape(-1).astype(np.float32) * np.float32(ratio) + np.float32(0.5))
    shifted = scaled.astype(np.int64) + tensor.quantization.zero_point
    data: bytes = np.clip(shifted, -128, 127).astype(np.int8).tobytes()
    return data


def output_ratio(graph: Graph, quantized: QuantizedChain) -> float:
    """Steps of the network's output tensor per step of the accelerator's output."""
    tensor = graph.tensor(quantized.chain.layers[-1].target)
    assert tensor.quantization is not None
    return math.ldexp(1.0, quantized.layers[-1].exponent) / tensor.quantization.scale


def simulate(quantized: QuantizedChain, data: Ints) -> Ints:
    """What the accelerator gives for (channels, height, width) of int8."""
    for step in quantized.layers:
        data = _pooled(step.layer, data, integers=True)
        if step.layer.kind == "pool":
            continue
        data = _sum(step.layer, step.weights, data)
        data = data + BIAS_UNIT * step.bias.reshape(-1, 1, 1)
        if step.wide:
            return data
        shift = 7 - step.output_shift
        data = (data + (1 << (shift - 1)) >> shift) if shift > 0 else data << -shift
        data = np.clip(data, 0 if step.layer.relu else -128, 127)
    return data


def int8_reference(graph: Graph, chain: Chain, codes: Ints) -> Ints:
    """The network's own int8 answer for (channels, height, width) of its input codes: after every
    layer rounded to the codes of its output and saturated there, as the network is."""
    data: Floats = _real(graph.tensor(graph.inputs[0]), codes)
    found = codes
    for layer in chain.layers:
        data = _pooled(layer, data, integers=False)
        if layer.kind != "pool":
            data = _sum(layer, layer.weights, data)
            data = data + layer.bias.reshape(-1, 1, 1)
            if layer.relu:
                data = np.maximum(data, 0.0)
        tensor = graph.tensor(layer.target)
        found = _codes(tensor, data)
        data = _real(tensor, found)
    return found


def accuracy_cost(
    graph: Graph, quantized: QuantizedChain, samples: Ints | None = None
) -> AccuracyCost:
    """Compare the scheme with the network's own int8 answers, in real units.

    ``samples``: codes of the input, (samples, height, width, channels); None: generated ones, which
    are noise over the whole range.
    """
    source = graph.tensor(graph.inputs[0])
    target = graph.tensor(quantized.chain.layers[-1].target)
    channels, high, wide = quantized.chain.layers[0].source_shape
    if samples is None:
        samples = np.stack(
            [
                np.frombuffer(seeded_bytes(seed, source.size_bytes), dtype=np.int8)
                for seed in ACCURACY_SEEDS
            ]
        ).astype(np.int64)
    table = np.frombuffer(input_table(source, quantized.input_exponent), dtype=np.int8)
    same = 0
    error = span = 0.0
    for sample in samples:
        codes = sample.reshape(high, wide, channels).transpose(2, 0, 1)
        exact = _real(target, int8_reference(graph, quantized.chain, codes)).reshape(-1)
        given = table[codes.astype(np.uint8)].astype(np.int64)
        values = output_bytes(graph, quantized, simulate(quantized, given))
        ours = _real(target, np.frombuffer(values, dtype=np.int8).astype(np.int64))
        same += int(np.argmax(exact) == np.argmax(ours))
        error = max(error, float(np.abs(exact - ours).max()))
        span = max(span, float(np.ptp(exact)))
    return AccuracyCost(
        samples=len(samples),
        same_class_ratio=same / len(samples),
        largest_error=round(error, 6),
        output_range=round(span, 6),
    )


def _real(tensor: Tensor, codes: Ints) -> Floats:
    """What the codes of a tensor stand for."""
    quantization = tensor.quantization
    assert quantization is not None
    return (codes.astype(np.float64) - quantization.zero_point) * quantization.scale


def _codes(tensor: Tensor, values: Floats) -> Ints:
    quantization = tensor.quantization
    assert quantization is not None
    return _integers(values / quantization.scale + quantization.zero_point)


def _pooled(layer: Layer, data: NDArray[Any], *, integers: bool) -> NDArray[Any]:
    pool = layer.pool
    data = data.reshape(layer.source_shape)
    if pool is None:
        return data
    windows = np.lib.stride_tricks.sliding_window_view(data, pool.size, axis=(1, 2))
    windows = windows[:, :: pool.stride[0], :: pool.stride[1]]
    if pool.kind == "max":
        largest: NDArray[Any] = windows.max(axis=(3, 4))
        return largest
    total = windows.sum(axis=(3, 4))
    area = pool.size[0] * pool.size[1]
    mean: NDArray[Any] = np.trunc(total / area).astype(np.int64) if integers else total / area
    return mean


def _sum(layer: Layer, weights: NDArray[Any], data: NDArray[Any]) -> NDArray[Any]:
    """Exact also for integers: sums of int8 products stay far below 2**53, and float64 goes through
    the matrix library."""
    whole = data.dtype.kind == "i"
    taps = weights.astype(np.float64)
    if layer.kind == "dense":
        found = np.tensordot(taps, data.astype(np.float64), axes=([1, 2, 3], [0, 1, 2]))
        found = found.reshape(-1, 1, 1)
    else:
        rows, columns = layer.pad
        padded = np.pad(data.astype(np.float64), ((0, 0), (rows, rows), (columns, columns)))
        size = weights.shape[2:]
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))
        found = np.tensordot(taps, windows, axes=([1, 2, 3], [0, 3, 4]))
    return found.astype(np.int64) if whole else found


def _largest(tensor: Tensor) -> float:
    quantization = tensor.quantization
    assert quantization is not None
    ends = [abs(q - quantization.zero_point) * quantization.scale for q in (-128, 127)]
    return max(ends)


def _exponent(largest: float) -> int:
    """The smallest e with largest <= 127 * 2**e."""
    return math.ceil(math.log2(largest / 127)) if largest > 0 else -7


def _integers(values: Floats) -> Ints:
    return np.clip(np.floor(values + 0.5), -128, 127).astype(np.int64)
