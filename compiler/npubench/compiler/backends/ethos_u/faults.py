"""Networks that Vela 5.2 compiles wrongly, known before it runs.

Each entry was found by running random networks through both of Vela's cores on the NPU's model and
comparing with TFLite Micro; the smallest cases are in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from npubench.compiler.graph import DType, Graph, Op

_MOVES_NOTHING: Final = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE"})
_MAKES_COPIES: Final = frozenset({"TRANSPOSE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
Readers = dict[int, list[Op]]
_CROPS: Final = frozenset({"STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "UNPACK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaFault:
    """One operator that one of Vela's cores would get wrong.

    ``culprit``: the operator to keep on the CPU if nothing else helps. ``text``: what is wrong.
    """

    op_index: int
    culprit: int
    text: str


def known_faults(graph: Graph) -> tuple[VelaFault, ...]:
    """What Vela's default core is known to miscompile in this network."""
    readers: Readers = {}
    for op in graph.ops:
        for tensor in op.inputs:
            if tensor >= 0:
                readers.setdefault(tensor, []).append(op)
    found: list[VelaFault] = []
    for op in graph.ops:
        if _is_strided(graph, op):
            found += _strided_crop(op, readers)
        if op.kind in _CROPS:
            found += _transposed_crop(op, readers)
        if op.kind == "MIRROR_PAD":
            found += _mirrored(op, readers)
        if op.kind == "TRANSPOSE":
            found += _unsigned(graph, op)
    return tuple(dict.fromkeys(found))


def legacy_faults(graph: Graph) -> tuple[VelaFault, ...]:
    """What Vela's legacy core is known to miscompile in this network."""
    found: list[VelaFault] = []
    for op in graph.ops:
        found += _LEGACY.get(op.kind, _nothing)(graph, op)
    return tuple(found)


def _nothing(graph: Graph, op: Op) -> Iterator[VelaFault]:
    del graph, op
    yield from ()


def _alone(op: Op, what: str) -> VelaFault:
    return VelaFault(
        op_index=op.index, culprit=op.index, text=f"{op.kind} (operator {op.index}) {what}"
    )


def _unsigned(graph: Graph, op: Op) -> Iterator[VelaFault]:
    if graph.tensor(op.inputs[0]).dtype is DType.UINT8:
        yield _alone(op, "of unsigned values is clamped as if they were signed")


def _batched(graph: Graph, op: Op) -> Iterator[VelaFault]:
    """PACK and UNPACK: the packed tensor's first axis is taken for one."""
    tensor = graph.tensor(op.outputs[0] if op.kind == "PACK" else op.inputs[0])
    axis = op.options.get("axis", 0)
    if len(tensor.shape) == 4 and tensor.shape[0] > 1 and isinstance(axis, int) and axis % 4:
        yield _alone(op, f"along axis {axis} of {list(tensor.shape)} takes the first axis for 1")


def _mean_of_one(graph: Graph, op: Op) -> Iterator[VelaFault]:
    axes = graph.tensor(op.inputs[1]).data
    source, target = graph.tensor(op.inputs[0]), graph.tensor(op.outputs[0])
    if axes is None or source.quantization == target.quantization:
        return
    if all(source.shape[axis] == 1 for axis in np.frombuffer(axes, dtype="<i4")):
        yield _alone(op, "over axes of length 1 is left out, and with it the change of scale")


def _wide_transposed(graph: Graph, op: Op) -> Iterator[VelaFault]:
    strides = (op.options.get("stride_h", 1), op.options.get("stride_w", 1))
    if graph.tensor(op.outputs[0]).dtype is DType.INT16 and strides == (1, 1):
        yield _alone(op, "of 16-bit values with stride 1 is wrong in every element")


_LEGACY: Final[dict[str, Callable[[Graph, Op], Iterator[VelaFault]]]] = {
    "PACK": _batched,
    "UNPACK": _batched,
    "MEAN": _mean_of_one,
    "TRANSPOSE_CONV": _wide_transposed,
}


def _is_strided(graph: Graph, op: Op) -> bool:
    """Whether the operator takes every second element or fewer along some axis."""
    if op.kind != "STRIDED_SLICE" or len(op.inputs) < 4:
        return False
    steps = graph.tensor(op.inputs[3]).data
    return steps is not None and any(abs(s) != 1 for s in np.frombuffer(steps, dtype="<i4"))


def _behind(op: Op, readers: Readers) -> Iterator[Op]:
    """Operators that read what ``op`` writes, also behind such as move nothing."""
    waiting = list(op.outputs)
    seen: set[int] = set()
    while waiting:
        for reader in readers.get(waiting.pop(), []):
            if reader.index in seen:
                continue
            seen.add(reader.index)
            yield reader
            if reader.kind in _MOVES_NOTHING:
                waiting += reader.outputs


def _strided_crop(op: Op, readers: Readers) -> Iterator[VelaFault]:
    for reader in _behind(op, readers):
        yield VelaFault(
            op_index=reader.index,
            culprit=op.index,
            text=(
                f"{reader.kind} (operator {reader.index}) reads a STRIDED_SLICE with steps above 1 "
                f"(operator {op.index}) from the wrong place"
            ),
        )


def _transposed_crop(op: Op, readers: Readers) -> Iterator[VelaFault]:
    for reader in _behind(op, readers):
        if reader.kind == "TRANSPOSE_CONV":
            yield VelaFault(
                op_index=reader.index,
                culprit=op.index,
                text=(
                    f"TRANSPOSE_CONV (operator {reader.index}) reads a part of a tensor "
                    f"({op.kind}, operator {op.index}) from the wrong place"
                ),
            )


def _mirrored(op: Op, readers: Readers) -> Iterator[VelaFault]:
    for reader in _behind(op, readers):
        if reader.kind in _MAKES_COPIES:
            yield VelaFault(
                op_index=op.index,
                culprit=op.index,
                text=(
                    f"MIRROR_PAD (operator {op.index}) before {reader.kind} (operator "
                    f"{reader.index}) reads its border from the wrong place"
                ),
            )
