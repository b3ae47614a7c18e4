"""How much memory to reserve for the interpreter, before it has said what it uses.

An upper bound, not a model of its planner: the record tells what the interpreter itself reports.
"""

from __future__ import annotations

from npubench.compiler.graph import Graph

_PER_TENSOR_BYTES = 24
_PER_OPERATOR_BYTES = 320
_BASE_BYTES = 4096
_PLANNER_SHARE = 1.25
"""How far the greedy planner may be above the sum of what is alive at one time."""


def reserve_bytes(graph: Graph) -> int:
    """Bytes that hold activations, scratch of kernels and the interpreter's own structures."""
    persistent = _BASE_BYTES + _PER_TENSOR_BYTES * len(graph.tensors)
    scratch = 0
    for op in graph.ops:
        persistent += _PER_OPERATOR_BYTES
        weights = [
            graph.tensor(index)
            for index in op.inputs
            if index >= 0 and graph.tensor(index).is_constant
        ]
        if weights:
            largest = max(weights, key=lambda tensor: tensor.size_bytes)
            channels = max(largest.shape[0], largest.shape[-1]) if largest.shape else 1
            window = largest.count // max(largest.shape[0], 1) if largest.shape else 1
            # Multiplier and shift of each channel and its kernel's sum; columns of a window.
            persistent += 12 * channels
            if len(largest.shape) == 4:
                scratch = max(scratch, 16 * window + 16 * channels)
    scratch = max(
        scratch, max((4 * max(_size(graph, op.outputs), 64) for op in graph.ops), default=0) // 4
    )
    return int(_PLANNER_SHARE * _peak_bytes(graph)) + scratch + persistent + graph.state_bytes * 2


def _size(graph: Graph, tensors: tuple[int, ...]) -> int:
    return sum(graph.tensor(index).size_bytes for index in tensors if index >= 0)


def _peak_bytes(graph: Graph) -> int:
    """Most bytes of activations that are alive at one operator; nothing lies over another."""
    last: dict[int, int] = {index: len(graph.ops) for index in graph.outputs}
    first: dict[int, int] = dict.fromkeys(graph.inputs, -1)
    for op in graph.ops:
        for index in op.inputs:
            if index >= 0 and not graph.tensor(index).is_constant:
                last[index] = max(last.get(index, 0), op.index)
        for index in op.outputs:
            first.setdefault(index, op.index)
            last.setdefault(index, op.index)
    return max(
        (
            sum(
                -(-graph.tensor(index).size_bytes // 16) * 16
                for index, begin in first.items()
                if begin <= op.index <= last.get(index, begin)
            )
            for op in graph.ops
        ),
        default=0,
    )
