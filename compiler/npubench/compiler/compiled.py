"""From a model file to a project for a board: parse, analyse, plan, emit. Nothing is built here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from npubench.boards import Board
from npubench.compiler import benchmark
from npubench.compiler.analyze import Analysis, analyze
from npubench.compiler.backends import configured_backend, drops_dead_channels
from npubench.compiler.dead_channels import narrowed
from npubench.compiler.emit.project import (
    Identity,
    Project,
    render_project,
    write_project,
)
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Kept, Plan
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.compiler.tflite.writer import write_tflite
from npubench.core.errors import CompileError, ConfigError, ToolMissing
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
        brought = self.resolved.brought
        way = () if brought is None else brought.findings
        return (*way, *benchmark.remarks(self.resolved.mlperf, self.graph, named=named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A network compiled for a board; nothing has been built yet. ``narrow``: what runs, where it
    is the network without its dead channels."""

    network: Network
    board: Board
    plan: Plan
    project: Project
    narrow: Network | None = None

    @property
    def runs(self) -> Network:
        """The network that runs."""
        return self.narrow or self.network

    @property
    def executed_macs(self) -> int | None:
        """MACs that are done where dead channels are left out, else None."""
        return None if self.narrow is None else self.narrow.analysis.macs


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
            boxes=_boxes(resolved, graph),
        )
    return Identity(
        model_id=resolved.id,
        mlperf_id=mlperf.model,
        mlperf_input="int8" if benchmark.raw_upload(mlperf, graph) else mlperf.input,
        mlperf_result=mlperf.result,
        version=VERSION,
    )


def _boxes(resolved: ResolvedModel, graph: Graph) -> int:
    """Boxes of each cell of a detector. Raises ConfigError where the output is no grid of cells."""
    boxes = 0 if resolved.entry is None else resolved.entry.boxes
    shape = graph.tensor(graph.outputs[0]).shape
    if boxes and (len(shape) != 4 or shape[3] <= 5 * boxes):
        raise ConfigError(
            f"{resolved.id}: boxes: {boxes} boxes and a class do not fit an output of "
            f"{' x '.join(map(str, shape))}",
            hint="rows x columns x (5 * boxes + classes) is decoded",
        )
    return boxes


def compile_network(
    network: Network, board: Board, backend: str, options: Options = ()
) -> Compiled:
    """Plan and emit; ``options`` are the backend's, settled. Whatever the backend, it gets the
    network without its dead channels where they say so.

    Raises CompileError when the board cannot take the network, ToolMissing, with the way out, when
    an NPU's compiler is not installed.
    """
    identity = identity_of(network.resolved, network.graph)
    narrow, kept = without_dead_channels(network) if drops_dead_channels(options) else (None, {})
    given = narrow or network
    try:
        plan = configured_backend(backend, options).compile(given.graph, given.data, board)
    except ToolMissing as error:
        raise ToolMissing(
            error.message,
            argv=error.argv,
            hint=error.hint
            if WAY_OUT in error.hint
            else f"{error.hint}; or run it on the CPU: {WAY_OUT}",
        ) from error
    if narrow is not None:
        plan = replace(plan, graph=narrow.graph, kept=kept)
    project = render_project(given.graph, plan, board, identity)
    return Compiled(network=network, board=board, plan=plan, project=project, narrow=narrow)


def without_dead_channels(network: Network) -> tuple[Network | None, dict[int, Kept]]:
    """The network without the channels that cannot reach its output, as a .tflite of its own, and
    what its operators' outputs still hold; None and nothing where it has no such channels.

    Raises CompileError for a network with state, whose variables would not be written.
    """
    if network.graph.variables:
        raise CompileError(
            f"{network.graph.name} keeps state between inferences; its dead channels stay",
            hint="leave dead-channels=drop out",
        )
    result = narrowed(network.graph)
    if not result.kept:
        return None, {}
    return read_bytes(network.resolved, write_tflite(result.graph)), result.kept


def write_source(compiled: Compiled, folder: Path) -> None:
    """Write a project to ``folder``, also one that cannot be built here. Raises StorageError."""
    write_project(compiled.project, folder)
