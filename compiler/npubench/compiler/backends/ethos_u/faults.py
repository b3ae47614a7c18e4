"""Networks that Vela 5.2 compiles wrongly, known before it runs.

Here are the patterns of several operators; those of one are in ``operator_faults``. Each was found
by running random networks through both of Vela's cores on the NPU's model and comparing with TFLite
Micro; the smallest cases are in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from npubench.compiler.backends.ethos_u.operator_faults import (
    Wrong,
    default_wrongs,
    legacy_wrongs,
)
from npubench.compiler.graph import Graph, Op

_MOVES_NOTHING: Final = frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE"})
_MAKES_COPIES: Final = frozenset({"TRANSPOSE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS"})
Readers = dict[int, list[Op]]
_CROPS: Final = frozenset({"STRIDED_SLICE", "SLICE", "SPLIT", "SPLIT_V", "UNPACK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaFault:
    """One operator that one of Vela's cores would get wrong.

    ``culprit``: the operator to keep on the CPU if nothing else helps. ``text``: what is wrong.
    ``slight``: by one step at most, in few elements; no reason to compile in another way.
    """

    op_index: int
    culprit: int
    text: str
    slight: bool = False


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
        found += (_alone(op, wrong) for wrong in default_wrongs(graph, op))
    return tuple(dict.fromkeys(found))


def legacy_faults(graph: Graph) -> tuple[VelaFault, ...]:
    """What Vela's legacy core is known to miscompile in this network."""
    return tuple(_alone(op, wrong) for op in graph.ops for wrong in legacy_wrongs(graph, op))


def _alone(op: Op, wrong: Wrong) -> VelaFault:
    return VelaFault(
        op_index=op.index,
        culprit=op.index,
        text=f"{op.kind} (operator {op.index}) {wrong.text}",
        slight=wrong.slight,
    )


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
