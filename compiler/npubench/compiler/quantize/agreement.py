"""How far a network is from what it was made of: a conversion from its source, an int8 network from
the float one, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.quantize.litert import HostNetwork
from npubench.compiler.quantize.ratio import snr_db

Array = NDArray[Any]
CHANNELS_LAST, AS_BROUGHT = "channels last", "as in the source"
LAYER_SAMPLES = 8
_LAYOUTS_TRIED = 64


def against_source(data: bytes, reference: Mapping[str, Array]) -> dict[str, Any]:
    """The float .tflite against the source's own outputs: ``snr_db`` of the worst output, and
    ``layouts``, for each input as the source numbers it.

    Which layout the converter gave an input follows from its shape; where two are possible, the
    one with which the outputs agree is right.
    """
    network = HostNetwork(data)
    inputs = [value for name, value in reference.items() if name.startswith("in:")]
    outputs = [reference[f"out:{index}"] for index in range(len(network.outputs))]
    choices = [
        _layouts(value.shape[1:], tuple(detail["shape"]))
        for value, detail in zip(inputs, network.inputs, strict=True)
    ]
    if not all(choices):
        return {
            "snr_db": -1.0,
            "layouts": [],
            "why": "shapes differ: "
            + ", ".join(
                f"{tuple(value.shape[1:])} in the source, {tuple(map(int, detail['shape']))} here"
                for value, detail, choice in zip(inputs, network.inputs, choices, strict=True)
                if not choice
            ),
        }
    best: dict[str, Any] = {"snr_db": -np.inf, "layouts": []}
    for layouts in list(product(*choices))[:_LAYOUTS_TRIED]:
        got = [
            network.run(
                [laid(value[n], layout) for value, layout in zip(inputs, layouts, strict=True)]
            )
            for n in range(len(inputs[0]))
        ]
        worst = min(
            _output_snr(outputs[index], np.stack([sample[index] for sample in got]))
            for index in range(len(outputs))
        )
        if worst > best["snr_db"]:
            best = {"snr_db": worst, "layouts": list(layouts)}
    return best


def laid(value: Array, layout: str) -> Array:
    """One sample (batch first) of the source in the layout of the .tflite."""
    return np.moveaxis(value, 1, -1) if layout == CHANNELS_LAST else value


def _layouts(source: tuple[int, ...], here: tuple[int, ...]) -> list[str]:
    here = tuple(int(axis) for axis in here)
    found = [AS_BROUGHT] if source == here else []
    if len(source) > 2 and (source[0], *source[2:], source[1]) == here:
        found.append(CHANNELS_LAST)
    return found


def _output_snr(wanted: Array, got: Array) -> float:
    """Of one output, samples first; a converter may have moved its channels last as well."""
    if wanted.size != got.size:
        return -1.0
    ways = []
    if wanted.shape == got.shape or wanted.squeeze().shape == got.squeeze().shape:
        ways.append(snr_db(wanted, got.reshape(wanted.shape)))
    if wanted.ndim > 3 and np.moveaxis(wanted, 2, -1).shape == got.shape:
        ways.append(snr_db(np.moveaxis(wanted, 2, -1), got))
    return max(ways, default=-1.0)


def by_layer(
    float_data: bytes, int8_data: bytes, samples: Sequence[Sequence[Array]]
) -> dict[str, Any]:
    """The quantized network against the float one on up to LAYER_SAMPLES samples.

    ``layers``: operator, name and ``snr_db`` of every tensor that both have; ``outputs``: of every
    output; ``dead``: channels of convolutions and matrix products that gave one value throughout.
    """
    exact, rough = HostNetwork(float_data, keep_all=True), HostNetwork(int8_data, keep_all=True)
    by_name = {str(detail["name"]): detail for detail in rough.details()}
    details = {int(detail["index"]): detail for detail in exact.details()}
    pairs = [
        (op["op_name"], details[int(index)], by_name[str(details[int(index)]["name"])])
        for op in exact.operators()
        for index in op["outputs"]
        if int(index) in details and str(details[int(index)]["name"]) in by_name
    ]
    wanted: list[list[Array]] = [[] for _ in pairs]
    got: list[list[Array]] = [[] for _ in pairs]
    ends: list[tuple[list[Array], list[Array]]] = [([], []) for _ in exact.outputs]
    for sample in list(samples)[:LAYER_SAMPLES]:
        for end, left, right in zip(ends, exact.run(sample), rough.run(sample), strict=True):
            end[0].append(left)
            end[1].append(right)
        for index, (_, left_detail, right_detail) in enumerate(pairs):
            wanted[index].append(exact.tensor(left_detail))
            got[index].append(rough.tensor(right_detail))
    layers = []
    dead = []
    for (op, detail, _), left_values, right_values in zip(pairs, wanted, got, strict=True):
        left, right = np.stack(left_values), np.stack(right_values)
        if left.shape != right.shape or left.dtype.kind != "f":
            continue
        layers.append({"op": op, "name": str(detail["name"]), "snr_db": snr_db(left, right)})
        if op in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") and left.ndim > 1:
            flat = left.reshape(-1, left.shape[-1])
            count = int((flat.max(axis=0) == flat.min(axis=0)).sum())
            if count:
                dead.append({"name": str(detail["name"]), "channels": count})
    return {
        "layers": layers,
        "outputs": [snr_db(np.stack(left), np.stack(right)) for left, right in ends],
        "dead": dead,
    }
