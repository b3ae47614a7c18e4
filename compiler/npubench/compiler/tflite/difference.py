"""What differs between two .tflite files: the network, its numbers, or only its bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npubench.compiler.graph import DType, Graph, Op, Tensor
from npubench.compiler.tflite.reader import read_tflite

_NUMPY = {
    DType.INT8: "<i1",
    DType.UINT8: "<u1",
    DType.BOOL: "<u1",
    DType.INT16: "<i2",
    DType.INT32: "<i4",
    DType.FLOAT32: "<f4",
    DType.INT64: "<i8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a file differs from the one expected.

    ``structure_equal``: same operators, options, shapes and types. ``text`` says in words what
    differs, empty when the bytes are equal. ``max_weight_steps`` is the largest difference of a
    constant in quantized steps, over ``weights_differing_count`` of ``weights_count`` elements;
    ``max_scale_ratio`` the largest relative difference of a scale. They are 0 where the structure
    differs: nothing can be compared then.
    """

    structure_equal: bool
    text: str
    max_weight_steps: int = 0
    weights_differing_count: int = 0
    weights_count: int = 0
    max_scale_ratio: float = 0.0


def compare_models(expected: bytes, found: bytes) -> Difference:
    """Compare two .tflite files. Raises ModelFormatError when one of them cannot be read."""
    if expected == found:
        return Difference(structure_equal=True, text="")
    first = read_tflite(expected, name="expected")
    second = read_tflite(found, name="found")
    structure = _structure(first, second)
    if structure:
        return Difference(structure_equal=False, text=structure)
    return _numbers(first, second, expected, found)


def _structure(first: Graph, second: Graph) -> str:
    if len(first.ops) != len(second.ops):
        return f"{len(second.ops)} operators instead of {len(first.ops)}"
    for ours, theirs in zip(first.ops, second.ops, strict=True):
        if ours.kind != theirs.kind:
            return f"operator {ours.index} is {theirs.kind} instead of {ours.kind}"
        if ours.options != theirs.options:
            names = sorted(
                name
                for name in {*ours.options, *theirs.options}
                if ours.options.get(name) != theirs.options.get(name)
            )
            return f"operator {ours.index} ({ours.kind}) differs in {', '.join(names)}"
        if _shapes(first, ours) != _shapes(second, theirs):
            return (
                f"operator {ours.index} ({ours.kind}) has tensors "
                f"{_shapes(second, theirs)} instead of {_shapes(first, ours)}"
            )
    return ""


def _shapes(graph: Graph, op: Op) -> str:
    tensors = [graph.tensor(index) for index in (*op.inputs, *op.outputs) if index >= 0]
    return ", ".join(
        f"{'x'.join(map(str, tensor.shape)) or 'scalar'} {tensor.dtype.value}" for tensor in tensors
    )


def _numbers(first: Graph, second: Graph, expected: bytes, found: bytes) -> Difference:
    """Constants and scales of two graphs of one structure, tensor by tensor in operator order."""
    pairs = {
        (ours, theirs): (first.tensor(ours), second.tensor(theirs))
        for op, twin in zip(first.ops, second.ops, strict=True)
        for ours, theirs in zip(
            (*op.inputs, *op.outputs), (*twin.inputs, *twin.outputs), strict=True
        )
        if ours >= 0 and theirs >= 0
    }
    steps = differing = total = zero_points = 0
    ratio = 0.0
    for ours, theirs in pairs.values():
        if ours.data is not None and theirs.data is not None:
            gap = np.abs(_values(ours) - _values(theirs))
            steps = max(steps, int(gap.max(initial=0)))
            differing += int(np.count_nonzero(gap))
            total += ours.count
        scale_ratio, same_zero = _quantization(ours, theirs)
        ratio = max(ratio, scale_ratio)
        zero_points += not same_zero
    parts = []
    if differing:
        parts.append(f"{differing} of {total} constants differ, by at most {steps} steps")
    if ratio:
        parts.append(f"scales differ by at most {ratio:.2g} of their value")
    if zero_points:
        parts.append(f"{zero_points} tensors differ in their zero point")
    if not parts:
        offset = next(
            (at for at, (x, y) in enumerate(zip(expected, found, strict=False)) if x != y),
            min(len(expected), len(found)),
        )
        parts.append(
            f"only the encoding differs ({len(found)} bytes instead of {len(expected)}, "
            f"first at offset {offset})"
        )
    return Difference(
        structure_equal=True,
        text="same operators and shapes; " + "; ".join(parts),
        max_weight_steps=steps,
        weights_differing_count=differing,
        weights_count=total,
        max_scale_ratio=ratio,
    )


def _values(tensor: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(tensor.data or b"", dtype=_NUMPY[tensor.dtype]).astype(np.float64)


def _quantization(first: Tensor, second: Tensor) -> tuple[float, bool]:
    """Largest relative difference of the scales, and whether the zero points are equal."""
    ours, theirs = first.quantization, second.quantization
    if ours is None or theirs is None or len(ours.scales) != len(theirs.scales):
        return (0.0, True) if ours is theirs else (1.0, False)
    ratio = max(
        abs(x - y) / max(abs(x), abs(y), 1e-30)
        for x, y in zip(ours.scales, theirs.scales, strict=True)
    )
    return ratio, ours.zero_points == theirs.zero_points
