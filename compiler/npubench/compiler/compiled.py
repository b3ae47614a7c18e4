"""From a model file to a project for a board: parse, analyse, plan, emit. Nothing is built here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npubench.boards import Board
from npubench.compiler import benchmark
from npubench.compiler.analyze import Analysis, analyze
from npubench.compiler.backends import configured_backend
from npubench.compiler.emit.project import (
    Identity,
    Project,
    render_project,
    write_project,
)
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.core.errors import ToolMissing
from npubench.core.finding import Found
from npubench.core.version import VERSION
from npubench.target import Options
from npubench.zoo import ResolvedModel

# For who has an NPU without its compiler.
WAY_OUT = "--backend cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A parsed network: the file's bytes as brought, its graph and what can be said of it."""

    resolved: ResolvedModel
    data: bytes
    graph: Graph
    analysis: Analysis

    @property
    def findings(self) -> tuple[Found, ...]:
        """What its user should know before it is run; mostly nothing."""
        named = self.resolved.entry is not None
        return benchmark.remarks(self.resolved.mlperf, self.graph, named=named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A network compiled for a board; nothing has been built yet."""

    network: Network
    board: Board
    plan: Plan
    project: Project

    @property
    def executed_macs(self) -> int | None:
        """MACs that are done where the plan leaves dead channels out, else None."""
        return None if self.plan.graph is None else analyze(self.plan.graph).macs


def read_network(resolved: ResolvedModel) -> Network:
    """Parse and analyse a model file. Raises ModelFormatError with what is wrong and where, and the
    refusal of one that could not be imported."""
    if resolved.refusal is not None:
        raise resolved.refusal
    data, graph = load_tflite(resolved.path)
    return Network(resolved=resolved, data=data, graph=graph, analysis=analyze(graph))


def read_bytes(resolved: ResolvedModel, data: bytes) -> Network:
    """As read_network, from bytes that were read before."""
    graph = read_tflite(data, name=resolved.id)
    return Network(resolved=resolved, data=data, graph=graph, analysis=analyze(graph))


def identity_of(resolved: ResolvedModel, graph: Graph) -> Identity:
    """How the firmware presents itself: our id, and MLPerf's where the model is one of theirs.

    Raises UsageError for a network that is not of the benchmark that its user named.
    """
    mlperf = resolved.mlperf
    if resolved.benchmark is not None:
        benchmark.check_fit(resolved.benchmark.model, graph)
    if mlperf is None:
        return Identity(
            model_id=resolved.id,
            mlperf_id=None,
            mlperf_input="int8",
            mlperf_result="scores",
            version=VERSION,
        )
    return Identity(
        model_id=resolved.id,
        mlperf_id=mlperf.model,
        mlperf_input="int8" if benchmark.raw_upload(mlperf, graph) else mlperf.input,
        mlperf_result=mlperf.result,
        version=VERSION,
    )


def compile_network(
    network: Network, board: Board, backend: str, options: Options = ()
) -> Compiled:
    """Plan and emit; ``options`` are the backend's, settled.

    Raises CompileError when the board cannot take the network, ToolMissing, with the way out, when
    an NPU's compiler is not installed.
    """
    identity = identity_of(network.resolved, network.graph)
    try:
        plan = configured_backend(backend, options).compile(network.graph, network.data, board)
    except ToolMissing as error:
        raise ToolMissing(
            error.message,
            argv=error.argv,
            hint=error.hint
            if WAY_OUT in error.hint
            else f"{error.hint}; or run it on the CPU: {WAY_OUT}",
        ) from error
    project = render_project(plan.graph or network.graph, plan, board, identity)
    return Compiled(network=network, board=board, plan=plan, project=project)


def write_source(compiled: Compiled, folder: Path) -> None:
    """Write a project to ``folder``, also one that cannot be built here. Raises StorageError."""
    write_project(compiled.project, folder)
