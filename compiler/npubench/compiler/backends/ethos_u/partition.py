"""Who runs what: Vela's output laid back over the network that it was made from.

Vela renames nothing that stays visible: inputs and outputs keep their order, what crosses from one
engine to the other keeps its name. All else inside a job is the NPU's own affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from npubench.compiler.backends.ethos_u.output import JobTensors, VelaModel, VelaTensor, job_tensors
from npubench.compiler.graph import Graph, Op
from npubench.core.errors import CompileError


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Operators of the network that one job runs; ``inputs`` and ``outputs`` are tensors of the
    network, ``tensors`` the job's operands in Vela's file."""

    op_indices: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: JobTensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The whole network.

    ``order``: the operators on the CPU and the jobs (as -1 - number) in the order for which Vela
    planned the arena: it may differ from the network's. ``offsets``: Vela's place in the arena of
    each tensor of the network that it planned.
    """

    order: tuple[int, ...]
    segments: tuple[Segment, ...]
    cpu_ops: tuple[int, ...]
    offsets: Mapping[int, int]


def partition(graph: Graph, vela: VelaModel) -> Partition:
    """Lay ``vela`` over ``graph``. Raises CompileError when a tensor cannot be found again."""
    if len(vela.inputs) != len(graph.inputs) or len(vela.outputs) != len(graph.outputs):
        raise CompileError(f"{graph.name}: Vela changed the number of inputs or outputs")
    known = _known(graph, vela)
    kept = {variable.tensor for variable in graph.variables}
    producers = {tensor: op for op in graph.ops for tensor in op.outputs}
    cpu: set[int] = set()
    for op in vela.ops:
        if not op.is_job:
            cpu.add(producers[_find(graph, vela.tensors[op.outputs[0]], known)].index)
    segments: list[Segment] = []
    order: list[int] = []
    taken: dict[int, int] = {}
    for op in vela.ops:
        if not op.is_job:
            order.append(producers[_find(graph, vela.tensors[op.outputs[0]], known)].index)
            continue
        order.append(-1 - len(segments))
        tensors = job_tensors(vela, op)
        inputs = _all(graph, tensors.inputs, known)
        # A job writes the network's state in place; it is nobody's output.
        outputs = tuple(index for index in _all(graph, tensors.outputs, known) if index not in kept)
        members = _members(graph, producers, inputs, outputs, cpu)
        for index in members:
            taken[index] = taken.get(index, 0) + 1
        segments.append(
            Segment(op_indices=members, inputs=inputs, outputs=outputs, tensors=tensors)
        )
    return Partition(
        order=tuple(order),
        segments=tuple(segments),
        cpu_ops=tuple(op.index for op in graph.ops if op.index not in taken),
        offsets={
            known[tensor.index]: tensor.offset_bytes
            for tensor in vela.tensors
            if tensor.index in known and tensor.offset_bytes is not None
        },
    )


def _known(graph: Graph, vela: VelaModel) -> dict[int, int]:
    """Tensor of the network for each tensor of Vela's file that is one: by position where they are
    inputs or outputs, else by a name that is unique on both sides. A name that Vela uses for
    several tensors in one place of the arena is one tensor's: the state of an LSTM, once for each
    step."""
    known = dict(zip(vela.inputs, graph.inputs, strict=True))
    known.update(zip(vela.outputs, graph.outputs, strict=True))
    ours: dict[str, list[int]] = {}
    for tensor in graph.tensors:
        if not tensor.is_constant:
            ours.setdefault(tensor.name, []).append(tensor.index)
    theirs: dict[str, list[int]] = {}
    for item in vela.tensors:
        if item.data is None:
            theirs.setdefault(item.name, []).append(item.index)
    for name, indices in theirs.items():
        found = ours.get(name, [])
        if len(found) == 1 and len({_place(vela.tensors[index]) for index in indices}) == 1:
            for index in indices:
                known.setdefault(index, found[0])
    return known


def _place(tensor: VelaTensor) -> tuple[object, ...]:
    """Where a tensor lies; that of one without a place in the arena is its own."""
    own = tensor.index if tensor.offset_bytes is None else -1
    return own, tensor.offset_bytes, tensor.shape, tensor.element_bytes


def _all(
    graph: Graph, tensors: tuple[VelaTensor, ...], known: Mapping[int, int]
) -> tuple[int, ...]:
    """Each of the network's tensors once."""
    return tuple(dict.fromkeys(_find(graph, tensor, known) for tensor in tensors))


def _find(graph: Graph, tensor: VelaTensor, known: Mapping[int, int]) -> int:
    try:
        return known[tensor.index]
    except KeyError:
        raise CompileError(
            f"{graph.name}: Vela's tensor {tensor.name[:80]!r} is not one of the network's",
            hint="tensors need names of their own; compile for the CPU with --backend cpu",
        ) from None


def _members(
    graph: Graph,
    producers: Mapping[int, Op],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    cpu: set[int],
) -> tuple[int, ...]:
    """Operators between a job's outputs and its inputs."""
    members: set[int] = set()
    border = set(inputs)
    waiting = list(outputs)
    while waiting:
        tensor = waiting.pop()
        if tensor in border and tensor not in outputs:
            continue
        op = producers.get(tensor)
        if op is None or op.index in members:
            continue
        if op.index in cpu:
            raise CompileError(
                f"{graph.name}: an NPU job needs operator {op.index} ({op.kind}), which Vela left "
                "on the CPU",
                hint="compile it for the CPU: --backend cpu",
            )
        members.add(op.index)
        waiting += [index for index in op.inputs if index >= 0]
    return tuple(sorted(members))
