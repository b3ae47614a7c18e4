"""What a network keeps from one inference to the next: resource variables and variable tensors.

A resource variable has a name, handles that stand for it (VAR_HANDLE), and a first value, which a
subgraph assigns once (CALL_ONCE). In the Graph each becomes a tensor that lives for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from npubench.compiler.graph import DType, Graph, Op, Tensor, Variable
from npubench.core.errors import ModelFormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """Tensors and operators of one subgraph of the file."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]


def with_state(graph: Graph, others: Mapping[int, Subgraph], variables: Sequence[int]) -> Graph:
    """The graph with its variables. ``others``: the further subgraphs, by number; ``variables``:
    the tensors that the file marks as variable.

    Raises ModelFormatError for state that no straight run of the network gives.
    """
    kept = [
        Variable(
            tensor=index,
            name=graph.tensor(index).name,
            initial=_resting(graph.tensor(index)),
        )
        for index in variables
    ]
    main = Subgraph(tensors=graph.tensors, ops=graph.ops)
    once = [others[_target(graph, op, others)] for op in graph.ops if op.kind == "CALL_ONCE"]
    _check_once(graph)
    named = _named(graph, main)
    values = _values(graph, (main, *once))
    first = _first_values(graph, once)
    tensors = list(graph.tensors)
    for name, handles in named.items():
        if name not in values:
            continue  # nothing reads or assigns it
        value = values[name]
        tensor = replace(value, index=len(tensors), name=name[1] or f"variable {len(kept)}")
        tensors.append(replace(tensor, data=None))
        initial = first.get(name, _resting(value))
        if len(initial) != tensor.size_bytes:
            raise _error(graph, f"the variable {name[1]!r} is given values of two sizes")
        kept.append(
            Variable(tensor=tensor.index, name=tensor.name, initial=initial, handles=handles)
        )
    return replace(graph, tensors=tuple(tensors), variables=tuple(kept))


def _error(graph: Graph, what: str) -> ModelFormatError:
    return ModelFormatError(
        f"{graph.name}: {what}",
        hint="export the network with its state assigned at the start, or as input and output",
    )


def _resting(tensor: Tensor) -> bytes:
    """What a variable holds before anything is assigned: its zero point in each byte, as TensorFlow
    Lite Micro fills it."""
    quantization = tensor.quantization
    zero = 0 if quantization is None or tensor.dtype is not DType.INT8 else quantization.zero_point
    return bytes([zero & 0xFF]) * tensor.size_bytes


def _target(graph: Graph, op: Op, others: Mapping[int, Subgraph]) -> int:
    number = op.options.get("init_subgraph_index", 0)
    if not isinstance(number, int) or number not in others:
        raise _error(graph, f"CALL_ONCE (index {op.index}) calls subgraph {number}")
    return number


def _check_once(graph: Graph) -> None:
    """What is assigned once must be so before anything is read."""
    uses = [op.index for op in graph.ops if op.kind in ("READ_VARIABLE", "ASSIGN_VARIABLE")]
    for op in graph.ops:
        if op.kind == "CALL_ONCE" and uses and op.index > uses[0]:
            raise _error(graph, f"CALL_ONCE (index {op.index}) comes after a variable was used")


_Name = tuple[str, str]


def _name(op: Op) -> _Name:
    return str(op.options.get("container", "")), str(op.options.get("shared_name", ""))


def _handles(subgraph: Subgraph) -> dict[int, _Name]:
    """Tensor of each handle to the variable's name."""
    return {
        op.outputs[0]: _name(op)
        for op in subgraph.ops
        if op.kind == "VAR_HANDLE" and len(op.outputs) == 1
    }


def _named(graph: Graph, main: Subgraph) -> dict[_Name, tuple[int, ...]]:
    handles = _handles(main)
    for op in graph.ops:
        if op.kind in ("READ_VARIABLE", "ASSIGN_VARIABLE") and (
            not op.inputs or op.inputs[0] not in handles
        ):
            raise _error(graph, f"{op.kind} (index {op.index}) is given no handle of a variable")
    named: dict[_Name, tuple[int, ...]] = {}
    for tensor, name in handles.items():
        named[name] = (*named.get(name, ()), tensor)
    return named


def _values(graph: Graph, subgraphs: Sequence[Subgraph]) -> dict[_Name, Tensor]:
    """A tensor like the variable's value: what is first assigned to it, else what is read."""
    found: dict[_Name, Tensor] = {}
    for kind in ("ASSIGN_VARIABLE", "READ_VARIABLE"):
        for subgraph in subgraphs:
            handles = _handles(subgraph)
            for op in subgraph.ops:
                operands = op.inputs[1:] if kind == "ASSIGN_VARIABLE" else op.outputs
                if op.kind != kind:
                    continue
                if len(operands) != 1 or not op.inputs or op.inputs[0] not in handles:
                    raise _error(graph, f"{kind} (index {op.index}) has other operands than one")
                found.setdefault(handles[op.inputs[0]], subgraph.tensors[operands[0]])
    return found


def _first_values(graph: Graph, once: Sequence[Subgraph]) -> dict[_Name, bytes]:
    """What the subgraphs that run once assign: constants, or nothing that we can know."""
    first: dict[_Name, bytes] = {}
    for subgraph in once:
        handles = _handles(subgraph)
        for op in subgraph.ops:
            if op.kind == "VAR_HANDLE":
                continue
            data = (
                subgraph.tensors[op.inputs[1]].data
                if op.kind == "ASSIGN_VARIABLE" and len(op.inputs) == 2
                else None
            )
            if data is None or op.inputs[0] not in handles:
                raise _error(
                    graph, f"{op.kind} (index {op.index}) computes what a variable starts with"
                )
            first[handles[op.inputs[0]]] = data
    return first
