"""What ai8xize reads: the network's YAML, weights, biases and a sample.

Sources: ai8x-synthesis README (YAML keys) and its izer: yamlcfg (what is taken and refused),
sampleweight (``arch: test`` takes weights and biases from files), izer (how shapes follow from one
another), kernels (what a layer takes of the weight memory). Processors are taken from the lowest
on; activations go to the two ends of the data memory in turn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from npubench.compiler.backends.max7800x.layer import INPUT, Chain, Layer, Pool
from npubench.compiler.backends.max7800x.limits import HINT
from npubench.compiler.backends.max7800x.placement import (
    PROCESSORS,
    SHARED,
    WIDE_BYTES,
    Placement,
    channels_of,
    place,
)
from npubench.compiler.backends.max7800x.scheme import Ints, QuantizedChain, QuantizedLayer
from npubench.core.errors import DoesNotFit, UnsupportedOp
from npubench.npu.max7800x.device import Device

PER_QUADRANT = 16  # processors
WHOLE_BITS = 8
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


def describe(quantized: QuantizedChain, sample: Ints, device: Device) -> dict[str, bytes]:
    """The files by name. Raises UnsupportedOp or DoesNotFit when memory is too small."""
    _check_passes(quantized, device)
    _check_kernels(quantized, device)
    placed = place(quantized, device)
    lines = ["---", f"arch: {ARCHITECTURE}", "dataset: npubench", "", "layers:"]
    for at in range(len(quantized.layers)):
        lines += [
            f"{'  - ' if index == 0 else '    '}{key}: {value}"
            for index, (key, value) in enumerate(_entry(quantized, placed, at).items())
        ]
    weighted = [step for step in quantized.layers if step.layer.has_weights]
    return {
        NETWORK_FILE: ("\n".join(lines) + "\n").encode(),
        WEIGHTS_FILE: _arrays([_as_stored(step.layer, step.weights) for step in weighted]),
        BIAS_FILE: b"".join(_npy(step.bias) for step in weighted) + END_OF_ARRAYS,
        SAMPLE_FILE: _npy(sample),
    }


def output_addresses(quantized: QuantizedChain, device: Device) -> tuple[tuple[int, int], ...]:
    """For each channel of the network's output (one pixel): the address of its word, and its byte
    in it (0 where the output is wide). Source: izer's unload."""
    last = quantized.layers[-1]
    on = channels_of(last.layer.target_shape[0])
    begin = device.data_base + place(quantized, device).outputs[-1]
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
    if layer.kind == "depthwise":
        return into.passes
    return out.processors * out.passes * into.passes


OPERATIONS = {
    "conv": "conv2d", "conv1d": "conv1d", "depthwise": "conv2d", "transposed": "convtranspose2d",
    "dense": "mlp", "pool": "passthrough", "copy": "passthrough", "add": "passthrough",
}  # fmt: skip


def _entry(quantized: QuantizedChain, placed: Placement, at: int) -> dict[str, str]:
    step = quantized.layers[at]
    layer, chain = step.layer, quantized.chain
    operation = OPERATIONS[layer.kind]
    if layer.kind == "add" and layer.has_weights:
        operation = "conv2d"
    entry = {"processors": f"0x{channels_of(layer.source_shape[0]).mask:016x}"}
    if not chain.is_plain:
        entry["output_processors"] = f"0x{channels_of(layer.target_shape[0]).mask:016x}"
        if len(chain.outputs) > 1 or at == len(chain.layers) - 1:
            entry["output"] = "true" if at in chain.outputs else "false"
    if layer.inputs != (at - 1,):
        entry["in_sequences"] = f"[{', '.join(_named(source) for source in layer.inputs)}]"
        entry["in_offset"] = f"0x{placed.inputs[at]:04x}"
    entry |= {"out_offset": f"0x{placed.outputs[at]:04x}", "operation": operation}
    if layer.gapped:
        entry["write_gap"] = "1"
    if layer.kind == "add":
        entry["eltwise"] = "add"
    if at < placed.streaming:
        entry["streaming"] = "true"
    if at == 0:
        entry["data_format"] = "HWC"
    elif _gives(chain, layer.inputs[0]) != layer.source_shape[1:]:
        entry["in_dim"] = f"[{layer.source_shape[1]}, {layer.source_shape[2]}]"
    if layer.pool is not None:
        entry[f"{layer.pool.kind}_pool"] = _window(layer, layer.pool)
        entry["pool_stride"] = str(layer.pool.stride[0])
    if not layer.has_weights:
        return entry
    if layer.kind == "conv1d":
        entry["kernel_size"] = str(layer.weights.shape[2])
    elif layer.kind != "dense":
        entry["kernel_size"] = "x".join(str(side) for side in layer.weights.shape[2:])
    if layer.kind == "depthwise":
        entry["groups"] = str(layer.source_shape[0])
    if layer.kind != "dense":
        entry["pad"] = str(layer.pad[0])
    elif layer.flattens:
        entry["flatten"] = "true"
    entry["activate"] = "ReLU" if layer.relu else "None"
    if step.bits < WHOLE_BITS:
        entry["quantization"] = str(step.bits)
    if step.wide:
        entry["output_width"] = "32"
    else:  # the tool adds what the weights lack
        entry["output_shift"] = str(step.output_shift - (WHOLE_BITS - step.bits))
    return entry


def _named(source: int) -> str:
    return "input" if source == INPUT else str(source)


def _gives(chain: Chain, source: int) -> tuple[int, ...]:
    """Height and width of what a layer, or the input, gives."""
    shape = chain.layers[0].source_shape if source == INPUT else chain.layers[source].target_shape
    return shape[1:]


def _window(layer: Layer, pool: Pool) -> str:
    high, wide = pool.size
    return str(high) if high == wide or layer.kind == "conv1d" else f"[{high}, {wide}]"


def _as_stored(layer: Layer, weights: Ints) -> Ints:
    """Conv2d as O, I, H, W, Conv1d as O, I, L, dense layers as O, C * H * W, 1, 1."""
    if layer.kind == "conv1d":
        return weights[:, :, :, 0]
    return weights.reshape(weights.shape[0], -1, 1, 1) if layer.kind == "dense" else weights


def _arrays(arrays: Sequence[Ints]) -> bytes:
    """One array after the other. The tool takes a single one apart: it gets one dimension more."""
    if len(arrays) == 1:
        arrays = [arrays[0][np.newaxis]]
    return b"".join(_npy(values) for values in arrays) + END_OF_ARRAYS


def _npy(values: Ints) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values, dtype=np.int64), allow_pickle=False)
    return buffer.getvalue()


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
        if not step.layer.has_weights:
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
        count, share = kernels_of(step), WHOLE_BITS // step.bits
        rest = count % share * taps * (share - 1)
        words = -(-(count * taps * step.bits + rest) // (KERNEL_TAPS * WHOLE_BITS))
        kernels += -(-words // KERNEL_ALIGN) * KERNEL_ALIGN
    if kernels > device.kernels:
        scale = KERNEL_TAPS * PROCESSORS
        raise DoesNotFit(
            needed_bytes=kernels * scale,
            free_bytes=device.kernels * scale,
            region="the accelerator's weight memory",
            what="the network",
        )
