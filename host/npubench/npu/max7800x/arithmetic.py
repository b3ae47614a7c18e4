"""What a layer computes, on its decoded registers and the memories.

Sources: ai8x-synthesis README (quantization, output shift, pooling) and its izer/simulate.py and
izer/compute.py (rounding and saturation of the known answers); izer/kernels.py and izer/kbias.py
(where kernels and biases lie). Sums are exact: products of int8 stay far below 2**53.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.npu.max7800x.layout import INSTANCES, PER_QUADRANT, SHARED
from npubench.npu.max7800x.memory import BiasMemory, Bytes, DataMemory, Indices, WeightMemory
from npubench.npu.max7800x.program import AcceleratorStopped, LayerProgram

BIAS_UNIT = 128
LOW, HIGH = -128, 127
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def run_layer(
    layer: LayerProgram,
    *,
    source: DataMemory,
    target: DataMemory,
    weights: WeightMemory,
    biases: BiasMemory,
    binary: bool,
    rounds_average: bool,
    late_bias: bool,
) -> None:
    """Compute ``layer`` from ``source`` into ``target``.

    ``binary``: one-bit weights are +1 and -1. ``rounds_average``: average pooling rounds, else it
    truncates. ``late_bias``: the first bias is left out, as the first layer of a stream does on
    the MAX78000. Raises AcceleratorStopped for an address that is in no memory.
    """
    data = _combined(layer, _read(layer, source), rounds_average=rounds_average)
    if layer.kind == "passthrough":
        _write_packed(layer, data, target)
    elif layer.kind == "depthwise":
        kernels = _kernels(layer, weights, layer.passes, binary=binary)
        sums = _depthwise(layer, data, kernels) + _depthwise_bias(layer, biases)
        _write_packed(layer, _finished(layer, sums), target)
    else:
        outputs = layer.mask_count // layer.passes
        kernels = _kernels(layer, weights, outputs * layer.passes, binary=binary)
        taps = kernels.reshape(outputs, layer.passes, len(layer.processors), *layer.kernel)
        sums = _convolved(layer, data, taps)
        sums += _bias(layer, biases, outputs, late=late_bias).reshape(-1, 1, 1)
        _write_slots(layer, _finished(layer, sums), target)


def _read(layer: LayerProgram, source: DataMemory) -> Ints:
    """(operands, passes, processors, rows, columns) of the input, as far as it is needed."""
    if layer.kind == "flatten":
        rows = columns = 1
    else:
        rows, columns = (
            (count - 1) * layer.stride + (size - 1) * apart + 1
            for count, size, apart in zip(layer.pooled, layer.window, layer.dilation, strict=True)
        )
    pixels = np.arange(rows)[:, None] * layer.width + np.arange(columns)
    if layer.planar:
        pixel_bytes = layer.read_base * 4 + pixels
        planes = []
        for processor in layer.processors:
            instance = source.bytes[processor // SHARED].reshape(-1)
            _check(layer, pixel_bytes, len(instance), "reads")
            planes.append(instance[pixel_bytes])
        read: Bytes = np.stack(planes)[None, None]
    else:
        steps = np.arange(layer.passes)[:, None] * layer.operands + np.arange(layer.operands)
        places = pixels * layer.pixel_words + steps.T[:, :, None, None] + layer.read_base
        _check(layer, places, source.words, "reads")
        planes = [
            source.bytes[processor // SHARED, :, processor % SHARED][places]
            for processor in layer.processors
        ]
        read = np.stack(planes, axis=2)
    return read.view(np.int8).astype(np.int64)


def _check(layer: LayerProgram, places: Indices, words: int, does: str) -> None:
    if places.size and not 0 <= int(places.min()) <= int(places.max()) < words:
        raise AcceleratorStopped(
            f"layer {layer.index} {does} at {int(places.max())} of a data memory of {words}"
        )


def _combined(layer: LayerProgram, data: Ints, *, rounds_average: bool) -> Ints:
    """Element-wise operation and pooling, in their order: (passes, processors, rows, columns)."""
    if layer.operands > 1 and not layer.pools_first:
        data = _eltwise(layer, data)[None]
    data = _pooled(layer, data, rounds_average=rounds_average)
    return _eltwise(layer, data) if len(data) > 1 else data[0]


def _eltwise(layer: LayerProgram, data: Ints) -> Ints:
    found = data[0]
    for other in data[1:]:
        found = {
            "sub": np.subtract, "add": np.add, "or": np.bitwise_or, "xor": np.bitwise_xor,
        }[layer.eltwise](found, other)  # fmt: skip
    clipped: Ints = np.clip(found, LOW, HIGH)
    return clipped


def _pooled(layer: LayerProgram, data: Ints, *, rounds_average: bool) -> Ints:
    rows, columns = layer.pooled if layer.kind != "flatten" else (1, 1)
    step = layer.stride
    views = [
        data[
            ...,
            i * layer.dilation[0] : i * layer.dilation[0] + (rows - 1) * step + 1 : step,
            j * layer.dilation[1] : j * layer.dilation[1] + (columns - 1) * step + 1 : step,
        ]
        for i in range(layer.window[0])
        for j in range(layer.window[1])
    ]
    if layer.pools == "max":
        largest: Ints = np.maximum.reduce(views)
        return largest
    if layer.pools == "none":
        return views[0]
    total, area = np.add.reduce(views), len(views)
    mean = total / area
    if rounds_average:
        rounded = np.where(mean < 0, np.ceil(mean - 0.5), np.floor(mean + 0.5))
        mean = np.clip(rounded, LOW, HIGH)
    whole: Ints = np.trunc(mean).astype(np.int64)
    return whole


def _kernels(layer: LayerProgram, weights: WeightMemory, count: int, *, binary: bool) -> Floats:
    """(kernels, processors, taps) in their order in memory. Kernels of fewer bits share bytes:
    the first has the lowest bits. The taps of a kernel lie in memory from the last to the first.
    """
    bits, size = layer.weight_bits, layer.kernel[0] * layer.kernel[1]
    places = layer.first_mask + bits * np.arange(count)
    first = (places >> 3) * size + layer.mask_sad
    bytes_of = first[:, None] + np.arange(size)[::-1]
    limit = weights.bytes.shape[1] * weights.bytes.shape[2]
    if int(bytes_of.max()) >= limit:
        raise AcceleratorStopped(
            f"layer {layer.index} takes weights at byte {int(bytes_of.max())} of {limit}"
        )
    found = []
    for processor in layer.processors:
        codes = weights.in_order(processor)[bytes_of].astype(np.int64)
        codes = codes >> (places & 7)[:, None] & (1 << bits) - 1
        if binary and bits == 1:
            found.append(1 - 2 * codes)
        else:
            found.append(np.where(codes >> (bits - 1), codes - (1 << bits), codes))
    stacked: Floats = np.stack(found, axis=1).astype(np.float64)
    return stacked


def _padded(layer: LayerProgram, data: Ints) -> Floats:
    """The last two axes as the taps see them: stretched for a transposed convolution, padded."""
    if layer.kind == "transposed":
        rows, columns = data.shape[-2:]
        stretched = np.zeros((*data.shape[:-2], 2 * rows, 2 * columns), dtype=np.int64)
        stretched[..., ::2, ::2] = data
        data = stretched
    around = [(0, 0)] * (data.ndim - 2) + [(layer.pad[0],) * 2, (layer.pad[1],) * 2]
    padded: Floats = np.pad(data, around).astype(np.float64)
    return padded


def _tap_views(layer: LayerProgram, data: Ints) -> list[Floats]:
    padded = _padded(layer, data)
    high, wide = layer.kernel
    rows, columns = padded.shape[-2] - high + 1, padded.shape[-1] - wide + 1
    return [padded[..., i : i + rows, j : j + columns] for i in range(high) for j in range(wide)]


def _convolved(layer: LayerProgram, data: Ints, taps: Floats) -> Ints:
    """(outputs, rows, columns). ``taps``: (outputs, passes, processors, high, wide)."""
    outputs, channels = taps.shape[0], taps.shape[1] * taps.shape[2]
    flat = taps.reshape(outputs, channels, -1)
    total: Any = 0.0
    for tap, view in enumerate(_tap_views(layer, data)):
        pixels = view.reshape(channels, -1)
        total = total + flat[:, :, tap] @ pixels
        shape = view.shape[-2:]
    sums: Ints = total.reshape(outputs, *shape).astype(np.int64)
    return sums


def _depthwise(layer: LayerProgram, data: Ints, kernels: Floats) -> Ints:
    """(passes, processors, rows, columns). ``kernels``: (passes, processors, taps)."""
    total: Any = 0.0
    for tap, view in enumerate(_tap_views(layer, data)):
        total = total + view * kernels[:, :, tap, None, None]
    sums: Ints = total.astype(np.int64)
    return sums


def _bias(layer: LayerProgram, biases: BiasMemory, outputs: int, *, late: bool) -> Ints:
    total = np.zeros(outputs, dtype=np.int64)
    for quadrant, offset in layer.biases.items():
        total += biases.values(quadrant, offset + late + np.arange(outputs))
    return BIAS_UNIT * total


def _depthwise_bias(layer: LayerProgram, biases: BiasMemory) -> Ints:
    """(passes, processors, 1, 1): each quadrant has those of its own processors; with outputs in
    place, four are read at once, and they lie accordingly."""
    found = np.zeros((layer.passes, len(layer.processors)), dtype=np.int64)
    by_quadrant: dict[int, list[int]] = {}
    for processor in layer.processors:
        by_quadrant.setdefault(processor // PER_QUADRANT, []).append(processor % PER_QUADRANT)
    several = len(by_quadrant) > 1
    for at, processor in enumerate(layer.processors):
        quadrant, number = divmod(processor, PER_QUADRANT)
        offset = layer.biases.get(quadrant)
        if offset is None:
            continue
        if layer.broadcasts:
            offset, apart = 4 * offset, PER_QUADRANT
            number = number % SHARED * SHARED + number // SHARED
        else:
            own = by_quadrant[quadrant]
            apart = own[-1] + 1 if several and quadrant != min(by_quadrant) else len(own)
            number -= own[0]
        places = offset + number + apart * np.arange(layer.passes)
        found[:, at] = biases.values(quadrant, places)
    return BIAS_UNIT * found[:, :, None, None]


def _finished(layer: LayerProgram, sums: Ints) -> Ints:
    """Shifted right by 7 less the shift with rounding half up, saturated, activated; a wide output
    is the sum itself."""
    if layer.wide:
        return sums
    right = 7 - layer.shift
    shifted = sums << -right if right <= 0 else sums + (1 << (right - 1)) >> right
    found: Ints = np.clip(shifted, LOW, HIGH)
    if layer.activation == "relu":
        found = np.maximum(found, 0)
    elif layer.activation == "abs":
        found = np.minimum(np.abs(found), HIGH)
    return found


def _write_slots(layer: LayerProgram, values: Ints, target: DataMemory) -> None:
    """Outputs in their order over slots and passes, from the leading quadrant's address on."""
    begin = layer.targets[min(layer.targets)]
    for output, plane in enumerate(values):
        turn, slot = divmod(output, layer.slots)
        lane = begin.instance * SHARED + slot
        _store(layer, target, lane, begin.word + turn * layer.output_pass_words, plane)


