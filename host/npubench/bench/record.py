"""The record of a run, put together from what is known of it, whole or not."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from npubench.bench import findings as kinds
from npubench.bench.counts import Scale
from npubench.bench.evaluate import TIMED
from npubench.bench.job import Job, Settings
from npubench.bench.modelled import npu_record
from npubench.bench.npu_time import Clocks
from npubench.bench.part_energy import Engines
from npubench.bench.prepare import Prepared
from npubench.bench.programmed import Programmed
from npubench.bench.session import Session
from npubench.compiler.compiled import Compiled, Network
from npubench.core.errors import DeviceError, NpubenchError
from npubench.core.evidence import Evidence, weakest
from npubench.core.finding import Found
from npubench.core.findings import of_error
from npubench.core.stages import STAGE_CONTRACT_VERSION, Stage
from npubench.core.version import VERSION, git_state
from npubench.desk.client import Desk
from npubench.power import findings as power_findings
from npubench.power.energy.refusal import reason_of
from npubench.runs.energy_record import EnergyRecord
from npubench.runs.schema import (
    AccuracyRecord,
    ClockRecord,
    DeskRecord,
    EnvironmentRecord,
    ErrorRecord,
    GoldenRecord,
    LayerRecord,
    MemoryRecord,
    ModelRecord,
    RunRecord,
    StageRecord,
    WorkerRecord,
)
from npubench.zoo import ResolvedModel


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is known of a run so far: filled step by step, so that a failure keeps the rest."""

    prepared: Prepared | None = None
    session: Session | None = None
    scale: Scale | None = None
    clock: ClockRecord | None = None
    golden: GoldenRecord = field(
        default_factory=lambda: GoldenRecord(
            status="unavailable",
            reference="none",
            tensors=0,
            mismatches=0,
            reason="the run ended before its outputs were read",
        )
    )
    values: dict[Stage, tuple[int, ...]] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    layers: tuple[LayerRecord, ...] = ()
    energy: EnergyRecord | None = None
    energy_missing: str | None = None
    clocks: Clocks | None = None
    engines: Engines | None = None
    programmed: Programmed | None = None
    accuracy: tuple[AccuracyRecord, ...] = ()
    error: ErrorRecord | None = None
    status: str = "ok"
    notes: tuple[str, ...] = ()
    found: list[Found] = field(default_factory=list)

    def fail(self, error: NpubenchError) -> None:
        """The run ended with an error."""
        self.status, self.error = "failed", error_record(error)
        self.found.append(of_error(error))

    def spoil(self, status: str, found: Found, *, hint: str = "") -> None:
        """Something decides the run's status; the finding's first alias is the error's kind."""
        self.found.append(found)
        self.status = status
        self.error = ErrorRecord(
            kind=found.finding.aliases[0], message=found.text, hint=hint or found.finding.remedy
        )

    def all_found(self) -> list[dict[str, object]]:
        """Everything that is said about the run's numbers, as the record keeps it."""
        found = list(self.found)
        if self.golden.status == "unavailable" and self.status != "failed":
            reason = self.golden.reason or "without a reason"
            found.append(kinds.NO_REFERENCE.found(reason=reason))
        if self.energy is not None:
            found += [reason_of(text).found for text in self.energy.reasons]
            if self.energy.verdict == "unqualified":
                instrument = self.energy.instrument.model or self.energy.instrument.name
                found.append(power_findings.UNQUALIFIED.found(instrument=instrument))
        return [one.document() for one in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A model file that cannot be read as a network: its bytes' SHA-256 is all that is known."""

    resolved: ResolvedModel
    sha256: str


def clock_record(
    job: Job, session: Session, scale: Scale, expected: int, counted: int
) -> ClockRecord:
    """What is known of the clock. Raises DeviceError when a measured clock is out of tolerance."""

    board = job.board
    fit = session.clock
    deviation_ppm = None
    if fit is not None and board.counter.hz is not None:
        deviation_ppm = fit.deviation_ppm(board.counter.hz)
    record = ClockRecord(
        counter_unit=board.counter.unit,
        counter_hz=board.counter.hz,
        nominal_hz=board.cpu.hz,
        measured_hz=None if fit is None else fit.hz,
        uncertainty_ppm=None if fit is None else fit.uncertainty_ppm,
        deviation_ppm=deviation_ppm,
        tolerance_ppm=board.clock_tolerance_ppm,
        window_cost=scale.window_cost,
        selftest_expected=expected,
        selftest_counted=counted,
        source=(
            "board model: its counter counts instructions, no clock to check"
            if board.is_model
            else "emulator: virtual time, no clock to check"
        )
        if fit is None
        else f"counter against the host's clock over {fit.span_s:.1f} s",
    )
    if deviation_ppm is not None and abs(deviation_ppm) > board.clock_tolerance_ppm:
        assert fit is not None
        raise DeviceError(
            f"the clock is {fit.hz:.0f} Hz, {deviation_ppm:+.0f} ppm from the "
            f"{board.counter.hz} Hz of the board's file (tolerance {board.clock_tolerance_ppm})",
            hint="the clock set-up is wrong, or the board's file is",
        )
    return record


def error_record(error: NpubenchError) -> ErrorRecord:
    tail = getattr(error, "tail", "")
    message = f"{error.message}\n{tail.rstrip()}" if tail else error.message
    return ErrorRecord(kind=error.kind, message=message, hint=error.hint)


def target_fields(job: Job) -> dict[str, object]:
    """What a record says of its target."""
    return {
        "target": str(job.target),
        "board": job.board.id,
        "board_kind": job.board.kind,
        "backend": job.backend,
        "options": dict(job.options),
        "place": job.target.place,
        "sweep": dict(job.sweep),
    }


def _model_record(
    network: Network, artifact_sha256: str, executed_macs: int | None = None
) -> ModelRecord:
    brought = network.resolved.brought
    return ModelRecord(
        name=network.resolved.id,
        network_sha256=network.graph.sha256 if brought is None else brought.network_sha256,
        artifact_sha256=artifact_sha256,
        macs=network.analysis.macs,
        executed_macs=executed_macs,
        parameters=network.analysis.parameters,
        ops=len(network.graph.ops),
        source=network.resolved.path.name if brought is None else brought.source,
    )


def _import_steps(resolved: ResolvedModel) -> list[dict[str, object]]:
    """The steps from the file as brought to the .tflite, as the record has them."""
    steps = () if resolved.brought is None else resolved.brought.steps
    return [
        {
            "tool": step.tool,
            "version": step.version,
            "input_sha256": step.input_sha256,
            "output_sha256": step.output_sha256,
            "details": dict(step.details),
        }
        for step in steps
    ]


def _environment(
    findings: Findings, worker: WorkerRecord | None, desk: Desk | None = None
) -> EnvironmentRecord:
    firmware = None if findings.prepared is None else findings.prepared.firmware
    session = findings.session
    return EnvironmentRecord(
        npubench=VERSION,
        git=git_state(),
        platform=platform.platform(),
        python=platform.python_version(),
        tools={} if firmware is None else dict(firmware.tools),
        flags=() if firmware is None else firmware.flags,
        elf_sha256=None if firmware is None else firmware.elf_sha256,
        project_sha256=None if firmware is None else firmware.project_sha256,
        firmware=None if session is None else session.caps.firmware,
        transport="" if session is None else session.transport,
        worker=worker,
        desk=None
        if desk is None
        else DeskRecord(place=desk.place, host=desk.host, round_trip_us=desk.round_trip_us),
    )


def _memory(findings: Findings) -> MemoryRecord | None:
    if findings.prepared is None:
        return None
    static = findings.prepared.memory
    session = findings.session
    stack = None if session is None else session.mem.stack_used_bytes
    spare = 0
    if session is not None and findings.prepared.compiled.plan.interpreter is not None:
        # In whole units of the arena's alignment, as it would have to be reserved.
        spare = max(0, static.arena_bytes - -(-session.mem.arena_bytes // 16) * 16)
    return MemoryRecord(
        flash_bytes=static.flash_bytes,
        ram_bytes=static.ram_bytes - spare + (stack or 0),
        arena_bytes=static.arena_bytes - spare,
        arena_spare_bytes=spare,
        weights_bytes=static.weights_bytes,
        kernels_bytes=static.kernels_bytes,
        harness_flash_bytes=static.harness_flash_bytes,
        harness_ram_bytes=static.harness_ram_bytes,
        npu_driver_bytes=static.npu_driver_bytes,
        fixture_bytes=static.fixture_bytes,
        stack_bytes=stack,
        baseline_flash_bytes=static.baseline_flash_bytes,
        baseline_ram_bytes=static.baseline_ram_bytes,
        data_bytes=static.data_bytes,
        scratch_bytes=static.scratch_bytes,
        regions=dict(static.regions),
    )


def make_record(
    job: Job,
    compiled: Compiled,
    settings: Settings,
    findings: Findings,
    run_id: str,
    timings_s: dict[str, float],
) -> RunRecord:
    timing = [findings.stages[stage].evidence for stage in TIMED if stage in findings.stages]
    answer = None if findings.session is None else answer_of(findings.session)
    return RunRecord.model_validate(
        {
            "stage_contract": STAGE_CONTRACT_VERSION,
            "run_id": run_id,
            "created": _now(),
            "status": findings.status,
            "error": findings.error,
            "evidence": weakest(timing),
            **target_fields(job),
            "model": _model_record(
                compiled.network, compiled.plan.artifact_sha256, compiled.executed_macs
            ),
            "golden": findings.golden,
            "stages": findings.stages,
            "layers": findings.layers,
            "memory": _memory(findings),
            "clock": findings.clock,
            "npu": npu_record(compiled, findings.session),
            "answer": answer,
            "energy": findings.energy,
            "energy_missing": findings.energy_missing,
            "accuracy": findings.accuracy,
            "settings": {
                "warmups": settings.warmups,
                "repetitions": settings.repetitions_on(job.board),
                "seed": settings.seed,
                "own_input": settings.input_path is not None,
                "layers": settings.layers,
                "verify_layers": settings.verify_layers,
                "as_board": settings.as_board,
            },
            "environment": _environment(findings, settings.worker, settings.desk),
            "command": settings.command,
            "timings_s": timings_s,
            "notes": findings.notes,
            "findings": findings.all_found(),
            "import_steps": _import_steps(job.model),
        }
    )


def answer_of(session: Session) -> dict[str, int] | None:
    """The last repetition's answer as the record has it, None where there was none."""
    answer = None if session.bench is None else session.bench.answer
    if answer is None:
        return None
    if session.caps.post == "boxes":
        return {"boxes": answer.index, "milli": answer.milli}
    return asdict(answer)


def record_without_plan(
    job: Job,
    network: Network | Unread,
    findings: Findings,
    run_id: str,
    worker: WorkerRecord | None = None,
) -> RunRecord:
    if isinstance(network, Unread):
        model = ModelRecord(
            name=network.resolved.id,
            network_sha256=network.sha256,
            artifact_sha256=network.sha256,
            source=network.resolved.path.name,
        )
    else:
        model = _model_record(network, network.graph.sha256)
    return RunRecord.model_validate(
        {
            "stage_contract": STAGE_CONTRACT_VERSION,
            "run_id": run_id,
            "created": _now(),
            "status": findings.status,
            "error": findings.error,
            "evidence": Evidence.UNAVAILABLE,
            **target_fields(job),
            "model": model,
            "golden": findings.golden,
            "stages": {},
            "environment": _environment(findings, worker),
            "timings_s": {},
            "findings": findings.all_found(),
        }
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
