"""One network's operators, and which engine takes each."""

from __future__ import annotations

from dataclasses import dataclass

from npubench.compiler.coverage.table import listed_operators
from npubench.compiler.graph import DType, Graph, Op
from npubench.compiler.lower import lower_op
from npubench.core.errors import ToolError, UnsupportedOp


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Operators of one kind and element type. ``refused``: those that the CPU does not take, with
    ``reason`` of the first and ``hint``; ``listed``: the NPUs whose compiler lists kind and type.
    """

    op: str
    dtype: DType
    indices: tuple[int, ...]
    refused: tuple[int, ...]
    reason: str
    hint: str
    listed: tuple[str, ...]


def uses(graph: Graph, npus: tuple[str, ...] = ("ethos-u",)) -> tuple[Use, ...]:
    """Every kind and element type of a network, in the order of their first use."""
    lists = {name: _listed(name) for name in npus}
    groups: dict[tuple[str, DType], list[Op]] = {}
    for op in graph.ops:
        groups.setdefault((_title(op), dtype_of(graph, op)), []).append(op)
    found = []
    for (title, dtype), ops in groups.items():
        refusals = [(op.index, error) for op in ops if (error := _refusal(graph, op)) is not None]
        first = refusals[0][1] if refusals else None
        found.append(
            Use(
                op=title,
                dtype=dtype,
                indices=tuple(op.index for op in ops),
                refused=tuple(index for index, _ in refusals),
                reason="" if first is None else first.reason,
                hint="" if first is None else first.hint,
                listed=tuple(
                    name for name, taken in lists.items() if dtype in taken.get(title, ())
                ),
            )
        )
    return tuple(found)


def missing(graph: Graph, npus: tuple[str, ...] = ("ethos-u",)) -> tuple[Use, ...]:
    """What the CPU here does not take: such a network runs only where an NPU takes all of it."""
    return tuple(use for use in uses(graph, npus) if use.refused)


def dtype_of(graph: Graph, op: Op) -> DType:
    """The element type of an operator: of its first input that is no constant, else its output."""
    for index in op.inputs:
        if index >= 0 and not graph.tensor(index).is_constant:
            return graph.tensor(index).dtype
    operands = op.outputs or op.inputs
    return graph.tensor(operands[0]).dtype if operands else DType.RESOURCE


def _title(op: Op) -> str:
    return f"CUSTOM {op.custom_code}" if op.custom_code else op.kind


def _refusal(graph: Graph, op: Op) -> UnsupportedOp | None:
    try:
        lower_op(graph, op)
    except UnsupportedOp as error:
        return error
    return None


def _listed(backend: str) -> dict[str, tuple[DType, ...]]:
    try:
        return listed_operators(backend) or {}
    except ToolError:
        return {}
