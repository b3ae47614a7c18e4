"""Where layers leave their outputs in the data memories, and which of them must stream.

All processors of a layer keep their part of an output at one offset of their memories, so places
are found as if there were one. Sources: ai8x-synthesis README (data memory, streaming, write_gap)
and its izer.
"""

from __future__ import annotations

from dataclasses import dataclass

from npubench.compiler.backends.max7800x.layer import INPUT, Shape
from npubench.compiler.backends.max7800x.limits import HINT
from npubench.compiler.backends.max7800x.scheme import QuantizedChain, QuantizedLayer
from npubench.core.errors import UnsupportedOp
from npubench.npu.max7800x.device import Device

PROCESSORS = 64
SHARED = 4  # processors that share a data memory
WIDE_BYTES = 4
ALIGN_BYTES = 16
MOST_STREAMING = 8
FIFO_CHANNELS = 4
RING_ROWS = 12
"""Rows of a layer that streams that are kept for the next one: its window, its kernel and what the
tool adds for the layers' start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """How channels lie on processors: ``passes`` over ``processors`` of them."""

    passes: int
    processors: int

    @property
    def mask(self) -> int:
        """The processors as ai8xize takes them: one bit each."""
        return (1 << self.processors) - 1


def channels_of(count: int) -> Channels:
    """The fewest passes; with several, processors in whole groups of four."""
    passes = -(-count // PROCESSORS)
    processors = -(-count // passes)
    if passes > 1:
        processors = -(-processors // SHARED) * SHARED
    return Channels(passes=passes, processors=processors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Offsets of what each layer reads and writes; the first ``streaming`` layers stream."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    streaming: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Buffer:
    """Bytes that are needed from layer ``born`` to layer ``ends``, both included."""

    size_bytes: int
    born: int
    ends: int


def place(quantized: QuantizedChain, device: Device) -> Placement:
    """The places. The network's input begins at 0, or comes by FIFO where layers stream.

    Raises UnsupportedOp where the memory is too small, also with streaming.
    """
    found = _in_turns(quantized, device) if quantized.chain.is_plain else _fitted(quantized, device)
    for streaming in range(1, MOST_STREAMING + 1):
        if found is not None:
            return found
        if _may_stream(quantized, streaming):
            found = _fitted(quantized, device, streaming)
    if found is not None:
        return found
    worst = max(quantized.layers, key=lambda s: _bytes(s.layer.source_shape) + output_bytes_of(s))
    shape = worst.layer.source_shape
    raise UnsupportedOp(
        op=worst.layer.kind,
        index=worst.layer.op_indices[-1],
        reason=f"{shape[1]}x{shape[2]} pixels take {_bytes(shape)} bytes, its output "
        f"{output_bytes_of(worst)}, of a data memory of {device.memory_bytes}, and streaming does "
        f"not help: {_why_not(quantized)}",
        hint=HINT,
    )


def output_bytes_of(step: QuantizedLayer) -> int:
    """Of a layer's output, without room for another operand."""
    return _bytes(step.layer.target_shape, WIDE_BYTES if step.wide else 1)


def _bytes(shape: Shape, width_bytes: int = 1) -> int:
    """Of a data memory: four channels in a word, the passes one after the other."""
    return shape[1] * shape[2] * SHARED * channels_of(shape[0]).passes * width_bytes


