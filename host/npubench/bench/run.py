"""One run: an image, a session with the board, a verdict, an immutable folder."""

from __future__ import annotations

import platform
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from npubench.bench.counts import Scale, check_selftest, scale_of
from npubench.bench.evaluate import (
    TIMED,
    golden_record,
    layer_records,
    stage_records,
    stage_values,
)
from npubench.bench.job import Job, Settings
from npubench.bench.prepare import Compiled, Network, Prepared, build_image
from npubench.bench.reference import reference_answer
from npubench.bench.session import Session, collect
from npubench.core.errors import NpubenchError
from npubench.core.evidence import Evidence, weakest
from npubench.core.progress import Event, Reporter
from npubench.core.stages import STAGE_CONTRACT_VERSION, Stage
from npubench.core.version import VERSION, git_state
from npubench.runs.schema import (
    ClockRecord,
    EnvironmentRecord,
    ErrorRecord,
    GoldenRecord,
    LayerRecord,
    MemoryRecord,
    ModelRecord,
    NpuRecord,
    RunRecord,
    StageRecord,
)
from npubench.runs.store import RunWriter, StoredRun, new_run_id


class _Timed:
    """A reporter that also keeps each step's duration, for ``timings_s`` and events.jsonl."""

    def __init__(self, reporter: Reporter, job: str) -> None:
        self._reporter = reporter
        self._job = job
        self.durations_s: dict[str, float] = {}
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        if event.job == self._job:
            self.events.append(event)
            if event.duration_s is not None:
                total = self.durations_s.get(event.step, 0.0) + event.duration_s
                self.durations_s[event.step] = round(total, 4)
        self._reporter.event(event)


@dataclass(slots=True, kw_only=True)
class _Findings:
    """What is known of a run so far: filled step by step, so that a failure keeps the rest."""

    prepared: Prepared | None = None
    session: Session | None = None
    scale: Scale | None = None
    clock: ClockRecord | None = None
    golden: GoldenRecord = field(
        default_factory=lambda: GoldenRecord(
            status="unavailable", reference="none", tensors=0, mismatches=0,
            reason="the run ended before its outputs were read",
        )
    )
    values: dict[Stage, tuple[int, ...]] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    layers: tuple[LayerRecord, ...] = ()
    error: ErrorRecord | None = None
    status: str = "ok"


class Cancelled(Exception):
    """The command was interrupted: this run is dropped."""


def run_job(
    job: Job, compiled: Compiled, settings: Settings, *, runs_dir: Path, reporter: Reporter,
    cancelled: threading.Event,
) -> StoredRun:
    """Build, run and judge one job, and store what came out, whatever it was.

    Every NpubenchError from here on becomes a stored run with status ``failed``; only StorageError
    comes out, and Cancelled once ``cancelled`` is set (which also ends what the run waits for).
    """
    begin = time.monotonic()
    timed = _Timed(reporter, job.title)
    findings = _Findings()
    with RunWriter(runs_dir, new_run_id(job.model.id, job.board.id, job.backend)) as writer:
        timed.event(Event(job=job.title, step="run", state="start"))
        try:
            _execute(job, compiled, settings, findings, writer, timed)
        except NpubenchError as error:
            if cancelled.is_set():
                raise Cancelled from error
            findings.status = "failed"
            findings.error = _error_record(error)
        failed = findings.status != "ok"
        timed.event(
            Event(
                job=job.title, step="run", state="fail" if failed else "done",
                detail="" if findings.error is None else findings.error.message,
                duration_s=time.monotonic() - begin,
            )
        )
        timed.durations_s["total"] = round(time.monotonic() - begin, 4)
        record = _record(job, compiled, settings, findings, writer.run_id, timed.durations_s)
        return writer.finish(
            record,
            samples={stage.value: values for stage, values in findings.values.items()},
            events=timed.events,
        )


def failed_before_start(
    job: Job, network: Network, error: NpubenchError, runs_dir: Path
) -> StoredRun:
    """Store a run whose network could not be compiled for its board."""
    findings = _Findings(status="failed", error=_error_record(error))
    with RunWriter(runs_dir, new_run_id(job.model.id, job.board.id, job.backend)) as writer:
        record = _record_without_plan(job, network, findings, writer.run_id)
        return writer.finish(record, samples={}, events=[])


