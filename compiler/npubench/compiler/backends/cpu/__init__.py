"""The backend of boards without an NPU: every operator is a kernel call on the CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from npubench.boards import Board, load_boards
from npubench.compiler.arena import plan_arena, touched
from npubench.compiler.backends import Option
from npubench.compiler.backends._toolchain import LEVEL, TOOLCHAIN, require_toolchain
from npubench.compiler.backends.cpu.selection import Goal, select
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan, Toolchain
from npubench.core.errors import DoesNotFit

_OPTIONS = (
    Option(
        name="optimise",
        help="what kernels are chosen for: fewest instructions, with weights copied where the "
        "arena has room (speed); fewest bytes of code and constants (size); smallest arena (ram)",
        default="speed",
        choices=("speed", "size", "ram"),
    ),
    TOOLCHAIN,
    LEVEL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuBackend:
    """Runs a network operator by operator, in the file's order, on the board's kernels."""

    name: str = "cpu"
    goal: Goal = "speed"
    toolchain: Toolchain = "gcc"
    level: str = "O2"

    @property
    def options(self) -> tuple[Option, ...]:
        """What may be set."""
        return _OPTIONS

    def configured(self, values: Mapping[str, str]) -> CpuBackend:
        """This backend with options from text, which are checked already."""
        return replace(
            self,
            goal=cast(Goal, values.get("optimise", self.goal)),
            toolchain=cast(Toolchain, values.get("toolchain", self.toolchain)),
            level=values.get("level", self.level),
        )

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """Lower every operator, plan the arena, check the board's memory.

        The artifact is the model itself. Raises UnsupportedOp for the first operator without a
        kernel, DoesNotFit when weights or arena exceed their region.
        """
        require_toolchain(self.toolchain, board, self.level)
        chosen = select(graph, board.cpu.kernels, self.goal)
        plan = Plan(
            backend=self.name,
            steps=chosen.steps,
            constants=chosen.constants,
            arena=plan_arena(graph, chosen.steps),
            artifact=model,
            artifact_sha256=hashlib.sha256(model).hexdigest(),
            toolchain=self.toolchain,
            level=self.level,
        )
        check_memory(graph, plan, board)
        return plan


def weights_bytes(graph: Graph, plan: Plan) -> int:
    """Bytes of the plan's constant arrays and of constant tensors that kernels read directly."""
    tensors = {
        index for step in plan.steps for index in touched(step) if graph.tensor(index).is_constant
    }
    return sum(len(constant.data) for constant in plan.constants) + sum(
        graph.tensor(index).size_bytes for index in tensors
    )


def check_memory(graph: Graph, plan: Plan, board: Board) -> None:
    """Raise DoesNotFit when the weights or the arena alone are too large for their region.

    Code is not known yet, so what passes here can still fail at the link. In the region of
    ordinary RAM the stack and the network's unloaded output and uploaded input are taken.
    """
    if not board.memory:
        return
    needed_bytes = weights_bytes(graph, plan)
    region = board.region("weights")
    if needed_bytes > region.size_bytes:
        raise DoesNotFit(
            needed_bytes=needed_bytes,
            free_bytes=region.size_bytes,
            region=board.region_words("weights"),
            what=f"{graph.name}: its weight data",
            boards=roomier(board, "weights", needed_bytes),
        )
    region = board.region("arena")
    free_bytes = region.size_bytes
    beside = ""
    if region == board.region("ram"):
        borders = {*graph.inputs, *graph.outputs}
        border_bytes = sum(graph.tensor(index).size_bytes for index in borders)
        free_bytes -= board.stack_bytes + border_bytes
        beside = (
            f" (beside {border_bytes} bytes of uploaded input and output and "
            f"{board.stack_bytes} of stack)"
        )
    if plan.arena.size_bytes > free_bytes:
        raise DoesNotFit(
            needed_bytes=plan.arena.size_bytes,
            free_bytes=max(free_bytes, 0),
            region=board.region_words("arena"),
            what=f"{graph.name}: its arena of activations{beside}",
            boards=roomier(board, "arena", plan.arena.size_bytes),
        )


def roomier(board: Board, role: str, needed_bytes: int) -> tuple[str, ...]:
    """The boards with an NPU for the same backend whose region for ``role`` is large enough; none
    for a board without one, since there would be no choosing among so many."""
    if board.npu is None or board.npu.backend is None:
        return ()
    kind = "physical" if board.is_stood_in else board.kind
    return tuple(
        other.id
        for other in load_boards()
        if other.npu is not None
        and other.npu.backend == board.npu.backend
        and other.kind == kind
        and other.memory
        and other.region(role).size_bytes >= needed_bytes
    )


BACKEND = CpuBackend()
