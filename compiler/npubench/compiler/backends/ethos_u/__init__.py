"""The backend for Arm's Ethos-U: Vela compiles, our kernels take what Vela leaves on the CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from npubench.boards import Board
from npubench.compiler.analyze import analyze
from npubench.compiler.arena import plan_arena
from npubench.compiler.backends import Option
from npubench.compiler.backends.cpu import check_memory
from npubench.compiler.backends.ethos_u.choice import Choice, choose
from npubench.compiler.backends.ethos_u.options import (
    OPTIONS,
    EthosUOptions,
    VelaSettings,
    parse_options,
    settings_of,
)
from npubench.compiler.backends.ethos_u.output import VelaTensor
from npubench.compiler.backends.ethos_u.partition import Partition, Segment
from npubench.compiler.backends.ethos_u.proven import open_findings
from npubench.compiler.backends.ethos_u.state import check_resources, check_state
from npubench.compiler.backends.ethos_u.variants import variants
from npubench.compiler.backends.ethos_u.vela import PACKAGE, VERSION, VelaResult
from npubench.compiler.graph import Graph
from npubench.compiler.lower import lower_op
from npubench.compiler.plan import Constant, Estimate, Fallback, NpuJob, Plan, Step
from npubench.core.errors import CompileError
from npubench.target import Options

if TYPE_CHECKING:
    from npubench.npu.ethosu.memory_system import MemorySystem

DRIVER: Final = "ethosu"
BASE_ALIGN_BYTES: Final = 16
UNKNOWN_REASON: Final = "Vela left it on the CPU without a reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """A job as the template of nb_ethosu_jobs.c sees it. Names are C expressions."""

    stream: str
    stream_bytes: int
    constants: str
    constant_bytes: int
    scratch_offset_bytes: int
    scratch_bytes: int
    fast_offset_bytes: int
    fast_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsContext:
    """nb_ethosu_jobs.c: the jobs, the arrays they use, the AXI port of each memory."""

    constants: tuple[str, ...]
    jobs: tuple[JobContext, ...]
    queue_port: int
    region_ports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EthosUBackend:
    """Splits a network between the NPU and the CPU as Vela decides."""

    name: str = "ethos-u"
    chosen: EthosUOptions = field(default_factory=EthosUOptions)

    @property
    def options(self) -> tuple[Option, ...]:
        """All that may be set."""
        return OPTIONS

    def configured(self, values: Mapping[str, str]) -> EthosUBackend:
        """This backend with some options set. Raises UsageError for a value that cannot be."""
        return replace(self, chosen=parse_options(values))

    def variants(self, board: Board, arena_bytes: int) -> tuple[tuple[str, str], ...]:
        """One option changed at a time, for who wants to know what each costs."""
        return variants(board, self.chosen, arena_bytes)

    def other_compiler(self, options: Options) -> Options:
        """Vela's legacy core where its default one was asked for, and the other way round."""
        kept = dict(options)
        kept["core"] = "default" if kept.get("core") == "legacy" else "legacy"
        return tuple(sorted(kept.items()))

    def compile(self, graph: Graph, model: bytes, board: Board) -> Plan:
        """Compile for the NPU of ``board``, whose file says for which accelerator and memories.

        Raises ToolMissing without Vela, UnsupportedOp for an operator that neither the NPU nor a
        kernel runs, DoesNotFit when weights or arena exceed their region.
        """
        check_resources(graph)
        asked = settings_of(board, self.chosen)
        memory_system_of(asked)  # refuses what the file lacks, by name and before Vela
        choice = choose(graph, model, asked, self.chosen.core)
        settings, result, split = choice.settings, choice.result, choice.split
        check_state(graph, split, settings.accelerator)
        steps, constants = _steps(graph, split, board.cpu.kernels)
        own_fast = has_own_fast_memory(settings)
        reserved_bytes, fast_offset_bytes = _reserved(split, own_fast=own_fast)
        plan = Plan(
            backend=self.name,
            steps=steps,
            constants=(*constants, *_job_constants(split)),
            arena=plan_arena(graph, steps, fixed=split.offsets, reserved_bytes=reserved_bytes),
            artifact=result.model,
            artifact_sha256=hashlib.sha256(result.model).hexdigest(),
            fallbacks=_fallbacks(graph, split, result),
            estimates=_estimates(split, result, settings, memory_system_of(settings)),
            driver=DRIVER if split.segments else "none",
            extra_files=(
                _files(split, fast_offset_bytes if own_fast else None, settings)
                if split.segments
                else {}
            ),
            defines={"NB_NPU": "1"} if split.segments else {},
            npu=_record(graph, choice),
            findings=(
                *choice.findings,
                *open_findings(graph, split, legacy=settings.legacy),
            ),
        )
        check_memory(graph, plan, board)
        return plan


