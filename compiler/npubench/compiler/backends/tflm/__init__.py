"""TensorFlow Lite Micro's interpreter as an engine, from a tree of the user's own.

The network runs as TFLM runs it: its interpreter, its arena, its kernels (reference or CMSIS-NN),
built with the flags of its own Makefile, under this project's harness and stage contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from npubench.boards import Board
from npubench.compiler.backends import Option
from npubench.compiler.backends._toolchain import LEVEL, TOOLCHAIN, require_toolchain
from npubench.compiler.backends.cpu import check_memory
from npubench.compiler.backends.tflm.reserve import reserve_bytes
from npubench.compiler.backends.tflm.tree import Kernels, TflmTree
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Arena, Constant, EngineOp, Interpreter, Plan, Toolchain
from npubench.compiler.tflite.reader import operator_kinds
from npubench.core.errors import UsageError

MODEL = "nb_tflm_model"
_OPTIONS = (
    Option(
        name="path",
        help="folder of the tree, as its create_tflm_tree.py makes one, or a checkout with its "
        "downloads; without it NPUBENCH_TFLM of the environment",
        default="",
    ),
    Option(
        name="kernels",
        help="the tree's reference kernels, or CMSIS-NN; best: CMSIS-NN where the tree has it and "
        "the core can run it",
        default="best",
        choices=("best", "reference", "cmsis-nn"),
    ),
    Option(
        name="arena",
        help="bytes reserved for the interpreter; without it a bound from the network, and the "
        "record has what it used",
        default="",
    ),
    TOOLCHAIN,
    LEVEL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmBackend:
    """Runs a network by TFLM's interpreter."""

    name: str = "tflm"
    path: str = ""
    kernels: Kernels | None = None
    arena_bytes: int | None = None
    toolchain: Toolchain = "gcc"
    level: str = "O2"

    @property
    def options(self) -> tuple[Option, ...]:
        """What may be set."""
        return _OPTIONS

    def configured(self, values: Mapping[str, str]) -> TflmBackend:
        """This backend with options from text."""
        kernels = values.get("kernels", "best")
        arena = values.get("arena", "")
        if arena and not (arena.isdecimal() and 0 < int(arena) < 2**31):
            raise UsageError(f"tflm.arena: {arena!r} is no number of bytes")
        return replace(
            self,
            path=values.get("path", ""),
            kernels=None if kernels == "best" else cast(Kernels, kernels),
            arena_bytes=int(arena) if arena else None,
            toolchain=cast(Toolchain, values.get("toolchain", self.toolchain)),
            level=values.get("level", self.level),
        )

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """Take the tree's sources for the network's operators; nothing of the network is changed.

        Raises ToolMissing and ToolError for the tree, UnsupportedOp for an operator that it lacks,
        DoesNotFit when the model or the reserved arena exceed their region.
        """
        require_toolchain(self.toolchain, board, self.level)
        tree = TflmTree(self.path, self.kernels, arm=board.toolchain.prefix.startswith("arm-"))
        every = dict.fromkeys(operator_kinds(model, name=graph.name))
        known = {kind: tree.registration(*kind, index=_first(graph, kind[0])) for kind in every}
        steps = tuple(
            EngineOp(
                op_index=op.index,
                kernel=tree.kernel_file(known[(op.kind, op.custom_code)]),
            )
            for op in graph.ops
        )
        needed = self.arena_bytes or reserve_bytes(graph)
        plan = Plan(
            backend=self.name,
            steps=steps,
            constants=(Constant(name=MODEL, ctype="uint8_t", data=_whole(model), align=16),),
            arena=Arena(size_bytes=-(-needed // 16) * 16, places=()),
            artifact=model,
            artifact_sha256=hashlib.sha256(model).hexdigest(),
            defines={"NB_INTERPRETER": "1"},
            engine=tree.sources(known.values(), self.level),
            interpreter=Interpreter(
                model=MODEL,
                methods=tuple(registration.method for registration in known.values()),
                variables=sum(bool(variable.handles) for variable in graph.variables),
            ),
            toolchain=self.toolchain,
            level=self.level,
        )
        check_memory(graph, plan, board)
        return plan


def _first(graph: Graph, kind: str) -> int:
    """The first operator of a kind; 0 for one of a further subgraph."""
    return next((op.index for op in graph.ops if op.kind == kind), 0)


def _whole(model: bytes) -> bytes:
    """The file in whole words."""
    return model + bytes(-len(model) % 4)


BACKEND = TflmBackend()
