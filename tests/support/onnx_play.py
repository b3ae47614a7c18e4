"""Computes the nodes of an ONNX form with numpy, as ONNX defines them: small networks alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.esp_dl.onnx_form import Node, OnnxForm

Array = NDArray[Any]


def play(form: OnnxForm, inputs: list[Array]) -> list[Array]:
    """The outputs for inputs with a batch of one, channels first."""
    values: dict[str, Array] = dict(form.constants)
    values |= dict(zip(form.inputs, inputs, strict=True))
    for node in form.nodes:
        given = [values[name] if name else np.array(np.nan) for name in node.inputs]
        values[node.output] = _computed(node, given)
    return [values[name] for name in form.outputs]


def _computed(node: Node, given: list[Array]) -> Array:
    kind, words = node.kind, node.attributes
    first = given[0]
    if kind == "Conv":
        return _conv(first, given[1], given[2] if len(given) > 2 else None, words)
    if kind == "Gemm":
        assert words["transB"] == 1
        return first @ given[1].T + (given[2] if len(given) > 2 else 0.0)
    if kind == "Relu":
        return np.maximum(first, 0.0)
    if kind == "Clip":
        low, high = (given[1], given[2])
        return np.fmin(np.fmax(first, low), high)
    if kind == "Add":
        return first + given[1]
    if kind == "GlobalAveragePool":
        return first.mean(axis=(2, 3), keepdims=True)
    if kind in ("MaxPool", "AveragePool"):
        return _pool(first, kind, words)
    if kind == "Reshape":
        return first.reshape(given[1])
    if kind == "Transpose":
        return first.transpose(words["perm"])
    if kind == "Softmax":
        powers = np.exp(first - first.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    raise AssertionError(kind)


def _windows(image: Array, size: Any, words: dict[str, Any], fill: float) -> Array:
    """(1, channels, rows, columns, height, width) of every window."""
    top, left, bottom, right = words["pads"]
    padded = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    windows = np.lib.stride_tricks.sliding_window_view(padded, tuple(size), axis=(2, 3))
    return windows[:, :, :: words["strides"][0], :: words["strides"][1]]


def _conv(image: Array, weights: Array, bias: Array | None, words: dict[str, Any]) -> Array:
    assert words["dilations"] == [1, 1]
    windows = _windows(image, words["kernel_shape"], words, 0.0)
    groups, outs = words["group"], len(weights) // words["group"]
    parts = [
        np.einsum(
            "bcyxhw,ochw->boyx",
            windows[:, group * weights.shape[1] : (group + 1) * weights.shape[1]],
            weights[group * outs : (group + 1) * outs],
        )
        for group in range(groups)
    ]
    found = np.concatenate(parts, axis=1)
    return found if bias is None else found + bias[None, :, None, None]


def _pool(image: Array, kind: str, words: dict[str, Any]) -> Array:
    windows = _windows(image, words["kernel_shape"], words, np.nan)
    if kind == "MaxPool":
        return np.asarray(np.nanmax(windows, axis=(4, 5)))
    return np.asarray(np.nanmean(windows, axis=(4, 5)))
