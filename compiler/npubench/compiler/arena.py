"""Places activations and scratch memory in one block, so that what is never alive at the same
time shares bytes.

The problem is dynamic storage allocation, which is NP-hard. Blocks are placed one after another
into the smallest gap that their lifetime leaves them (best fit); several orders are tried, largest
first among them, and the smallest result wins, which for networks is mostly the lower bound.

An output may lie over an input that dies with its operator, as far as the kernel allows it
(``Overlap``): such a place is tried before any gap.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from npubench.compiler.graph import Graph
from npubench.compiler.plan import (
    Alias,
    Arena,
    EngineOp,
    Free,
    KernelCall,
    NpuJob,
    Place,
    Step,
    TensorArg,
)
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


def plan_arena(
    graph: Graph,
    steps: Sequence[Step],
    *,
    fixed: Mapping[int, int] | None = None,
    reserved_bytes: int = 0,
) -> Arena:
    """Places for every tensor that a step touches and for every step's scratch.

    Graph inputs live from before the first step to their last use, graph outputs until after the
    last step, a variable for ever, an alias where its source lives. Offsets are multiples of 16.
    Tensors inside an NpuJob are the NPU compiler's business and get no place.

    The first ``reserved_bytes`` belong to an NPU's compiler, which has put the tensors of ``fixed``
    (and so their aliases) at their offsets there; all else comes behind.
    """
    fixed = fixed or {}
    base = _aligned(reserved_bytes)
    blocks = lifetimes(graph, steps)
    over = _allowed(steps, blocks)
    given = tuple(block for block in blocks if any(tensor in fixed for tensor in block.tensors))
    blocks = tuple(block for block in blocks if block not in given)
    best = _best_placement(blocks, over)
    _check(blocks, best, over)
    best = tuple(base + offset for offset in best)
    blocks += given
    best += tuple(
        next(fixed[tensor] for tensor in block.tensors if tensor in fixed) for block in given
    )
    places = [
        Place(tensor=tensor, offset_bytes=offset, size_bytes=graph.tensor(tensor).size_bytes)
        for block, offset in zip(blocks, best, strict=True)
        for tensor in block.tensors
    ]
    return Arena(
        size_bytes=max(base, _aligned(_end(blocks, best))),
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
    for variable in graph.variables:
        yield -1, variable.tensor
        yield len(steps), variable.tensor
    for position, step in enumerate(steps):
        for tensor in touched(step):
            if not graph.tensor(tensor).is_constant:
                yield position, tensor
    for tensor in graph.outputs:
        if not graph.tensor(tensor).is_constant:
            yield len(steps), tensor


def touched(step: Step) -> tuple[int, ...]:
    """The tensors that a step reads or writes, constants included."""
    match step:
        case Free() | EngineOp():
            return ()
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


Over = Mapping[tuple[Block, Block], int | None]


def _allowed(steps: Sequence[Step], blocks: tuple[Block, ...]) -> Over:
    """(input's block, output's block) that may share bytes, and by what lead: the input dies with
    the step that makes the output."""
    home = {tensor: block for block in blocks for tensor in block.tensors}
    over: dict[tuple[Block, Block], int | None] = {}
    for position, step in enumerate(steps):
        if not isinstance(step, KernelCall):
            continue
        for overlap in step.overlaps:
            dying = home.get(overlap.tensor)
            made = home.get(_output(step))
            if (
                dying is not None
                and made is not None
                and dying is not made
                and dying.last == position
                and made.first == position
            ):
                over[dying, made] = overlap.lead_bytes
    return over


def _output(step: KernelCall) -> int:
    return next(arg.tensor for arg in step.args if isinstance(arg, TensorArg) and not arg.const)


def _may_share(first: Block, start: int, second: Block, other: int, over: Over) -> bool:
    """Whether ``first`` at ``start`` and ``second`` at ``other`` may overlap."""
    for dying, at, made, to in ((first, start, second, other), (second, other, first, start)):
        if (dying, made) in over:
            lead = over[dying, made]
            return at == to if lead is None else to <= at - lead
    return False


def _best_placement(blocks: tuple[Block, ...], over: Over) -> tuple[int, ...]:
    """Offsets of the first order that reaches the lower bound, else of the best one."""
    bound = 0 if over else lower_bound_bytes(blocks)
    best: tuple[int, ...] = ()
    for sequence in _sequences(blocks, over):
        offsets = _place(blocks, sequence, over)
        if not best or _end(blocks, offsets) < _end(blocks, best):
            best = offsets
        if _aligned(_end(blocks, best)) <= bound:
            break
    return best


def lower_bound_bytes(blocks: tuple[Block, ...]) -> int:
    """The most bytes alive at one step, each block rounded up to the alignment."""
    change: dict[int, int] = {}
    for block in blocks:
        change[block.first] = change.get(block.first, 0) + _aligned(block.size_bytes)
        change[block.last + 1] = change.get(block.last + 1, 0) - _aligned(block.size_bytes)
    return max(accumulate(change[step] for step in sorted(change)), default=0)


def _sequences(blocks: tuple[Block, ...], over: Over) -> Iterator[list[int]]:
    """Orders in which to place blocks; where outputs may lie over inputs also one that follows
    them: from the largest block to those that may share bytes with one placed before."""
    for key in _ORDERS:
        yield sorted(range(len(blocks)), key=lambda item: key(blocks[item]))
    if not over:
        return
    near: dict[Block, list[Block]] = {}
    for dying, made in over:
        near.setdefault(dying, []).append(made)
        near.setdefault(made, []).append(dying)
    numbers = {block: number for number, block in enumerate(blocks)}
    left = sorted(range(len(blocks)), key=lambda item: _ORDERS[0](blocks[item]))
    sequence: list[int] = []
    reached: set[int] = set()
    while left:
        number = next((item for item in left if item in reached), left[0])
        left.remove(number)
        sequence.append(number)
        reached |= {numbers[block] for block in near.get(blocks[number], ()) if block in numbers}
    yield sequence


def _place(blocks: tuple[Block, ...], sequence: Sequence[int], over: Over) -> tuple[int, ...]:
    """An offset for each block, placed in this order."""
    offsets = [0] * len(blocks)
    placed: list[tuple[int, int, int]] = []  # (start, end, number), sorted
    for number in sequence:
        block = blocks[number]
        taken = [
            (start, end, blocks[other])
            for start, end, other in placed
            if blocks[other].first <= block.last and block.first <= blocks[other].last
        ]
        fitting = [
            start for start in _shared(block, taken, over) if _is_free(block, start, taken, over)
        ]
        start = (
            min(fitting)
            if fitting
            else _best_fit(block.size_bytes, [(start, end) for start, end, _ in taken])
        )
        offsets[number] = start
        insort(placed, (start, start + block.size_bytes, number))
    return tuple(offsets)


def _shared(block: Block, taken: list[tuple[int, int, Block]], over: Over) -> list[int]:
    """Places over blocks that may share bytes with ``block``."""
    starts = []
    for start, _, other in taken:
        if (block, other) in over:  # the input is placed after its output
            starts.append(_aligned(start + (over[block, other] or 0)))
        if (other, block) in over:
            lead = over[other, block] or 0
            if start >= lead:
                starts.append((start - lead) // ALIGNMENT_BYTES * ALIGNMENT_BYTES)
    return starts


def _is_free(block: Block, start: int, taken: list[tuple[int, int, Block]], over: Over) -> bool:
    return all(
        start + block.size_bytes <= at or end <= start or _may_share(block, start, other, at, over)
        for at, end, other in taken
    )


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


def _check(blocks: tuple[Block, ...], offsets: tuple[int, ...], over: Over) -> None:
    """No two blocks that live at the same step overlap, but where a kernel allows it. A violation
    is our own bug."""
    placed = sorted(zip(offsets, blocks, strict=True), key=lambda item: item[0])
    for number, (offset, block) in enumerate(placed):
        for other_offset, other in placed[number + 1 :]:
            if other_offset >= offset + block.size_bytes:
                break
            if (
                other.first <= block.last
                and block.first <= other.last
                and not _may_share(block, offset, other, other_offset, over)
            ):
                raise NpubenchError(
                    "the arena planner let memory overlap at step "
                    f"{max(block.first, other.first)}, offset {other_offset}",
                    hint="this is a bug of npubench; please report it with the model",
                )