def _steps(
    graph: Graph, split: Partition, flavours: tuple[str, ...]
) -> tuple[tuple[Step, ...], tuple[Constant, ...]]:
    """Jobs and kernel calls, in an order in which each finds what it reads."""
    steps: list[Step] = [
        NpuJob(
            op_indices=segment.op_indices,
            job=number,
            inputs=segment.inputs,
            outputs=segment.outputs,
        )
        for number, segment in enumerate(split.segments)
    ]
    constants: list[Constant] = []
    for index in split.cpu_ops:
        step, needed = lower_op(graph, graph.ops[index], flavours=flavours)
        steps.append(step)
        constants.extend(needed)
    return _placed(_ordered(graph, split, steps)), tuple(constants)


def _members(step: Step) -> tuple[int, ...]:
    return step.op_indices if isinstance(step, NpuJob) else (step.op_index,)


def _ordered(graph: Graph, split: Partition, steps: list[Step]) -> list[Step]:
    """Steps in Vela's order, for which it planned the arena; operators that Vela dropped (they move
    no data) as soon as what they read is there."""
    rank = {key: position for position, key in enumerate(split.order)}

    def key(step: Step) -> int:
        return rank.get(-1 - step.job if isinstance(step, NpuJob) else step.op_index, -1)

    waiting = sorted(steps, key=key)
    made = {tensor: id(step) for step in steps for tensor in _outputs(graph, step)}
    needs = [
        {made[tensor] for tensor in _inputs(graph, step) if tensor in made} - {id(step)}
        for step in waiting
    ]
    done: set[int] = set()
    order: list[Step] = []
    while len(order) < len(waiting):
        ready = [
            step
            for step, needed in zip(waiting, needs, strict=True)
            if id(step) not in done and needed <= done
        ]
        if not ready:
            raise CompileError(f"{graph.name}: Vela's jobs wait for each other")
        order.append(ready[0])
        done.add(id(ready[0]))
    return order


def _outputs(graph: Graph, step: Step) -> tuple[int, ...]:
    return step.outputs if isinstance(step, NpuJob) else graph.ops[step.op_index].outputs


def _inputs(graph: Graph, step: Step) -> tuple[int, ...]:
    return step.inputs if isinstance(step, NpuJob) else graph.ops[step.op_index].inputs


def _placed(steps: list[Step]) -> tuple[Step, ...]:
    """Each job in the place of the last of its operators that comes before the next step's."""
    placed: list[Step] = []
    limit: int | None = None
    for step in reversed(steps):
        candidates = [index for index in _members(step) if limit is None or index < limit]
        limit = max(candidates, default=max(_members(step)))
        placed.append(replace(step, at=limit) if isinstance(step, NpuJob) else step)
    return tuple(reversed(placed))


def has_own_fast_memory(settings: VelaSettings) -> bool:
    """Whether the NPU's fast memory is another than the arena's; Vela's legacy core names two
    tensors where it is one memory."""
    from npubench.npu.ethosu.memory_system import REGION_FAST, REGION_SCRATCH

    system = memory_system_of(settings)
    return system.region_port(REGION_SCRATCH) != system.region_port(REGION_FAST)


