"""One run: an image, a session with the board, a verdict, an immutable folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from npubench.bench import findings as kinds
from npubench.bench.accuracy import host_records, target_record
from npubench.bench.counts import check_selftest, scale_of
from npubench.bench.energy import FOLDER as POWER_FOLDER
from npubench.bench.energy import energy_record
from npubench.bench.evaluate import (
    golden_record,
    layer_records,
    raw_counts,
    stage_records,
    stage_values,
    timing_evidence,
)
from npubench.bench.flashing import ask_board
from npubench.bench.issue_bounds import bounded_layers, bounded_stages, rules_of
from npubench.bench.job import Job, Settings
from npubench.bench.labelled import FILE as LABELLED_FILE
from npubench.bench.labelled import Questions, keep, outputs_of, questions_of
from npubench.bench.modelled import modelled_layers
from npubench.bench.npu_time import clocks_of, modelled_stages, npu_cycles
from npubench.bench.own_scheme import judge_scheme
from npubench.bench.part_cycles import PartOf, Windows, part_layers, part_of, part_stages
from npubench.bench.part_energy import engines_of, with_energy
from npubench.bench.prepare import build_image
from npubench.bench.programmed import (
    cpu_clocks,
    programmed_energy,
    programmed_layers,
    programmed_of,
    programmed_stages,
)
from npubench.bench.record import (
    Findings,
    Unread,
    clock_record,
    make_record,
    record_without_plan,
)
from npubench.bench.reference import reference_answer
from npubench.bench.second import with_second_opinion
from npubench.bench.session import Session, collect
from npubench.bench.untimed import is_untimed, untimed_layers, untimed_stages
from npubench.bench.virtual_pace import priced
from npubench.compiler.compiled import Compiled, Network
from npubench.compiler.stimulus import read_stimulus
from npubench.core.errors import DeviceError, NpubenchError
from npubench.core.progress import Event, Reporter, step
from npubench.emulators.board_model.counting import read_windows
from npubench.golden.findings import BY_WHO
from npubench.runs.schema import WorkerRecord
from npubench.runs.store import RunWriter, StoredRun, new_run_id


class Cancelled(Exception):
    """The command was interrupted: this run is dropped."""


class Timed:
    """A reporter that also keeps each step's duration, for ``timings_s`` and events.jsonl.

    Once ``cancelled`` is set, no further step begins: Cancelled is raised.
    """

    def __init__(self, reporter: Reporter, job: str, cancelled: threading.Event) -> None:
        self._reporter = reporter
        self._job = job
        self._cancelled = cancelled
        self.durations_s: dict[str, float] = {}
        self.events: list[Event] = []

    def event(self, event: Event) -> None:
        if event.state == "start" and self._cancelled.is_set():
            raise Cancelled
        if event.job == self._job:
            self.events.append(event)
            if event.duration_s is not None:
                total = self.durations_s.get(event.step, 0.0) + event.duration_s
                self.durations_s[event.step] = round(total, 4)
        self._reporter.event(event)

    @contextmanager
    def whole(self, findings: Findings) -> Iterator[None]:
        """Around all that a run executes: its start and end are told, an error becomes the failure
        of ``findings``, or Cancelled once that is asked for."""
        begin = time.monotonic()
        self.event(Event(job=self._job, step="run", state="start"))
        try:
            yield
        except NpubenchError as error:
            if self._cancelled.is_set():
                raise Cancelled from error
            findings.fail(error)
        self.event(
            Event(
                job=self._job,
                step="run",
                state="done" if findings.status == "ok" else "fail",
                detail="" if findings.error is None else findings.error.message,
                duration_s=time.monotonic() - begin,
            )
        )
        self.durations_s["total"] = round(time.monotonic() - begin, 4)


# A full stack is an overflow: what lies below it may have been overwritten unseen.
STACK_MARGIN_BYTES = 64
WINDOWS_FILE = "windows.bin"


def run_job(
    job: Job,
    compiled: Compiled,
    settings: Settings,
    *,
    runs_dir: Path,
    reporter: Reporter,
    cancelled: threading.Event,
) -> StoredRun:
    """Build, run and judge one job, and store what came out, whatever it was.

    Every NpubenchError from here on becomes a stored run with status ``failed``; only StorageError
    comes out, and Cancelled once ``cancelled`` is set (which also ends what the run waits for).
    """
    timed = Timed(reporter, job.title, cancelled)
    findings = Findings()
    with RunWriter(runs_dir, new_run_id(job.model.id, job.target)) as writer:
        with timed.whole(findings):
            _execute(job, compiled, settings, findings, writer, timed)
        record = make_record(job, compiled, settings, findings, writer.run_id, timed.durations_s)
        return writer.finish(
            record,
            samples={stage.value: values for stage, values in findings.values.items()},
            raw_counts={} if findings.session is None else raw_counts(findings.session),
            events=timed.events,
        )


def failed_before_start(
    job: Job,
    network: Network | Unread,
    error: NpubenchError,
    runs_dir: Path,
    worker: WorkerRecord | None = None,
) -> StoredRun:
    """Store a run whose network could not be read, or not compiled for its board."""
    findings = Findings()
    findings.fail(error)
    with RunWriter(runs_dir, new_run_id(job.model.id, job.target)) as writer:
        record = record_without_plan(job, network, findings, writer.run_id, worker)
        return writer.finish(record, samples={}, events=[])


def _artifact_name(data: bytes) -> str:
    return "artifact.tflite" if data[4:8] == b"TFL3" else "artifact.bin"


def _execute(
    job: Job,
    compiled: Compiled,
    settings: Settings,
    findings: Findings,
    writer: RunWriter,
    timed: Timed,
) -> None:
    if settings.input_path is not None:  # refused before anything is built
        read_stimulus(settings.input_path, compiled.network.graph)
    questions = None
    if settings.accuracy is not None:
        questions = questions_of(job, settings.accuracy, compiled.network.graph)
    ask_board(job, compiled.plan.artifact_sha256, settings, timed)
    prepared = findings.prepared = build_image(compiled, job, timed)
    writer.add_file("firmware.elf", prepared.firmware.elf)
    writer.add_file("firmware.map", prepared.firmware.map)
    writer.add_tree("project", prepared.firmware.project_dir)
    writer.add_bytes("model.tflite", compiled.network.data)
    if compiled.plan.artifact != compiled.network.data:
        writer.add_bytes(_artifact_name(compiled.plan.artifact), compiled.plan.artifact)
    with (
        writer.open("serial.bin") as received,
        writer.open("sent.jsonl") as sent,
        TextIOWrapper(sent, encoding="utf-8", write_through=True) as sent_text,
    ):
        session = findings.session = collect(
            job,
            prepared,
            settings,
            log=received,
            sent_log=sent_text,
            reporter=timed,
            power_folder=writer.folder / POWER_FOLDER,
            windows=writer.folder / WINDOWS_FILE if _tells_windows(job, settings) else None,
            questions=questions,
        )
    if session.input_bytes is not None:
        writer.add_bytes("input.bin", session.input_bytes)
    judge(job, compiled, settings, findings, session, timed)
    model_cycles(job, settings, findings, session, writer.folder / WINDOWS_FILE)
    if questions is not None and settings.accuracy is not None and session.answers is not None:
        keep(writer.folder / LABELLED_FILE, questions, session.answers)
        findings.accuracy = host_records(job, settings.accuracy, questions)
        judge_accuracy(compiled, findings, session, questions)
    if session.power is not None:
        with step(timed, job.title, "energy"):
            judge_energy(job, findings, session)


def _tells_windows(job: Job, settings: Settings) -> bool:
    """Whether what each window executes is to be written down."""
    return part_of(job, settings) is not None or rules_of(job.board) is not None


def model_cycles(
    job: Job, settings: Settings, findings: Findings, session: Session, path: Path
) -> None:
    """Add the part's modelled cycles, time and energy to stages and layers, where it has weights
    and its model, or QEMU, wrote down what each window executed."""
    part: PartOf | None = part_of(job, settings)
    rules = rules_of(job.board)
    if not path.is_file() or findings.scale is None:
        return
    windows = Windows(read_windows(path), findings.scale)
    clocks = findings.clocks
    if rules is not None and clocks is not None:
        made = findings.programmed
        findings.stages = bounded_stages(findings.stages, session, windows, clocks, rules, made)
        findings.layers = bounded_layers(findings.layers, session, windows, clocks, rules)
        if findings.engines is not None and made is not None:
            findings.stages = programmed_energy(findings.stages, clocks, findings.engines, made)
        elif findings.engines is not None:
            findings.stages = with_energy(findings.stages, clocks, findings.engines)
    if part is None:
        return
    findings.stages = part_stages(findings.stages, session, windows, part)
    findings.layers = part_layers(findings.layers, session, windows, part)


def judge_accuracy(
    compiled: Compiled, findings: Findings, session: Session, questions: Questions
) -> None:
    """Score the target's own answers. Where its known answer is TFLM's, so must be every sample's:
    a run with one that is not has failed."""
    assert session.answers is not None
    outputs = outputs_of(compiled.network.graph, session.answers)
    record, why = target_record(compiled.network, questions, outputs)
    findings.accuracy = (*findings.accuracy, record)
    if why:
        findings.notes = (*findings.notes, why)
    ratio = record.agreement_ratio
    if ratio is None or ratio == 1.0 or findings.status != "ok":
        return
    found = kinds.SAMPLES_DIFFER.found(
        differ=round((1 - ratio) * record.samples), samples=record.samples, data=record.data
    )
    if findings.golden.reference in ("tflm", "portable"):
        findings.spoil("failed", found)
    else:  # another scheme, or a TFLM that is proven wrong: its own answers count
        findings.notes = (*findings.notes, found.text)


def judge_energy(job: Job, findings: Findings, session: Session) -> None:
    """Account for the energy of a session; a capture that is refused makes the run ``refused``."""
    assert session.power is not None
    timing = timing_evidence(job.board, session.port)
    record = findings.energy = energy_record(job, session.power, timing=timing)
    if record.verdict == "refused" and findings.status == "ok":
        message = "the power capture is refused: " + "; ".join(record.reasons)
        findings.spoil(
            "refused",
            kinds.CAPTURE_REFUSED.found(message=message),
            hint="docs/power.md says what each reason means and what to do",
        )


def judge(
    job: Job,
    compiled: Compiled,
    settings: Settings,
    findings: Findings,
    session: Session,
    reporter: Reporter,
    *,
    look: bool = True,
) -> None:
    """Turn a session into the run's golden verdict, clock, stages and layers. ``look``: where
    outputs differ, other networks may be run on the board to find who is off.

    Raises DeviceError for what the board must not do; what is known by then stays in ``findings``.
    """
    findings.found += [*compiled.network.findings, *compiled.plan.findings]
    golden, unavailable = reference_answer(
        compiled.network,
        session.input_bytes,
        settings,
        job=job,
        reporter=reporter,
        known=compiled.plan.known_answer,
        kept=compiled.plan.kept,
    )
    findings.golden = golden_record(
        golden,
        session,
        seed=None if session.input_bytes else settings.seed,
        unavailable=unavailable,
    ).model_copy(update={"inferences": compiled.network.graph.inferences})
    if findings.golden.status == "mismatch":
        with step(reporter, job.title, "second opinion"):
            findings.golden = with_second_opinion(
                findings.golden, compiled, session, job, seed=settings.seed, look=look
            )
        second = findings.golden.second_opinion
        if second is not None:
            findings.found.append(BY_WHO[second.who].found(text=second.text))
        if findings.golden.status == "match" and findings.golden.reason:
            findings.notes = (*findings.notes, findings.golden.reason)
    board = job.board
    reason = "host process: it has no timing" if board.kind == "host" else None
    bench = session.bench
    if bench is not None and bench.window is not None and bench.selftest is not None:
        scale = findings.scale = scale_of(board, bench.window)
        selftest = check_selftest(scale, bench.selftest.iterations, bench.selftest.counts)
        findings.clock = clock_record(job, session, scale, selftest.expected, selftest.counted)
        findings.values = stage_values(session, scale)
    evidence = timing_evidence(board, session.port)
    measured_hz = None if session.clock is None else session.clock.hz
    findings.stages = stage_records(
        findings.values, findings.scale, evidence=evidence, measured_hz=measured_hz, reason=reason
    )
    findings.layers = layer_records(compiled, session, findings.scale, evidence=evidence)
    clocks = clocks_of(board, compiled.plan.npu)
    if clocks is not None:
        cycles = npu_cycles(bench)
        findings.clocks = clocks
        findings.stages, engines, _ = priced(
            modelled_stages(findings.stages, clocks, cycles),
            clocks,
            board,
            with_npu=bool(cycles),
            as_board=settings.as_board,
        )
        findings.energy_missing = engines if isinstance(engines, str) else None
        findings.engines = None if isinstance(engines, str) else engines
        findings.layers = modelled_layers(findings.layers, compiled, session, clocks)
    own_clocks = cpu_clocks(board)
    made = findings.programmed = programmed_of(compiled.plan.npu)
    if own_clocks is not None and (made is not None or compiled.plan.driver == "none"):
        findings.clocks = own_clocks
        findings.layers = modelled_layers(findings.layers, compiled, session, own_clocks)
        draws = engines_of(board, with_npu=made is not None)
        findings.energy_missing = draws if isinstance(draws, str) else None
        findings.engines = None if isinstance(draws, str) else draws
        if made is None:
            findings.stages = modelled_stages(findings.stages, own_clocks, 0)
        else:
            findings.stages = programmed_stages(findings.stages, own_clocks, made)
            findings.layers = programmed_layers(findings.layers, compiled, made)
            if findings.engines is not None:
                findings.stages = programmed_energy(
                    findings.stages, own_clocks, findings.engines, made
                )
    elif is_untimed(board, compiled):
        findings.stages = untimed_stages(findings.stages, compiled.plan.npu, board)
        findings.energy_missing = None if board.part_power is None else board.part_power.missing
        findings.layers = untimed_layers(findings.layers)
    if session.mem.stack_used_bytes > session.mem.stack_size_bytes - STACK_MARGIN_BYTES:
        raise DeviceError(
            f"the stack overflowed: {session.mem.stack_used_bytes} of "
            f"{session.mem.stack_size_bytes} bytes were used",
            hint="raise stack_bytes in the board's file",
        )
    if session.lost:
        message = f"the line lost {len(session.lost)} records: {', '.join(session.lost[:8])}"
        findings.spoil("partial", kinds.RECORDS_LOST.found(message=message))
    if session.kat.input_crc != (golden.input_crc if golden else session.kat.input_crc):
        message = f"{findings.golden.reason}; the outputs were not compared"
        findings.spoil(
            "failed",
            kinds.INPUT_MISMATCH.found(message=message),
            hint="the board and the host must make one input from one seed "
            "(docs/wire-protocol.md): is the firmware of this version?",
        )
    elif findings.golden.status == "mismatch":
        second, first = findings.golden.second_opinion, findings.golden.first_mismatch
        message = (
            f"the outputs are not the golden ones ({findings.golden.reference}): "
            f"{findings.golden.mismatches} of {findings.golden.tensors} tensors differ"
            + (f", first {first}" if first else "")
            + ("" if second is None else f"; {second.text}")
        )
        findings.spoil(
            "failed",
            kinds.GOLDEN_MISMATCH.found(message=message),
            hint=BY_WHO["unknown" if second is None else second.who].remedy,
        )
    judge_scheme(job, compiled, findings)