def _write_packed(layer: LayerProgram, values: Ints, target: DataMemory) -> None:
    """Outputs of each processor (passes, processors, rows, columns): packed from its quadrant's
    address on, or in place."""
    first: dict[int, int] = {}
    counts: dict[int, int] = {}
    for at, processor in enumerate(layer.processors):
        quadrant = processor // PER_QUADRANT
        begin = layer.targets[quadrant]
        if layer.broadcasts:
            lane = processor
        elif layer.kind == "depthwise":
            lane = begin.instance * SHARED + processor - first.setdefault(quadrant, processor)
        else:
            rank = counts.get(quadrant, 0)
            counts[quadrant] = rank + 1
            lane = begin.instance * SHARED + rank
        for turn in range(values.shape[0]):
            word = begin.word + turn * layer.output_pass_words
            _store(layer, target, lane, word, values[turn, at])


def _store(layer: LayerProgram, target: DataMemory, lane: int, word: int, plane: Ints) -> None:
    instance, byte = divmod(lane, SHARED)
    if instance >= INSTANCES:
        raise AcceleratorStopped(f"layer {layer.index} writes for processor {lane}, there are 64")
    places = word + layer.output_pixel_words * np.arange(plane.size)
    if layer.wide:
        places = places + byte
    _check(layer, places, target.words, "writes")
    values = plane.reshape(-1)
    if layer.wide:
        data = values.astype("<i4").view(np.uint8).reshape(-1, 4)
        target.bytes[instance, places] = data
    else:
        target.bytes[instance, places, byte] = values.astype(np.int8).view(np.uint8)
