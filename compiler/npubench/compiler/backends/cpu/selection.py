"""Which kernels a whole network takes: the fastest, the smallest, or those that need least RAM.

One operator's kernel decides neither of the last two: memory is the largest of all moments, and a
kernel's code is paid once for all operators that it serves.

``speed``: every operator takes its fastest kernel; where the arena stays within what the live
activations need, convolutions get memory to read their weights from, which costs a few instructions
and saves a flash's wait states.

``ram``: every operator takes the kernel with which it alone needs least; then each goes back to its
fastest wherever the arena stays as small. ``size``: per kind of operator the set of kernels whose
code and constants are fewest bytes; of equals the fastest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, Literal

from npubench.compiler.arena import lifetimes, lower_bound_bytes, plan_arena
from npubench.compiler.graph import Graph, Op
from npubench.compiler.lower import lower_op
from npubench.compiler.lower.site import PORTABLE
from npubench.compiler.plan import Constant, KernelCall, Lowered, Step, TensorArg

Goal = Literal["speed", "size", "ram"]
Pick = tuple[Lowered, tuple[Constant, ...]]

CODE_BYTES: Final = {
    ("portable", "add_s8.c"): 1320,
    ("portable", "conv2d_s8.c"): 1460,
    ("portable", "depthwise_conv2d_s8.c"): 2736,
    ("portable", "fully_connected_s8.c"): 600,
    ("portable", "pool_s8.c"): 756,
    ("dsp", "add_dsp_s8.c"): 1008,
    ("dsp", "conv2d_dsp_s8.c"): 3412,
    ("dsp", "depthwise_3x3_dsp_s8.c"): 2644,
    ("dsp", "fully_connected_dsp_s8.c"): 1440,
    ("dsp", "pool_dsp_s8.c"): 544,
    ("mve", "add_mve_s8.c"): 524,
    ("mve", "conv2d_mve_s8.c"): 2504,
    ("mve", "depthwise_3x3_mve_s8.c"): 3276,
    ("mve", "fully_connected_mve_s8.c"): 692,
    ("mve", "pool_mve_s8.c"): 436,
}
"""Code of the kernels between which there is a choice: GCC 12, -O2, for a Cortex-M4 or M55."""


_HALVINGS: Final = 6
"""How often spare memory is halved before a kernel goes without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What runs an operator each, in the network's order, and the constants that they read."""

    steps: tuple[Lowered, ...]
    constants: tuple[Constant, ...]


def select(graph: Graph, flavours: tuple[str, ...], goal: Goal) -> Selection:
    """Kernels for every operator of ``graph`` on a core that runs ``flavours``, best first.

    Raises UnsupportedOp for the first operator without a kernel.
    """
    fastest = [lower_op(graph, op, flavours=flavours) for op in graph.ops]
    if goal == "speed":
        return _selection(_with_spare_memory(graph, fastest, flavours))
    offers = [
        tuple(_offers(graph, op, flavours, pick, goal))
        for op, pick in zip(graph.ops, fastest, strict=True)
    ]
    picks = (
        _least_memory(graph, fastest, offers)
        if goal == "ram"
        else _least_flash(graph, fastest, offers)
    )
    return _selection(
        [
            pick if pick is quick else _explained(pick, goal)
            for pick, quick in zip(picks, fastest, strict=True)
        ]
    )


def code_bytes(steps: Sequence[Step]) -> int:
    """Code of those kernels among which there is a choice, each file once."""
    files = {
        (step.flavour or PORTABLE, step.source) for step in steps if isinstance(step, KernelCall)
    }
    return sum(CODE_BYTES.get(file, 0) for file in files)


def _selection(picks: Sequence[Pick]) -> Selection:
    return Selection(
        steps=tuple(step for step, _ in picks),
        constants=tuple(constant for _, needed in picks for constant in needed),
    )


def _explained(pick: Pick, goal: Goal) -> Pick:
    step, constants = pick
    assert isinstance(step, KernelCall)
    assert step.choice is not None
    return replace(step, choice=replace(step.choice, reason=f"chosen for {goal}")), constants


def _offers(
    graph: Graph, op: Op, flavours: tuple[str, ...], fastest: Pick, goal: Goal
) -> Iterator[Pick]:
    """The kernels that may serve an operator, the fastest first."""
    yield fastest
    if not isinstance(fastest[0], KernelCall) or fastest[0].choice is None:
        return
    seen = [fastest[0]]
    for flavour in dict.fromkeys((*flavours, PORTABLE)):
        for lean in (False, True) if goal == "ram" else (False,):
            step, constants = lower_op(graph, op, flavours=(flavour,), lean=lean)
            known = any(
                isinstance(step, KernelCall)
                and (step.kernel, step.params) == (other.kernel, other.params)
                for other in seen
            )
            if isinstance(step, KernelCall) and step.choice is not None and not known:
                seen.append(step)
                yield step, constants


