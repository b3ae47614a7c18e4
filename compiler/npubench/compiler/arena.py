"""Places activations and scratch memory in one block, so that what is never alive at the same
time shares bytes.

The problem is dynamic storage allocation, which is NP-hard. Blocks are placed one after another
into the smallest gap that their lifetime leaves them (best fit); several orders are tried, largest
first among them, and the smallest result wins, which for networks is mostly the lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from npubench.compiler.graph import Graph
from npubench.compiler.plan import Alias, Arena, KernelCall, NpuJob, Place, Step, TensorArg
from npubench.core.errors import NpubenchError

ALIGNMENT_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Memory that is needed from step ``first`` to step ``last``, both included.

    ``tensors`` share the block (a tensor and its aliases); a scratch block has none and belongs
    to ``scratch_step``. Step -1 is before the first (loading), ``len(steps)`` after the last.
    """

    size_bytes: int
    first: int
    last: int
    tensors: tuple[int, ...] = ()
    scratch_step: int | None = None


def plan_arena(graph: Graph, steps: Sequence[Step]) -> Arena:
    """Places for every tensor that a step touches and for every step's scratch.

    Graph inputs live from before the first step to their last use, graph outputs until after the
    last step, an alias where its source lives. Offsets are multiples of 16. Tensors inside an
    NpuJob are the NPU compiler's business and get no place.
    """
    blocks = lifetimes(graph, steps)
    best = min((_place(blocks, key) for key in _ORDERS), key=lambda offsets: _end(blocks, offsets))
    _check(blocks, best)
    places = [
        Place(tensor=tensor, offset_bytes=offset, size_bytes=graph.tensor(tensor).size_bytes)
        for block, offset in zip(blocks, best, strict=True)
        for tensor in block.tensors
    ]
    return Arena(
        size_bytes=_aligned(_end(blocks, best)),
        places=tuple(sorted(places, key=lambda place: place.tensor)),
        scratch_offset_bytes={
            block.scratch_step: offset
            for block, offset in zip(blocks, best, strict=True)
            if block.scratch_step is not None
        },
    )


def lifetimes(graph: Graph, steps: Sequence[Step]) -> tuple[Block, ...]:
    """The blocks that a sequence of steps needs, in order of their first use."""
    leader = _aliases(steps)
    members: dict[int, set[int]] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for position, tensor in _uses(graph, steps):
        group = leader.get(tensor, tensor)
        members.setdefault(group, set()).add(tensor)
        first[group] = min(first.get(group, position), position)
        last[group] = max(last.get(group, position), position)
    blocks = [
        Block(
            size_bytes=max(graph.tensor(tensor).size_bytes for tensor in tensors),
            first=first[group],
            last=last[group],
            tensors=tuple(sorted(tensors)),
        )
        for group, tensors in members.items()
    ]
    blocks += [
        Block(size_bytes=step.scratch_bytes, first=position, last=position, scratch_step=position)
        for position, step in enumerate(steps)
        if isinstance(step, KernelCall) and step.scratch_bytes > 0
    ]
    return tuple(sorted(blocks, key=lambda block: (block.first, block.tensors)))


def _aliases(steps: Sequence[Step]) -> dict[int, int]:
    """The tensor whose memory an alias uses. A chain of aliases leads to its first source;
    steps are in order, so a source's own leader is known before its aliases come."""
    leader: dict[int, int] = {}
    for step in steps:
        if isinstance(step, Alias):
            leader[step.target_tensor] = leader.get(step.source_tensor, step.source_tensor)
    return leader


def _uses(graph: Graph, steps: Sequence[Step]) -> Iterator[tuple[int, int]]:
    """(step, tensor) for every use of a tensor that is not constant."""
    for tensor in graph.inputs:
        yield -1, tensor
    for position, step in enumerate(steps):
        for tensor in touched(step):
            if not graph.tensor(tensor).is_constant:
                yield position, tensor
    for tensor in graph.outputs:
        yield len(steps), tensor


def touched(step: Step) -> tuple[int, ...]:
    """The tensors that a step reads or writes, constants included."""
    match step:
        case Alias():
            return (step.source_tensor, step.target_tensor)
        case NpuJob():
            return (*step.inputs, *step.outputs)
        case KernelCall():
            return tuple(arg.tensor for arg in step.args if isinstance(arg, TensorArg))


_ORDERS: Final[tuple[Callable[[Block], tuple[int, ...]], ...]] = (
    lambda block: (-block.size_bytes, block.first),
    lambda block: (-block.size_bytes * (block.last - block.first + 1), block.first),
    lambda block: (block.first - block.last, -block.size_bytes),
    lambda block: (block.first, -block.size_bytes),
    lambda block: (-block.last, -block.size_bytes),
)


def _place(blocks: tuple[Block, ...], key: Callable[[Block], tuple[int, ...]]) -> tuple[int, ...]:
    """An offset for each block, placed in the order of ``key``."""
    alive: dict[int, list[int]] = {}
    offsets = [0] * len(blocks)
    for number in sorted(range(len(blocks)), key=lambda item: key(blocks[item])):
        block = blocks[number]
        steps = range(block.first, block.last + 1)
        neighbours = {other for step in steps for other in alive.get(step, ())}
        offsets[number] = _best_fit(
            block.size_bytes,
            sorted(
                (offsets[other], offsets[other] + blocks[other].size_bytes) for other in neighbours
            ),
        )
        for step in steps:
            alive.setdefault(step, []).append(number)
    return tuple(offsets)


def _best_fit(size_bytes: int, taken: list[tuple[int, int]]) -> int:
    """The start of the smallest gap between taken (start, end) ranges, sorted by start, that
    holds ``size_bytes``; else the end of them all."""
    best: tuple[int, int] | None = None
    end = 0
    for start, stop in taken:
        gap = start - end
        if gap >= size_bytes and (best is None or gap < best[0]):
            best = (gap, end)
        end = max(end, _aligned(stop))
    return end if best is None else best[1]


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _end(blocks: tuple[Block, ...], offsets: tuple[int, ...]) -> int:
    return max(
        (offset + block.size_bytes for block, offset in zip(blocks, offsets, strict=True)),
        default=0,
    )


def _check(blocks: tuple[Block, ...], offsets: tuple[int, ...]) -> None:
    """No two blocks that live at the same step overlap. A violation is our own bug."""
    alive: dict[int, list[tuple[int, int]]] = {}
    for block, offset in zip(blocks, offsets, strict=True):
        for step in range(block.first, block.last + 1):
            alive.setdefault(step, []).append((offset, offset + block.size_bytes))
    for step, ranges in alive.items():
        ranges.sort()
        for (_, stop), (start, _) in pairwise(ranges):
            if start < stop:
                raise NpubenchError(
                    f"the arena planner let memory overlap at step {step}, offset {start}",
                    hint="this is a bug of npubench; please report it with the model",
                )