def _reserved(split: Partition, *, own_fast: bool) -> tuple[int, int]:
    """(bytes at the arena's start that Vela planned, where a fast scratch of its own begins)."""
    end = fast = 0
    for segment in split.segments:
        tensors = segment.tensors
        for tensor in (tensors.scratch, *tensors.inputs, *tensors.outputs):
            end = max(end, (tensor.offset_bytes or 0) + tensor.size_bytes)
        if own_fast and tensors.fast_scratch.index != tensors.scratch.index:
            fast = max(fast, tensors.fast_scratch.size_bytes)
    begin = -(-end // BASE_ALIGN_BYTES) * BASE_ALIGN_BYTES
    return begin + fast, begin


def _name(tensor: VelaTensor) -> str:
    return f"nb_npu_{tensor.index}"


def _job_constants(split: Partition) -> tuple[Constant, ...]:
    """Command streams and constants of the jobs, each tensor once."""
    found: dict[int, Constant] = {}
    for segment in split.segments:
        for tensor in (segment.tensors.stream, segment.tensors.constants):
            if tensor.data is not None:
                found[tensor.index] = Constant(
                    name=_name(tensor), ctype="uint8_t", data=tensor.data, align=BASE_ALIGN_BYTES
                )
    return tuple(found.values())


def _files(
    split: Partition, fast_offset_bytes: int | None, settings: VelaSettings
) -> dict[str, str]:
    from npubench.compiler.emit.context import Header, Macro
    from npubench.compiler.emit.render import render
    from npubench.npu.ethosu.driver_errors import driver_errors

    system = memory_system_of(settings)
    context = JobsContext(
        constants=tuple(constant.name for constant in _job_constants(split)),
        jobs=tuple(_job(segment, fast_offset_bytes) for segment in split.segments),
        queue_port=system.region_port(0) * 2,
        region_ports=sum((system.region_port(region) * 2) << (2 * region) for region in range(3)),
    )
    errors = Header(
        file="nb_ethosu_errors.h",
        purpose="errors of the Ethos-U's driver",
        guard="NB_ETHOSU_ERRORS_H",
        includes=(),
        macros=tuple(
            Macro(name=f"NB_ETHOSU_E_{name.upper().replace('-', '_')}", value=str(number))
            for name, (number, _) in driver_errors().items()
        ),
    )
    return {
        "src/npu/ethosu/nb_ethosu_jobs.c": render("nb_ethosu_jobs.c.j2", context).decode(),
        "include/nb_ethosu_errors.h": render("header.h.j2", errors).decode(),
    }


def _job(segment: Segment, fast_offset_bytes: int | None) -> JobContext:
    """A job's entry; ``fast_offset_bytes`` is None where arena and fast memory are one."""
    tensors = segment.tensors
    assert tensors.stream.data is not None
    shared = tensors.fast_scratch.index == tensors.scratch.index
    scratch_offset_bytes = tensors.scratch.offset_bytes or 0
    return JobContext(
        stream=_name(tensors.stream),
        stream_bytes=len(tensors.stream.data),
        constants="0" if tensors.constants.data is None else _name(tensors.constants),
        constant_bytes=len(tensors.constants.data or b""),
        scratch_offset_bytes=scratch_offset_bytes,
        scratch_bytes=tensors.scratch.size_bytes,
        fast_offset_bytes=(
            scratch_offset_bytes if shared or fast_offset_bytes is None else fast_offset_bytes
        ),
        fast_bytes=tensors.fast_scratch.size_bytes,
    )


def _fallbacks(graph: Graph, split: Partition, result: VelaResult) -> tuple[Fallback, ...]:
    return tuple(
        Fallback(
            op_index=index,
            op=graph.ops[index].kind,
            reason=result.reasons.get(
                graph.tensor(graph.ops[index].outputs[0]).name, UNKNOWN_REASON
            ),
        )
        for index in split.cpu_ops
    )


def _estimates(
    split: Partition, result: VelaResult, settings: VelaSettings, system: MemorySystem
) -> tuple[Estimate, ...]:
    """What the timing core expects of each operator on the NPU."""
    from npubench.compiler.backends.ethos_u.estimate import job_estimates, operators_by_offset
    from npubench.npu.ethosu.config import accelerator

    streams = operators_by_offset(result.debug)
    return tuple(
        estimate
        for number, segment in enumerate(split.segments)
        for estimate in job_estimates(
            segment.tensors,
            streams[number] if number < len(streams) else {},
            segment.op_indices,
            accelerator(settings.accelerator),
            system,
        )
    )


def memory_system_of(settings: VelaSettings) -> MemorySystem:
    """The memories of the modelled system, from the file that Vela reads too."""
    from npubench.npu.ethosu.config import accelerator
    from npubench.npu.ethosu.memory_system import read_memory_system

    return read_memory_system(
        settings.config_file,
        axi_bytes=accelerator(settings.accelerator).axi_bytes,
        system_config=settings.system_config,
        memory_mode=settings.memory_mode,
    )


def _record(graph: Graph, choice: Choice) -> dict[str, object]:
    """What run.json says of the NPU."""
    from npubench.npu.ethosu.config import accelerator

    settings, split = choice.settings, choice.split
    macs = {layer.index: layer.macs for layer in analyze(graph).layers}
    total = sum(macs.values())
    on_npu = sum(macs[index] for segment in split.segments for index in segment.op_indices)
    system = memory_system_of(settings)
    model = accelerator(settings.accelerator)
    core = " (legacy core)" if settings.legacy else ""
    return {
        "accelerator": settings.accelerator,
        "config_sha256": system.sha256(model),
        "macs_share": round(on_npu / total, 6) if total else 0.0,
        "fallbacks": tuple(
            f"{fallback.op_index} {fallback.op}: {fallback.reason}"
            for fallback in _fallbacks(graph, split, choice.result)
        ),
        "details": {
            "compiler": f"{PACKAGE} {VERSION}{core}",
            "system_config": settings.system_config,
            "memory_mode": settings.memory_mode,
            "optimise": settings.optimise,
            "npu_hz": round(system.clock_hz),
            "peak_macs_per_cycle": model.macs,
            "jobs": len(split.segments),
            "npu_macs": on_npu,
            **_high(choice, settings),
        },
    }


def _high(choice: Choice, settings: VelaSettings) -> dict[str, float]:
    """How many times the cycles take with the slowest memories that the part may have."""
    if not settings.system_config_high or not choice.split.segments:
        return {}
    slow = replace(settings, system_config=settings.system_config_high)
    low, high = (
        sum(item.cycles for item in _estimates(choice.split, choice.result, settings, system))
        for system in (memory_system_of(settings), memory_system_of(slow))
    )
    return {"npu_cycles_high_ratio": round(max(1.0, high / low), 6)}


BACKEND = EthosUBackend()

__all__ = ["BACKEND", "EthosUBackend", "memory_system_of", "settings_of"]
