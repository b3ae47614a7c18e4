"""A stored run derived again from its own bytes: the session collected and judged once more.

The network, the raw bytes of the session and what was sent all lie in the run folder. Nothing is
built and no board is needed. ``verify`` compares what comes out with what the record says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from npubench.bench.energy import FOLDER as POWER_FOLDER
from npubench.bench.energy import stage_energy_record
from npubench.bench.evaluate import raw_counts
from npubench.bench.job import Job, Settings
from npubench.bench.labelled import FILE as LABELLED_FILE
from npubench.bench.labelled import Questions, ask
from npubench.bench.labelled import kept as kept_questions
from npubench.bench.prepare import compile_job
from npubench.bench.record import Findings
from npubench.bench.run import WINDOWS_FILE, judge, judge_accuracy, model_cycles
from npubench.bench.session import Session, converse
from npubench.boards import Board, load_board
from npubench.compiler.compiled import Compiled, read_bytes
from npubench.core.errors import DeviceError, ResultError
from npubench.core.progress import Silent
from npubench.emulators.board_model.description import on_model
from npubench.power.capture.rig import instrument_reasons
from npubench.power.capture.session import read_marked
from npubench.power.energy.account import Limits, account
from npubench.power.parts import read_capture
from npubench.power.source.benchfile import Instrument
from npubench.runs.energy_record import EnergyStageRecord
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.target import Place
from npubench.transport.session_log import read_sent
from npubench.wire.clock import ClockFit
from npubench.wire.device import Device
from npubench.wire.replay import ReplayTransport
from npubench.zoo import ResolvedModel

PORTS = ("/dev/", "socket://", "rfc2217://", "ssh://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What a run's bytes say today: the session, and what was found in it. ``npu_config``: hash of
    today's model of the NPU and of its configuration."""

    session: Session
    findings: Findings
    raw_counts: Mapping[str, tuple[int, ...]]
    npu_config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedEnergy:
    """What a run's samples and marks say today."""

    verdict: str
    idle_uw: float | None
    stages: Mapping[str, EnergyStageRecord]


def derive(stored: StoredRun) -> Derived:
    """Collect and judge a stored run again.

    Raises ResultError when the run did not get far enough, or lacks the files; DeviceError when
    today's collector would ask other questions; what compiling raises.
    """
    record = stored.record
    if record.settings is None or record.status not in ("ok", "failed", "refused"):
        raise ResultError(f"{record.run_id}: nothing to derive again: it is {record.status}")
    job, settings = job_of(stored)
    network = read_bytes(job.model, read_file(stored, "model.tflite"))
    compiled = compile_job(job, network)
    transport = ReplayTransport(
        read_file(stored, "serial.bin"), read_sent(read_file(stored, "sent.jsonl").decode())
    )
    own_input = read_file(stored, "input.bin") if record.settings.own_input else None
    with transport:
        device = Device(transport)
        if job.board.kind == "physical":
            device.sync()
        else:
            device.wait_boot()
        session = converse(job, compiled, settings, device, own_input, Silent())
        questions = _questions(stored, compiled)
        if questions is not None:
            answers = ask(device, questions, Silent(), job.title)
            session = replace(session, answers=answers)
    session = replace(session, clock=_clock(record), port=_port(record))
    findings = Findings()
    try:
        judge(job, compiled, settings, findings, session, Silent(), look=False)
        model_cycles(job, settings, findings, session, stored.path / WINDOWS_FILE)
        if questions is not None:
            judge_accuracy(compiled, findings, session, questions)
    except DeviceError as error:
        if record.status != "failed":
            raise
        findings.fail(error)
    config = compiled.plan.npu.get("config_sha256") if compiled.plan.npu else None
    return Derived(
        session=session,
        findings=findings,
        raw_counts=raw_counts(session),
        npu_config=None if config is None else str(config),
    )


def _questions(stored: StoredRun, compiled: Compiled) -> Questions | None:
    """The labelled samples that the target answered, None where there were none."""
    asked = next((item for item in stored.record.accuracy if item.form == "target"), None)
    if asked is None or not (stored.path / LABELLED_FILE).is_file():
        return None
    return kept_questions(
        stored.path / LABELLED_FILE,
        compiled.network.graph,
        metric=asked.metric,
        name=asked.data,
        sha256=asked.data_sha256 or "",
    )


def derive_energy(stored: StoredRun) -> DerivedEnergy:
    """Account for a stored capture again. Raises ResultError when marks or samples are missing."""
    record = stored.record.energy
    if record is None:
        raise ResultError(f"{stored.record.run_id}: it has no energy")
    folder = stored.path / POWER_FOLDER
    marked, capture = read_marked(folder), read_capture(folder)
    usual = Instrument(driver=record.instrument.driver, port="stored")
    found = account(
        capture.blocks,
        marked.marks,
        capture.traits,
        wiring=marked.wiring,
        limits=Limits(
            clock_tolerance_ppm=board_of(stored.record).clock_tolerance_ppm,
            device_clock_ppm=marked.device_clock_ppm,
            min_window_samples=capture.traits.min_window_samples,
            idle_must_sleep=marked.idle_must_sleep,
            idle_drift_ratio=usual.idle_drift_ratio,
            voltage_tolerance_ratio=usual.voltage_tolerance_ratio,
        ),
        stage_us=marked.stage_us,
    )
    sourced = capture.traits.accuracy.is_sourced
    refused = bool(found.reasons or instrument_reasons(capture))
    return DerivedEnergy(
        verdict="refused" if refused else "ok" if sourced else "unqualified",
        idle_uw=None if found.idle_uw is None else found.idle_uw.value,
        stages={}
        if refused
        else {name: stage_energy_record(item, sourced) for name, item in found.stages.items()},
    )


def board_of(record: RunRecord) -> Board:
    """The board that a run was made on, played by its model where it was."""
    board = load_board(record.board)
    return on_model(board) if record.place is Place.MODEL else board


def job_of(stored: StoredRun) -> tuple[Job, Settings]:
    """What was asked for."""
    record = stored.record
    if record.settings is None:
        raise ResultError(f"{record.run_id}: its settings were not kept")
    model = ResolvedModel(id=record.model.name, path=stored.path / "model.tflite", entry=None)
    job = Job(
        model=model,
        board=board_of(record),
        backend=record.backend,
        options=tuple(sorted(record.options.items())),
        simulated=record.place is Place.SIMULATOR,
    )
    settings = Settings(
        warmups=record.settings.warmups,
        repetitions=record.settings.repetitions,
        seed=record.settings.seed,
        layers=record.settings.layers,
        verify_layers=record.settings.verify_layers,
        as_board=record.settings.as_board,
    )
    return job, settings


def read_file(stored: StoredRun, name: str) -> bytes:
    """A file of the run. Raises ResultError."""
    path: Path = stored.path / name
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error


def _clock(record: RunRecord) -> ClockFit | None:
    """The clock as it was measured: the host's time stamps are not in the session's bytes."""
    clock = record.clock
    if clock is None or clock.measured_hz is None:
        return None
    return ClockFit(
        hz=clock.measured_hz,
        uncertainty_ppm=clock.uncertainty_ppm or 0.0,
        span_s=0.0,
        sample_count=0,
        round_trip_s=0.0,
        residual_s=0.0,
    )


def _port(record: RunRecord) -> str | None:
    """The port's name in the description of the transport; None for a board that was booted."""
    words = record.environment.transport.split()
    return next((word for word in words if word.startswith(PORTS)), None)
