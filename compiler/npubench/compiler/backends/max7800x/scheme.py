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

from npubench.compiler.backends.max7800x.layer import INPUT, WEIGHTLESS, Chain, Floats, Layer
from npubench.compiler.backends.max7800x.limits import HINT
from npubench.compiler.backends.max7800x.weight_bits import (
    EIGHT,
    Bits,
    as_codes,
    weight_exponent,
)
from npubench.compiler.graph import Graph, Tensor
from npubench.core.errors import UnsupportedOp
from npubench.core.seeded import seeded_bytes

BIAS_UNIT = 128
SHIFT_LIMIT = 15

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedLayer:
    """A layer in the accelerator's numbers. ``output_shift`` as ai8xize takes it: the total right
    shift is 7 - output_shift. ``exponent`` is that of what it gives; ``bits``: of its weights."""

    layer: Layer
    weights: Ints
    bias: Ints
    weight_exponent: int
    output_shift: int
    exponent: int
    wide: bool
    bits: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedChain:
    """The whole chain; ``input_exponent``: of its int8 input."""

    chain: Chain
    layers: tuple[QuantizedLayer, ...]
    input_exponent: int


def quantize_chain(graph: Graph, chain: Chain, bits: Bits = EIGHT) -> QuantizedChain:
    """Choose every exponent from the network's own ranges. ``bits``: of each layer's weights.

    Raises UnsupportedOp when a layer's shift is out of the accelerator's reach, UsageError for
    bits of a layer that there is not.
    """
    exponents = _exponents(graph, chain)
    weighted = [at for at, layer in enumerate(chain.layers) if _is_learnt(layer)]
    bits.check(len(weighted))
    alone = len(chain.outputs) == 1
    found: list[QuantizedLayer] = []
    for at, layer in enumerate(chain.layers):
        source = exponents[layer.inputs[0]]
        if not layer.has_weights:
            found.append(_handed_on(layer, source))
            continue
        pixel = layer.target_shape[1:] == (1, 1)
        wide = alone and pixel and at == chain.outputs[0] and not layer.relu
        if layer.kind == "add":
            found.append(_rectified(layer, source))
            continue
        width = bits.of(weighted.index(at))
        found.append(_quantize(layer, source, exponents[at], wide=wide, bits=width))
    return QuantizedChain(chain=chain, layers=tuple(found), input_exponent=exponents[INPUT])


def _is_learnt(layer: Layer) -> bool:
    return layer.has_weights and layer.kind != "add"


def _exponents(graph: Graph, chain: Chain) -> dict[int, int]:
    """Of the input and of what each layer gives. What only moves values keeps their scale; a sum
    and its operands have one."""
    group = {INPUT: INPUT} | {at: at for at in range(len(chain.layers))}

    def root(at: int) -> int:
        while group[at] != at:
            at = group[at]
        return at

    needed = {INPUT: _exponent(_largest(graph.tensor(graph.inputs[0])))}
    for at, layer in enumerate(chain.layers):
        needed[at] = needed[layer.inputs[0]]
        if layer.kind not in WEIGHTLESS:
            needed[at] = _exponent(_largest(graph.tensor(layer.target)))
        if layer.kind in WEIGHTLESS or layer.kind == "add":
            for source in layer.inputs:
                group[root(at)] = root(source)
    largest: dict[int, int] = {}
    for at, exponent in needed.items():
        if at == INPUT or chain.layers[at].kind not in WEIGHTLESS:
            largest[root(at)] = max(largest.get(root(at), exponent), exponent)
    return {at: largest[root(at)] for at in needed}


def _handed_on(layer: Layer, exponent: int) -> QuantizedLayer:
    """A layer without weights keeps its input's scale."""
    nothing = np.zeros(0, dtype=np.int64)
    return QuantizedLayer(
        layer=layer, weights=nothing, bias=nothing, weight_exponent=0, output_shift=0,
        exponent=exponent, wide=False,
    )  # fmt: skip


def _rectified(layer: Layer, exponent: int) -> QuantizedLayer:
    """A sum through weights of one, as a rectifier needs some: 64, shifted right by six."""
    return QuantizedLayer(
        layer=layer, weights=(64 * layer.weights).astype(np.int64),
        bias=np.zeros(layer.weights.shape[0], dtype=np.int64), weight_exponent=-6, output_shift=1,
        exponent=exponent, wide=False,
    )  # fmt: skip


def _quantize(layer: Layer, source: int, target: int, *, wide: bool, bits: int) -> QuantizedLayer:
    weight = weight_exponent(layer.weights, bits)
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
        weights=as_codes(layer.weights, weight, bits),
        bias=_integers(layer.bias / (unit * BIAS_UNIT)),
        weight_exponent=weight,
        output_shift=output_shift,
        exponent=source + weight if wide else target,
        wide=wide,
        bits=bits,
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