def _execute(
    job: Job, compiled: Compiled, settings: Settings, findings: _Findings,
    writer: RunWriter, timed: _Timed,
) -> None:
    prepared = findings.prepared = build_image(compiled, job, timed)
    writer.add_file("firmware.elf", prepared.firmware.elf)
    writer.add_tree("project", prepared.firmware.project_dir)
    writer.add_bytes("model.tflite", compiled.network.data)
    if compiled.plan.artifact != compiled.network.data:
        writer.add_bytes("artifact.bin", compiled.plan.artifact)
    with (
        writer.open("serial.bin") as received,
        writer.open("sent.jsonl") as sent,
        TextIOWrapper(sent, encoding="utf-8", write_through=True) as sent_text,
    ):
        session = findings.session = collect(
            job, prepared, settings, log=received, sent_log=sent_text, reporter=timed
        )
    _judge(job, compiled, settings, findings, session, timed)


def _judge(
    job: Job, compiled: Compiled, settings: Settings, findings: _Findings, session: Session,
    timed: _Timed,
) -> None:
    golden, unavailable = reference_answer(
        compiled.network, session.input_bytes, settings, job=job, reporter=timed
    )
    findings.golden = golden_record(
        golden, session, seed=None if session.input_bytes else settings.seed,
        unavailable=unavailable,
    )
    board = job.board
    reason = "host process: it has no timing" if board.kind == "host" else None
    bench = session.bench
    if bench is not None and bench.window is not None and bench.selftest is not None:
        scale = findings.scale = scale_of(board, bench.window)
        selftest = check_selftest(scale, bench.selftest.iterations, bench.selftest.counts)
        findings.clock = clock_record(job, session, scale, selftest.expected, selftest.counted)
        findings.values = stage_values(session, scale)
    evidence = Evidence.COUNTED if board.kind == "emulated" else Evidence.MEASURED
    measured_hz = None if session.clock is None else session.clock.hz
    findings.stages = stage_records(
        findings.values, findings.scale, evidence=evidence, measured_hz=measured_hz, reason=reason
    )
    findings.layers = layer_records(compiled, session, findings.scale, evidence=evidence)
    if session.lost:
        findings.status = "partial"
        findings.error = ErrorRecord(
            kind="RecordLost",
            message=f"the line lost {len(session.lost)} records: {', '.join(session.lost[:8])}",
            hint="lower the speed, check the cable; what arrived is kept in the run",
        )
    if findings.golden.status == "mismatch":
        findings.status = "failed"
        findings.error = ErrorRecord(
            kind="GoldenMismatch",
            message=f"the outputs are not the golden ones ({findings.golden.reference}): "
            f"{findings.golden.mismatches} of {findings.golden.tensors} tensors differ"
            + (f", first {findings.golden.first_mismatch}" if findings.golden.first_mismatch
               else ""),
            hint="a kernel or the compiler is wrong; --verify-layers names the first wrong tensor",
        )