def _in_turns(quantized: QuantizedChain, device: Device) -> Placement | None:
    """Outputs at the two ends of the memory in turn: one lies at its start, the other begins at its
    half, or higher where the first needs more."""
    offsets = [0]
    for step in quantized.layers:
        source, needed = offsets[-1], (_bytes(step.layer.source_shape), output_bytes_of(step))
        target = 0
        if source == 0:
            target = device.half_bytes
            if max(needed) > device.half_bytes:
                target = device.memory_bytes - -(-needed[1] // ALIGN_BYTES) * ALIGN_BYTES
        low, high = (needed[0], target) if source == 0 else (needed[1], source)
        if low > high or max(source + needed[0], target + needed[1]) > device.memory_bytes:
            return None
        offsets.append(target)
    return Placement(inputs=tuple(offsets[:-1]), outputs=tuple(offsets[1:]))


def _fitted(quantized: QuantizedChain, device: Device, streaming: int = 0) -> Placement | None:
    """Each output at the lowest place that is free as long as it is needed; operands of a sum in
    one. What streams keeps a few rows, all of it at once."""
    layers = quantized.chain.layers
    owner = {at: at for at in range(len(layers))}
    for layer in layers:
        if layer.kind == "add":
            owner |= dict.fromkeys(layer.inputs, layer.inputs[0])
    buffers: dict[int, _Buffer] = {INPUT: _buffer(quantized, INPUT, [INPUT], streaming)}
    for at in sorted(set(owner.values())):
        members = [other for other, whose in owner.items() if whose == at]
        buffers[at] = _buffer(quantized, at, members, streaming)
    offsets: dict[int, int] = {}
    for at in sorted(buffers, key=lambda key: (buffers[key].born, key)):
        mine = buffers[at]
        busy = sorted(
            (offsets[other], offsets[other] + buffers[other].size_bytes)
            for other in offsets
            if buffers[other].born <= mine.ends and mine.born <= buffers[other].ends
        )
        begin = 0
        for low, high in busy:
            if begin + mine.size_bytes <= low:
                break
            begin = max(begin, -(-high // ALIGN_BYTES) * ALIGN_BYTES)
        if begin + mine.size_bytes > device.memory_bytes:
            return None
        offsets[at] = begin
    inputs, outputs = [], []
    for at, layer in enumerate(layers):
        source = layer.inputs[0]
        inputs.append(offsets[INPUT if source == INPUT else owner[source]])
        second = at != owner[at] or _is_second(quantized, at)
        outputs.append(offsets[owner[at]] + WIDE_BYTES * second)
    return Placement(inputs=tuple(inputs), outputs=tuple(outputs), streaming=streaming)


def _is_second(quantized: QuantizedChain, at: int) -> bool:
    return any(
        layer.kind == "add" and layer.inputs[1] == at and layer.inputs[0] != at
        for layer in quantized.chain.layers
    )


def _buffer(quantized: QuantizedChain, at: int, members: list[int], streaming: int) -> _Buffer:
    chain = quantized.chain
    readers = [n for n, layer in enumerate(chain.layers) if set(members) & set(layer.inputs)]
    ends = max([*readers, *members])
    if set(members) & set(chain.outputs):
        ends = len(chain.layers)
    shape = chain.layers[0].source_shape if at == INPUT else chain.layers[at].target_shape
    size = _bytes(shape) if at == INPUT else output_bytes_of(quantized.layers[at])
    born = min(members)
    if at < streaming - 1:
        row = SHARED * channels_of(shape[0]).passes * shape[2]
        size, ends = min(size, RING_ROWS * row), max(ends, streaming - 1)
    if at < streaming:
        born = INPUT
    return _Buffer(size_bytes=size * len(members), born=born, ends=ends)


def _may_stream(quantized: QuantizedChain, count: int) -> bool:
    """Whether the first ``count`` layers may: convolutions of 3x3 one after the other, the last of
    them padded, the input on few processors."""
    layers = quantized.chain.layers
    if count > len(layers) or layers[0].source_shape[0] > FIFO_CHANNELS:
        return False
    first = layers[:count]
    one_by_one = all(
        layer.inputs == (at - 1,) and layer.kind == "conv" and layer.weights.shape[2] > 1
        for at, layer in enumerate(first)
    )
    readers = [at for at, layer in enumerate(layers) for source in layer.inputs if source < count]
    unread = all(readers.count(at) == 1 for at in range(1, count))
    whole = not any(layer.gapped for layer in first) and not set(range(count - 1)) & set(
        quantized.chain.outputs
    )
    return one_by_one and unread and whole and first[-1].pad[0] > 0


def _why_not(quantized: QuantizedChain) -> str:
    channels = quantized.chain.layers[0].source_shape[0]
    if channels > FIFO_CHANNELS:
        return f"its input has {channels} channels, {FIFO_CHANNELS} are streamed here at most"
    return f"only padded convolutions of 3x3, one after the other, at most {MOST_STREAMING}, stream"