def _with_spare_memory(
    graph: Graph, fastest: Sequence[Pick], flavours: tuple[str, ...]
) -> list[Pick]:
    """The same kernels, with more scratch memory where one is faster for it: as long as the arena
    stays within what the activations would need that are alive at one time, none over another."""
    picks = list(fastest)
    steps = [step for step, _ in picks]
    blocks = lifetimes(graph, steps)
    live = tuple(block for block in blocks if block.scratch_step is None)
    limit_bytes = max(lower_bound_bytes(live), _arena_bytes(graph, picks))
    for index, op in enumerate(graph.ops):
        step = steps[index]
        if not isinstance(step, KernelCall) or step.flavour in (None, PORTABLE):
            continue
        tried: list[int] = []
        for spare_bytes in (limit_bytes >> shift for shift in range(_HALVINGS)):
            pick = lower_op(graph, op, flavours=flavours, spare_bytes=spare_bytes)
            more = pick[0]
            if not isinstance(more, KernelCall) or more.scratch_bytes <= step.scratch_bytes:
                break
            if more.scratch_bytes in tried:
                continue
            tried.append(more.scratch_bytes)
            trial = [*picks[:index], pick, *picks[index + 1 :]]
            if _arena_bytes(graph, trial) <= limit_bytes:
                picks = trial
                break
    return picks


def _least_memory(
    graph: Graph, fastest: Sequence[Pick], offers: Sequence[tuple[Pick, ...]]
) -> list[Pick]:
    best = [min(some, key=lambda pick: (_need(graph, pick), _time(pick))) for some in offers]
    size_bytes = _arena_bytes(graph, best)
    if _arena_bytes(graph, fastest) <= size_bytes:
        return list(fastest)
    slow = [index for index, pick in enumerate(best) if pick is not fastest[index]]
    for index in sorted(slow, key=lambda index: _time(fastest[index]) - _time(best[index])):
        # From the fastest on: the first with which the arena stays as small.
        for pick in sorted(offers[index], key=_time):
            trial = [*best[:index], pick, *best[index + 1 :]]
            if _arena_bytes(graph, trial) <= size_bytes:
                best = trial
                break
    return best


def _arena_bytes(graph: Graph, picks: Sequence[Pick]) -> int:
    return plan_arena(graph, [step for step, _ in picks]).size_bytes


def _need(graph: Graph, pick: Pick) -> int:
    """Bytes of an operator's tensors and scratch memory, with its output over its input where that
    may be."""
    step, _ = pick
    if not isinstance(step, KernelCall):
        return 0
    sizes = {
        arg.tensor: graph.tensor(arg.tensor).size_bytes
        for arg in step.args
        if isinstance(arg, TensorArg) and not graph.tensor(arg.tensor).is_constant
    }
    made = next(arg.tensor for arg in step.args if isinstance(arg, TensorArg) and not arg.const)
    total = sum(sizes.values())
    saved = 0
    for overlap in step.overlaps:
        if overlap.tensor in sizes and overlap.tensor != made:
            below, over = sizes[overlap.tensor], sizes[made]
            both = max(below + (overlap.lead_bytes or 0), over)
            saved = max(saved, below + over - both)
    return total - saved + step.scratch_bytes


def _time(pick: Pick) -> int:
    step, _ = pick
    if not isinstance(step, KernelCall) or step.choice is None:
        return 0
    return step.choice.instructions or 0


def _least_flash(
    graph: Graph, fastest: Sequence[Pick], offers: Sequence[tuple[Pick, ...]]
) -> list[Pick]:
    picks = list(fastest)
    for kind in {op.kind for op in graph.ops}:
        members = [op.index for op in graph.ops if op.kind == kind and len(offers[op.index]) > 1]
        files = sorted({_file(pick) for index in members for pick in offers[index]})
        best: tuple[int, int] | None = None
        for size in range(1, len(files) + 1):
            for chosen in combinations(files, size):
                some = [[p for p in offers[index] if _file(p) in chosen] for index in members]
                if not all(some):
                    continue
                taken = [min(pick, key=lambda p: (_constants(p), _time(p))) for pick in some]
                used = {_file(pick) for pick in taken}
                cost = (
                    sum(map(_constants, taken)) + sum(CODE_BYTES.get(file, 0) for file in used),
                    sum(map(_time, taken)),
                )
                if best is None or cost < best:
                    best = cost
                    for index, pick in zip(members, taken, strict=True):
                        picks[index] = pick
    return picks


def _file(pick: Pick) -> tuple[str, str]:
    step, _ = pick
    assert isinstance(step, KernelCall)
    return step.flavour or PORTABLE, step.source


def _constants(pick: Pick) -> int:
    return sum(len(constant.data) for constant in pick[1])