def clock_record(
    job: Job, session: Session, scale: Scale, expected: int, counted: int
) -> ClockRecord:
    """What is known of the clock. Raises DeviceError when a measured clock is out of tolerance."""
    from npubench.core.errors import DeviceError

    board = job.board
    fit = session.clock
    deviation_ppm = None
    if fit is not None and board.counter.hz is not None:
        deviation_ppm = fit.deviation_ppm(board.counter.hz)
    record = ClockRecord(
        counter_unit=board.counter.unit, counter_hz=board.counter.hz, nominal_hz=board.cpu.hz,
        measured_hz=None if fit is None else fit.hz,
        uncertainty_ppm=None if fit is None else fit.uncertainty_ppm,
        deviation_ppm=deviation_ppm, tolerance_ppm=board.clock_tolerance_ppm,
        window_cost=scale.window_cost, selftest_expected=expected, selftest_counted=counted,
        source="emulator: virtual time, no clock to check" if fit is None
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


def _error_record(error: NpubenchError) -> ErrorRecord:
    tail = getattr(error, "tail", "")
    message = f"{error.message}\n{tail.rstrip()}" if tail else error.message
    return ErrorRecord(kind=error.kind, message=message, hint=error.hint)


def _model_record(network: Network, artifact_sha256: str) -> ModelRecord:
    return ModelRecord(
        name=network.resolved.id, network_sha256=network.graph.sha256,
        artifact_sha256=artifact_sha256, macs=network.analysis.macs,
        parameters=network.analysis.parameters, ops=len(network.graph.ops),
        source=network.resolved.path.name,
    )


def _environment(findings: _Findings) -> EnvironmentRecord:
    firmware = None if findings.prepared is None else findings.prepared.firmware
    session = findings.session
    return EnvironmentRecord(
        npubench=VERSION, git=git_state(), platform=platform.platform(),
        python=platform.python_version(),
        tools={} if firmware is None else dict(firmware.tools),
        flags=() if firmware is None else firmware.flags,
        elf_sha256=None if firmware is None else firmware.elf_sha256,
        project_sha256=None if firmware is None else firmware.project_sha256,
        firmware=None if session is None else session.caps.firmware,
        transport="" if session is None else session.transport,
    )


def _memory(findings: _Findings) -> MemoryRecord | None:
    if findings.prepared is None:
        return None
    static = findings.prepared.memory
    session = findings.session
    stack = None if session is None else session.mem.stack_used_bytes
    return MemoryRecord(
        flash_bytes=static.flash_bytes,
        ram_bytes=static.ram_bytes + (stack or 0),
        arena_bytes=static.arena_bytes, weights_bytes=static.weights_bytes,
        kernels_bytes=static.kernels_bytes, harness_flash_bytes=static.harness_flash_bytes,
        harness_ram_bytes=static.harness_ram_bytes, fixture_bytes=static.fixture_bytes,
        stack_bytes=stack, baseline_flash_bytes=static.baseline_flash_bytes,
        baseline_ram_bytes=static.baseline_ram_bytes, data_bytes=static.data_bytes,
        scratch_bytes=static.scratch_bytes, regions=dict(static.regions),
    )


def _record(
    job: Job, compiled: Compiled, settings: Settings, findings: _Findings, run_id: str,
    timings_s: dict[str, float],
) -> RunRecord:
    timing = [
        findings.stages[stage].evidence for stage in TIMED if stage in findings.stages
    ]
    bench = None if findings.session is None else findings.session.bench
    answer = None if bench is None or bench.answer is None else asdict(bench.answer)
    return RunRecord.model_validate(
        {
            "stage_contract": STAGE_CONTRACT_VERSION, "run_id": run_id, "created": _now(),
            "status": findings.status, "error": findings.error, "evidence": weakest(timing),
            "board": job.board.id, "board_kind": job.board.kind, "backend": job.backend,
            "model": _model_record(compiled.network, compiled.plan.artifact_sha256),
            "golden": findings.golden, "stages": findings.stages, "layers": findings.layers,
            "memory": _memory(findings), "clock": findings.clock, "npu": npu_record(compiled),
            "answer": answer, "environment": _environment(findings),
            "command": tuple(Path(word).name if index == 0 else word
                             for index, word in enumerate(sys.argv)),
            "timings_s": timings_s,
        }
    )


def npu_record(compiled: Compiled) -> NpuRecord | None:
    """What the backend says of the NPU, or None on a plan without one."""
    return NpuRecord.model_validate(compiled.plan.npu) if compiled.plan.npu else None


def _record_without_plan(
    job: Job, network: Network, findings: _Findings, run_id: str
) -> RunRecord:
    return RunRecord.model_validate(
        {
            "stage_contract": STAGE_CONTRACT_VERSION, "run_id": run_id, "created": _now(),
            "status": findings.status, "error": findings.error,
            "evidence": Evidence.UNAVAILABLE, "board": job.board.id,
            "board_kind": job.board.kind, "backend": job.backend,
            "model": _model_record(network, network.graph.sha256), "golden": findings.golden,
            "stages": {}, "environment": _environment(findings), "timings_s": {},
        }
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
