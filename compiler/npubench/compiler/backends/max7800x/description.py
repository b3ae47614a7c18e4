"""What ai8xize reads: the network's YAML, weights, biases and a sample.

Sources: ai8x-synthesis README (YAML keys) and its izer: yamlcfg (what is taken and refused),
sampleweight (``arch: test`` takes weights and biases from files), izer (how shapes follow from one
another), kernels (what a layer takes of the weight memory). Processors are taken from the lowest
on; activations go to the two ends of the data memory in turn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from npubench.compiler.backends.max7800x.chain import HINT
from npubench.compiler.backends.max7800x.layer import Layer, Pool
from npubench.compiler.backends.max7800x.scheme import Ints, QuantizedChain, QuantizedLayer
from npubench.core.errors import DoesNotFit, UnsupportedOp
from npubench.npu.max7800x.device import Device

PROCESSORS = 64
SHARED = 4  # processors that share a data memory
PER_QUADRANT = 16  # processors
WIDE_BYTES = 4
KERNEL_TAPS = 9
KERNEL_ALIGN = 4
ARCHITECTURE = "test"
NETWORK_FILE, WEIGHTS_FILE, BIAS_FILE, SAMPLE_FILE = (
    "network.yaml",
    "weights.npy",
    "bias.npy",
    "sample.npy",
)
END_OF_ARRAYS = b"end of arrays\n"
"""The tool reads arrays until numpy raises ValueError. At a plain end of the file numpy raises
EOFError since 1.22, which not every version of the tool catches; at these bytes it raises
ValueError in all."""


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


def describe(quantized: QuantizedChain, sample: Ints, device: Device) -> dict[str, bytes]:
    """The files by name. Raises UnsupportedOp or DoesNotFit when memory is too small."""
    _check_passes(quantized, device)
    _check_kernels(quantized, device)
    offsets = output_offsets(quantized, device)
    lines = ["---", f"arch: {ARCHITECTURE}", "dataset: npubench", "", "layers:"]
    previous: Layer | None = None
    for step, offset in zip(quantized.layers, offsets, strict=True):
        entry = _entry(step, offset, previous)
        previous = step.layer
        lines += [
            f"{'  - ' if index == 0 else '    '}{key}: {value}"
            for index, (key, value) in enumerate(entry.items())
        ]
    weighted = [step for step in quantized.layers if step.layer.kind != "pool"]
    return {
        NETWORK_FILE: ("\n".join(lines) + "\n").encode(),
        WEIGHTS_FILE: _arrays([_as_stored(step.layer, step.weights) for step in weighted]),
        BIAS_FILE: b"".join(_npy(step.bias) for step in weighted) + END_OF_ARRAYS,
        SAMPLE_FILE: _npy(sample),
    }


def output_offsets(quantized: QuantizedChain, device: Device) -> tuple[int, ...]:
    """Where each layer's output begins in the data memories; the network's input begins at 0.

    Input and output of a layer share the memory: one lies at its start, the other begins at its
    half, or higher where the first needs more. Raises UnsupportedOp when they do not fit: such
    images need streaming, which is left to the tool.
    """
    offsets: list[int] = []
    source = 0
    for step in quantized.layers:
        needed = _bytes(step.layer.source_shape), _output_bytes(step)
        target = 0
        if source == 0:
            target = device.half_bytes
            if max(needed) > device.half_bytes:
                target = device.memory_bytes - -(-needed[1] // 16) * 16
        low, high = (needed[0], target) if source == 0 else (needed[1], source)
        if low > high or max(source + needed[0], target + needed[1]) > device.memory_bytes:
            shape = step.layer.source_shape
            raise UnsupportedOp(
                op=step.layer.kind,
                index=step.layer.op_indices[-1],
                reason=f"{shape[1]}x{shape[2]} pixels take {needed[0]} bytes, its output "
                f"{needed[1]}, of a data memory of {device.memory_bytes}: it would need streaming, "
                "which is left to the tool",
                hint=HINT,
            )
        offsets.append(target)
        source = target
    return tuple(offsets)


def output_addresses(quantized: QuantizedChain, device: Device) -> tuple[tuple[int, int], ...]:
    """For each channel of the network's output (one pixel): the address of its word, and its byte
    in it (0 where the output is wide). Source: izer's unload."""
    last = quantized.layers[-1]
    on = channels_of(last.layer.target_shape[0])
    begin = device.data_base + output_offsets(quantized, device)[-1]
    places = []
    for channel in range(last.layer.target_shape[0]):
        turn, processor = divmod(channel, on.processors)
        word = begin + processor // PER_QUADRANT * device.quadrant_bytes
        word += processor % PER_QUADRANT // SHARED * device.instance_bytes
        lane = processor % SHARED
        if last.wide:
            places.append((word + (turn * SHARED + lane) * WIDE_BYTES, 0))
        else:
            places.append((word + turn * WIDE_BYTES, lane))
    return tuple(places)


