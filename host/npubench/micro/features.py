"""What an operator's cost may depend on, from its shape alone: the columns of the fit."""

from __future__ import annotations

from math import prod
from typing import Final

from npubench.compiler.graph import Graph, Op

NAMES: Final = (
    "one",
    "positions",
    "outputs",
    "macs",
    "macs in steps of 4",
    "macs in steps of 16",
    "taps gathered",
    "border outputs",
    "input elements",
    "weight bytes",
    "blocks of the MAC unit",
    "rows",
)
"""``macs`` are those on real inputs: a tap on padding is none, kernels leave it out."""
_BLOCK: Final = 8
"""Channels that an Ethos-U's MAC unit takes at once, of input and of output."""


def features(graph: Graph, op: Op) -> tuple[float, ...]:
    """One number for each of NAMES."""
    output = graph.tensor(op.outputs[0])
    input_elements = sum(
        graph.tensor(index).count
        for index in dict.fromkeys(op.inputs)
        if index >= 0 and not graph.tensor(index).is_constant
    )
    outputs = output.count
    channels = output.shape[-1] if output.shape else 1
    positions = outputs // max(channels, 1)
    weights = graph.tensor(op.inputs[1]) if len(op.inputs) > 1 and op.inputs[1] >= 0 else None
    if op.kind == "FULLY_CONNECTED" and weights is not None:
        depth = weights.shape[-1]
        return _columns(
            positions, outputs, outputs * depth, depth, channels, input_elements,
            weights.size_bytes, taps=1, border=0, inner=depth, rows=positions, gathered=0,
        )  # fmt: skip
    if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and weights is not None:
        return _window(graph, op, positions, outputs, channels, input_elements)
    if op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        taps = int(op.options["filter_height"]) * int(op.options["filter_width"])  # type: ignore[arg-type]
        return _columns(
            positions, outputs, outputs * taps, taps, channels, input_elements, 0,
            taps=taps, border=0, inner=1, rows=_rows(output.shape), gathered=0,
        )  # fmt: skip
    return _columns(
        positions, outputs, input_elements, 1, channels, input_elements, 0,
        taps=1, border=0, inner=1, rows=_rows(output.shape), gathered=0,
    )  # fmt: skip


def _window(
    graph: Graph, op: Op, positions: int, outputs: int, channels: int, input_elements: int
) -> tuple[float, ...]:
    """A convolution: its taps on real inputs, row by row and column by column."""
    source, weights = graph.tensor(op.inputs[0]).shape, graph.tensor(op.inputs[1])
    output = graph.tensor(op.outputs[0]).shape
    kernel = weights.shape[1:3]
    strides = (_option(op, "stride_h"), _option(op, "stride_w"))
    dilations = (_option(op, "dilation_h_factor"), _option(op, "dilation_w_factor"))
    same = op.options.get("padding") == "SAME"
    real: list[int] = []
    whole: list[int] = []
    for axis in (0, 1):
        counts = _taps(
            source[1 + axis], output[1 + axis], kernel[axis], strides[axis], dilations[axis],
            same=same,
        )  # fmt: skip
        real.append(sum(counts))
        whole.append(sum(count == kernel[axis] for count in counts))
    window = real[0] * real[1]
    depth = weights.shape[3] if op.kind == "CONV_2D" else 1
    taps = kernel[0] * kernel[1]
    return _columns(
        positions, outputs, window * depth * channels, taps * depth, channels, input_elements,
        weights.size_bytes, taps=taps, border=(positions - whole[0] * whole[1]) * channels,
        inner=depth, rows=output[1], gathered=window * depth,
    )  # fmt: skip


def _taps(
    length: int, made: int, kernel: int, stride: int, dilation: int, *, same: bool
) -> list[int]:
    """How many taps of each output position along one axis lie on real inputs."""
    before = 0
    if same:
        total = max((made - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
        before = total // 2
    return [
        sum(0 <= place * stride - before + tap * dilation < length for tap in range(kernel))
        for place in range(made)
    ]


def _option(op: Op, name: str) -> int:
    value = op.options.get(name, 1)
    return value if isinstance(value, int) else 1


def _rows(shape: tuple[int, ...]) -> int:
    return prod(shape[:-2]) if len(shape) > 2 else 1


def _columns(
    positions: int,
    outputs: int,
    macs: int,
    depth: int,
    channels: int,
    input_elements: int,
    weight_bytes: int,
    *,
    taps: int,
    border: int,
    inner: int,
    rows: int,
    gathered: int,
) -> tuple[float, ...]:
    blocks = positions * _up(channels, _BLOCK) * taps * _up(inner, _BLOCK)
    return (
        1.0,
        float(positions),
        float(outputs),
        float(macs),
        float(outputs * _up(depth, 4)),
        float(outputs * _up(depth, 16)),
        float(gathered),
        float(border),
        float(input_elements),
        float(weight_bytes),
        float(blocks),
        float(rows),
    )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
