"""What ai8xize reads: the network's YAML, weights, biases and a sample.

Source: ai8x-synthesis README (YAML keys; ``arch: test`` takes weights and biases from files).
Processors are taken from the lowest on; activations go to the two halves of the data memory in
turn.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from npubench.compiler.max7800x.chain import HINT, Layer
from npubench.compiler.max7800x.scheme import Ints, QuantizedChain
from npubench.core.errors import DoesNotFit, UnsupportedOp

PROCESSORS = 64
INSTANCE_BYTES = 0x8000
HALF_BYTES = INSTANCE_BYTES // 2
KERNEL_TAPS = 9
KERNELS_PER_PROCESSOR = 768
ARCHITECTURE = "test"
NETWORK_FILE, WEIGHTS_FILE, BIAS_FILE, SAMPLE_FILE = (
    "network.yaml",
    "weights.npy",
    "bias.npy",
    "sample.npy",
)


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
        processors = -(-processors // 4) * 4
    return Channels(passes=passes, processors=processors)


def describe(quantized: QuantizedChain, sample: Ints) -> dict[str, bytes]:
    """The files by name. Raises UnsupportedOp or DoesNotFit when memory is too small."""
    _check_memory(quantized)
    lines = ["---", f"arch: {ARCHITECTURE}", "dataset: npubench", "", "layers:"]
    for number, step in enumerate(quantized.layers):
        layer = step.layer
        entry = {
            "name": f"layer{number}",
            "processors": f"0x{channels_of(layer.source_shape[0]).mask:016x}",
            "out_offset": f"0x{HALF_BYTES if number % 2 == 0 else 0:04x}",
            "operation": "conv2d" if layer.kind == "conv" else "mlp",
        }
        if number == 0:
            entry["data_format"] = "HWC"
        if layer.pool is not None:
            entry[f"{layer.pool.kind}_pool"] = str(layer.pool.size)
            entry["pool_stride"] = str(layer.pool.stride)
        if layer.kind == "conv":
            entry["kernel_size"] = "x".join(str(side) for side in layer.weights.shape[2:])
            entry["pad"] = str(layer.pad)
        elif layer.weights.shape[2] * layer.weights.shape[3] > 1:
            entry["flatten"] = "true"
        entry["activate"] = "ReLU" if layer.relu else "None"
        if step.wide:
            entry["output_width"] = "32"
        else:
            entry["output_shift"] = str(step.output_shift)
        lines += [
            f"{'  - ' if index == 0 else '    '}{key}: {value}"
            for index, (key, value) in enumerate(entry.items())
        ]
    return {
        NETWORK_FILE: ("\n".join(lines) + "\n").encode(),
        WEIGHTS_FILE: b"".join(
            _npy(_as_stored(step.layer, step.weights)) for step in quantized.layers
        ),
        BIAS_FILE: b"".join(_npy(step.bias) for step in quantized.layers),
        SAMPLE_FILE: _npy(sample),
    }


def _as_stored(layer: Layer, weights: Ints) -> Ints:
    """Convolutions as OIHW, dense layers as O, C * H * W."""
    return weights if layer.kind == "conv" else weights.reshape(weights.shape[0], -1)


def _npy(values: Ints) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values.astype(np.int64), allow_pickle=False)
    return buffer.getvalue()


def _check_memory(quantized: QuantizedChain) -> None:
    kernels = 0
    for step in quantized.layers:
        layer = step.layer
        for number, shape in enumerate((layer.source_shape, layer.target_shape)):
            width = 4 if step.wide and number == 1 else 1
            needed = shape[1] * shape[2] * 4 * channels_of(shape[0]).passes * width
            if needed > HALF_BYTES:
                raise UnsupportedOp(
                    op=layer.kind,
                    index=layer.op_indices[-1],
                    reason=f"{shape[1]}x{shape[2]} pixels take {needed} bytes of a data memory's "
                    f"half ({HALF_BYTES}): it would need streaming, which is left to the tool",
                    hint=HINT,
                )
        taps = layer.weights.shape[2] * layer.weights.shape[3]
        out = layer.weights.shape[0]
        kernels += -(-out * channels_of(layer.source_shape[0]).passes * taps // KERNEL_TAPS)
    if kernels > KERNELS_PER_PROCESSOR:
        scale = KERNEL_TAPS * PROCESSORS
        raise DoesNotFit(
            needed_bytes=kernels * scale,
            free_bytes=KERNELS_PER_PROCESSOR * scale,
            region="the accelerator's weight memory",
            what="the network",
        )
