"""From a job to a firmware image: parse, analyse, compile, emit, build, account memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npubench.bench.job import Job
from npubench.boards import Board
from npubench.build.baseline import build_baseline
from npubench.build.firmware import Firmware, build_firmware
from npubench.build.memory import StaticMemory, account_memory
from npubench.compiler.analyze import Analysis, analyze
from npubench.compiler.backends import load_backend
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
from npubench.core.progress import Reporter, step
from npubench.core.version import VERSION
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A network compiled for a board; nothing has been built yet."""

    network: Network
    board: Board
    plan: Plan
    project: Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An image that is ready to boot or to flash, with its memory account."""

    compiled: Compiled
    firmware: Firmware
    memory: StaticMemory


def read_network(resolved: ResolvedModel) -> Network:
    """Parse and analyse a model file. Raises ModelFormatError with what is wrong and where."""
    data, graph = load_tflite(resolved.path)
    return Network(resolved=resolved, data=data, graph=graph, analysis=analyze(graph))


def read_bytes(resolved: ResolvedModel, data: bytes) -> Network:
    """As read_network, from bytes that were read before."""
    graph = read_tflite(data, name=resolved.id)
    return Network(resolved=resolved, data=data, graph=graph, analysis=analyze(graph))


def identity_of(resolved: ResolvedModel) -> Identity:
    """How the firmware presents itself: our id, and MLPerf's where the model is one of theirs."""
    mlperf = None if resolved.entry is None else resolved.entry.mlperf
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
        mlperf_input=mlperf.input,
        mlperf_result=mlperf.result,
        version=VERSION,
    )


def compile_network(network: Network, job: Job) -> Compiled:
    """Plan and emit. Raises CompileError when the board cannot take the network, ToolMissing, with
    the way out, when an NPU's compiler is not installed."""
    try:
        plan = load_backend(job.backend).compile(network.graph, network.data, job.board)
    except ToolMissing as error:
        raise ToolMissing(
            error.message,
            argv=error.argv,
            hint=error.hint
            if WAY_OUT in error.hint
            else f"{error.hint}; or run it on the CPU: {WAY_OUT}",
        ) from error
    project = render_project(network.graph, plan, job.board, identity_of(network.resolved))
    return Compiled(network=network, board=job.board, plan=plan, project=project)


def write_source(compiled: Compiled, folder: Path) -> None:
    """Write a project to ``folder``, also one that cannot be built here. Raises StorageError."""
    write_project(compiled.project, folder)


def build_image(compiled: Compiled, job: Job, reporter: Reporter) -> Prepared:
    """Build the image and its board's baseline, and account for their memory."""
    with step(reporter, job.title, "build"):
        firmware = build_firmware(
            compiled.project, compiled.board, reporter=reporter, job=job.title
        )
    baseline = None if compiled.board.hosted else build_baseline(compiled.board, reporter)
    memory = account_memory(firmware, compiled.board, compiled.plan, baseline=baseline)
    return Prepared(compiled=compiled, firmware=firmware, memory=memory)
