"""A user's own CMSIS-NN under this project's emitter: its kernels, called without an interpreter.

What CMSIS-NN has no kernel for runs on the portable ones; the record names each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

from npubench.boards import Board
from npubench.compiler.arena import plan_arena
from npubench.compiler.backends import Option
from npubench.compiler.backends._toolchain import LEVEL, TOOLCHAIN, require_toolchain
from npubench.compiler.backends.cmsis_nn.lowering import FLAVOUR, lower_to_cmsis_nn
from npubench.compiler.backends.cpu import check_memory
from npubench.compiler.emit.sources import firmware_root
from npubench.compiler.graph import Graph
from npubench.compiler.plan import (
    Constant,
    EngineScope,
    EngineTree,
    KernelCall,
    Plan,
    Step,
    Toolchain,
)
from npubench.compiler.vendor.sources import Closure, UserTree, functions_closure, tree_version
from npubench.core.errors import ConfigError

TREE: Final = UserTree(
    name="CMSIS-NN",
    option="cmsis-nn.path",
    variable="NPUBENCH_CMSIS_NN",
    install="check out github.com/ARM-software/CMSIS-NN",
)
_HEADERS = ("arm_nnfunctions.h", "arm_nnsupportfunctions.h")
_FUNCTIONS = (b"arm_convolve_wrapper_s8", b"arm_fully_connected_per_channel_s8")
_FLOATS = ("_f16", "_f32", "_flt")
_OPTIONS = (
    Option(
        name="path",
        help="folder of the tree, the one with Include and Source; without it NPUBENCH_CMSIS_NN "
        "of the environment",
        default="",
    ),
    TOOLCHAIN,
    LEVEL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmsisNnBackend:
    """Runs a network operator by operator on CMSIS-NN."""

    name: str = "cmsis-nn"
    path: str = ""
    toolchain: Toolchain = "gcc"
    level: str = "O2"

    @property
    def options(self) -> tuple[Option, ...]:
        """What may be set."""
        return _OPTIONS

    def configured(self, values: Mapping[str, str]) -> CmsisNnBackend:
        """This backend with options from text."""
        return replace(
            self,
            path=values.get("path", ""),
            toolchain=cast(Toolchain, values.get("toolchain", self.toolchain)),
            level=values.get("level", self.level),
        )

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """Lower every operator, take the sources that the calls need.

        Raises ToolMissing and ToolError for the tree, UnsupportedOp, DoesNotFit.
        """
        require_toolchain(self.toolchain, board, self.level)
        if not board.toolchain.prefix.startswith("arm-"):
            raise ConfigError(
                f"CMSIS-NN is for Arm Cortex-M, and {board.id} is none",
                hint="take another backend: cpu, tflm",
            )
        helium = "mve" in board.cpu.kernels
        steps: list[Step] = []
        constants: list[Constant] = []
        for op in graph.ops:
            step, needed = lower_to_cmsis_nn(graph, op, helium=helium)
            steps.append(step)
            constants.extend(needed)
        plan = Plan(
            backend=self.name,
            steps=tuple(steps),
            constants=tuple(constants),
            arena=plan_arena(graph, steps),
            artifact=model,
            artifact_sha256=hashlib.sha256(model).hexdigest(),
            engine=engine_tree(TREE.find(self.path), steps, self.level),
            toolchain=self.toolchain,
            level=self.level,
        )
        check_memory(graph, plan, board)
        return plan


def engine_tree(root: Path, steps: Iterable[Step], level: str = "O2") -> EngineTree:
    """The sources of CMSIS-NN that a plan's calls need, compiled at ``level``. Raises ToolError for
    a tree that is none, or too old."""
    header = root / "Include" / _HEADERS[0]
    if not header.is_file() or not (root / "Source").is_dir():
        raise TREE.lacks(root, f"has no Include/{_HEADERS[0]}: it is none")
    text = header.read_bytes()
    for function in _FUNCTIONS:
        if function not in text:
            raise TREE.lacks(root, f"has no {function.decode()}: it is too old")
    calls = {
        step.source for step in steps if isinstance(step, KernelCall) and step.flavour == FLAVOUR
    }
    folder = firmware_root() / "kernels" / FLAVOUR
    wanted = [(folder / source).read_bytes() for source in sorted(calls)]
    closure = Closure((("cmsis_nn/Include", root / "Include"), ("cmsis_nn", root)))
    for name in _HEADERS:
        closure.add(name)
    sources = functions_closure(
        root / "Source", "arm_", wanted, leave_out=lambda path: path.stem.endswith(_FLOATS)
    )
    files = closure.files | {f"cmsis_nn/Source/{name}": data for name, data in sources.items()}
    return EngineTree(
        name="CMSIS-NN",
        version=tree_version(root, files),
        files=dict(sorted(files.items())),
        scopes=(
            EngineScope(
                level=f"-{level}",
                defines=("ARM_NN_ENABLE_F16=0", "ARM_NN_ENABLE_F32=0"),
                includes=("cmsis_nn/Include", "cmsis_nn"),
            ),
        ),
    )


BACKEND = CmsisNnBackend()