def output_bytes(
    graph: Graph, quantized: QuantizedChain, values: Ints, layer: int | None = None
) -> bytes:
    """The accelerator's numbers (channels, height, width) as the int8 tensor of the output that
    ``layer`` gives (None: the last), channels last, as the driver does it."""
    at = quantized.chain.outputs[-1] if layer is None else layer
    tensor = graph.tensor(quantized.chain.layers[at].target)
    assert tensor.quantization is not None
    ratio = output_ratio(graph, quantized, at)
    ordered = values if values.ndim == 1 else np.moveaxis(values, 0, -1).reshape(-1)
    scaled = np.floor(ordered.astype(np.float32) * np.float32(ratio) + np.float32(0.5))
    shifted = scaled.astype(np.int64) + tensor.quantization.zero_point
    data: bytes = np.clip(shifted, -128, 127).astype(np.int8).tobytes()
    return data


def output_ratio(graph: Graph, quantized: QuantizedChain, layer: int | None = None) -> float:
    """Steps of an output tensor per step of the accelerator's output."""
    at = quantized.chain.outputs[-1] if layer is None else layer
    tensor = graph.tensor(quantized.chain.layers[at].target)
    assert tensor.quantization is not None
    return math.ldexp(1.0, quantized.layers[at].exponent) / tensor.quantization.scale


def simulate(quantized: QuantizedChain, data: Ints) -> Ints:
    """What the accelerator's last output is for (channels, height, width) of int8."""
    return simulate_outputs(quantized, data)[-1]


def simulate_outputs(quantized: QuantizedChain, data: Ints) -> tuple[Ints, ...]:
    """Its outputs, in the order of the layers that give them."""
    given = simulate_layers(quantized, data)
    return tuple(given[at] for at in quantized.chain.outputs)


def simulate_layers(quantized: QuantizedChain, data: Ints) -> dict[int, Ints]:
    """What every layer gives, in its own numbers; INPUT: the input."""
    given: dict[int, Ints] = {INPUT: data}
    for at, step in enumerate(quantized.layers):
        layer = step.layer
        found = _taken(layer, given)
        if layer.kind == "add":
            found = np.clip(found, -128, 127)
        found = _pooled(layer, found, integers=True)
        given[at] = _multiplied(step, found) if layer.has_weights else found
    return given


def _taken(layer: Layer, given: dict[int, Any]) -> NDArray[Any]:
    """What a layer takes: an output, or the sum of two."""
    found: NDArray[Any] = given[layer.inputs[0]].reshape(layer.source_shape)
    for other in layer.inputs[1:]:
        found = found + given[other].reshape(layer.source_shape)
    return found


def _multiplied(step: QuantizedLayer, data: Ints) -> Ints:
    data = _sum(step.layer, step.weights, data)
    data = data + BIAS_UNIT * step.bias.reshape(-1, 1, 1)
    if step.wide:
        return data
    shift = 7 - step.output_shift
    data = (data + (1 << (shift - 1)) >> shift) if shift > 0 else data << -shift
    clipped: Ints = np.clip(data, 0 if step.layer.relu else -128, 127)
    return clipped


def int8_reference(graph: Graph, chain: Chain, codes: Ints) -> Ints:
    """The network's own int8 answer (its last output's) for (channels, height, width) of its input
    codes: after every layer rounded to the codes of its output and saturated there, as the network
    is."""
    return int8_outputs(graph, chain, codes)[-1]


def int8_outputs(graph: Graph, chain: Chain, codes: Ints) -> tuple[Ints, ...]:
    """As int8_reference, every output."""
    found = int8_layers(graph, chain, codes)
    return tuple(found[at] for at in chain.outputs)


def int8_layers(graph: Graph, chain: Chain, codes: Ints) -> dict[int, Ints]:
    """As int8_reference, the codes that every layer gives; INPUT: the input."""
    given: dict[int, Floats] = {INPUT: real_of(graph.tensor(graph.inputs[0]), codes)}
    found: dict[int, Ints] = {INPUT: codes}
    for at, layer in enumerate(chain.layers):
        data = _pooled(layer, _taken(layer, given), integers=False)
        if layer.pool is not None and layer.pool.kind == "avg" and layer.has_weights:
            before = layer.inputs[0]
            source = graph.inputs[0] if before == INPUT else chain.layers[before].target
            data = real_of(graph.tensor(source), _codes(graph.tensor(source), data))
        if layer.has_weights:
            data = _sum(layer, layer.weights, data)
            data = data + layer.bias.reshape(-1, 1, 1)
            if layer.relu:
                data = np.maximum(data, 0.0)
        tensor = graph.tensor(layer.target)
        found[at] = _codes(tensor, data)
        given[at] = real_of(tensor, found[at])
    return found


def real_of(tensor: Tensor, codes: Ints) -> Floats:
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
    if layer.kind == "depthwise":
        rows, columns = layer.pad
        padded = np.pad(data.astype(np.float64), ((0, 0), (rows, rows), (columns, columns)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[2:], axis=(1, 2))
        found = np.asarray(np.einsum("cij,cyxij->cyx", taps[:, 0], windows))
    elif layer.kind == "dense":
        found = np.tensordot(taps, data.astype(np.float64), axes=([1, 2, 3], [0, 1, 2]))
        found = found.reshape(-1, 1, 1)
    else:
        rows, columns = layer.pad
        if layer.kind == "transposed":
            stretched = np.zeros((data.shape[0], 2 * data.shape[1], 2 * data.shape[2]))
            stretched[:, ::2, ::2] = data
            data = stretched
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