def kernels_of(step: QuantizedLayer) -> int:
    """The kernels of one channel that a layer computes for each processor, over all passes."""
    layer = step.layer
    into, out = channels_of(layer.source_shape[0]), channels_of(layer.target_shape[0])
    if layer.flattens:
        _, high, wide = layer.pooled_shape
        return layer.target_shape[0] * into.passes * high * wide
    return out.processors * out.passes * into.passes


def _entry(step: QuantizedLayer, offset: int, previous: Layer | None) -> dict[str, str]:
    layer = step.layer
    operations = {"conv": "conv2d", "conv1d": "conv1d", "dense": "mlp", "pool": "passthrough"}
    entry = {
        "processors": f"0x{channels_of(layer.source_shape[0]).mask:016x}",
        "out_offset": f"0x{offset:04x}",
        "operation": operations[layer.kind],
    }
    if previous is None:
        entry["data_format"] = "HWC"
    elif previous.target_shape[1:] != layer.source_shape[1:]:
        entry["in_dim"] = f"[{layer.source_shape[1]}, {layer.source_shape[2]}]"
    if layer.pool is not None:
        entry[f"{layer.pool.kind}_pool"] = _window(layer, layer.pool)
        entry["pool_stride"] = str(layer.pool.stride[0])
    if layer.kind == "pool":
        return entry
    if layer.kind == "conv":
        entry["kernel_size"] = "x".join(str(side) for side in layer.weights.shape[2:])
    elif layer.kind == "conv1d":
        entry["kernel_size"] = str(layer.weights.shape[2])
    if layer.kind != "dense":
        entry["pad"] = str(layer.pad[0])
    elif layer.flattens:
        entry["flatten"] = "true"
    entry["activate"] = "ReLU" if layer.relu else "None"
    if step.wide:
        entry["output_width"] = "32"
    else:
        entry["output_shift"] = str(step.output_shift)
    return entry


def _window(layer: Layer, pool: Pool) -> str:
    high, wide = pool.size
    return str(high) if high == wide or layer.kind == "conv1d" else f"[{high}, {wide}]"


def _as_stored(layer: Layer, weights: Ints) -> Ints:
    """Conv2d as O, I, H, W, Conv1d as O, I, L, dense layers as O, C * H * W, 1, 1."""
    if layer.kind == "conv1d":
        return weights[:, :, :, 0]
    return weights if layer.kind == "conv" else weights.reshape(weights.shape[0], -1, 1, 1)


def _arrays(arrays: Sequence[Ints]) -> bytes:
    """One array after the other. The tool takes a single one apart: it gets one dimension more."""
    if len(arrays) == 1:
        arrays = [arrays[0][np.newaxis]]
    return b"".join(_npy(values) for values in arrays) + END_OF_ARRAYS


def _npy(values: Ints) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, dtype=np.int64), allow_pickle=False)
    return buffer.getvalue()


def _bytes(shape: tuple[int, int, int], width_bytes: int = 1) -> int:
    """Of a data memory: four channels in a word, the passes one after the other."""
    return shape[1] * shape[2] * SHARED * channels_of(shape[0]).passes * width_bytes


def _output_bytes(step: QuantizedLayer) -> int:
    return _bytes(step.layer.target_shape, WIDE_BYTES if step.wide else 1)


def _check_passes(quantized: QuantizedChain, device: Device) -> None:
    for step in quantized.layers:
        padded = step.layer.kind == "conv1d" and step.layer.pad[0] > 0
        if (
            padded
            and not device.pads_in_passes
            and channels_of(step.layer.source_shape[0]).passes > 1
        ):
            raise UnsupportedOp(
                op=step.layer.kind,
                index=step.layer.op_indices[-1],
                reason=f"the {device.name} pads no Conv1d of more than {PROCESSORS} channels",
                hint=HINT,
            )


def _check_kernels(quantized: QuantizedChain, device: Device) -> None:
    kernels = 0
    for step in quantized.layers:
        if step.layer.kind == "pool":
            continue
        channels = step.layer.source_shape[0]
        on = channels_of(channels)
        if step.layer.flattens and on.passes * on.processors != channels:
            raise UnsupportedOp(
                op=step.layer.kind,
                index=step.layer.op_indices[-1],
                reason=f"it flattens {channels} channels, which do not fill {on.passes} passes "
                f"over {on.processors} processors",
                hint=HINT,
            )
        taps = 1
        if step.layer.kind != "dense":
            taps = step.layer.weights.shape[2] * step.layer.weights.shape[3]
        words = -(-kernels_of(step) * taps // KERNEL_TAPS)
        kernels += -(-words // KERNEL_ALIGN) * KERNEL_ALIGN
    if kernels > device.kernels:
        scale = KERNEL_TAPS * PROCESSORS
        raise DoesNotFit(
            needed_bytes=kernels * scale,
            free_bytes=device.kernels * scale,
            region="the accelerator's weight memory",
            what="the network",
        )
