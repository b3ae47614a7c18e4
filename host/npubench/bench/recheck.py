"""A stored run, collected and judged again from its own bytes: does today's code say the same?

The network, the raw bytes of the session and what was sent all lie in the run folder. Nothing is
built and no board is needed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from npubench.bench.counts import scale_of
from npubench.bench.evaluate import golden_record, stage_values
from npubench.bench.job import Job, Settings
from npubench.bench.reference import reference_answer
from npubench.bench.session import converse
from npubench.boards import load_board
from npubench.compiler.compiled import compile_network, read_bytes
from npubench.core.errors import ResultError
from npubench.core.progress import Silent
from npubench.core.stages import Stage
from npubench.emulators.board_model.description import on_model
from npubench.runs.store import StoredRun
from npubench.stats.summary import summarize
from npubench.transport.session_log import read_sent
from npubench.wire.device import Device
from npubench.wire.replay import ReplayTransport
from npubench.zoo import ResolvedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What the second collection found. ``differences``: each number that is not the stored one."""

    run_id: str
    stages_compared: int
    golden: str
    differences: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """The outcome as JSON values."""
        return asdict(self)


def recheck_run(stored: StoredRun) -> Recheck:
    """Collect and judge a stored run again. Raises ResultError when the run did not get far enough,
    or lacks the files; DeviceError when today's collector would ask other questions."""
    record = stored.record
    if record.settings is None or record.status not in ("ok", "failed"):
        raise ResultError(f"{record.run_id}: nothing to check again: it is {record.status}")
    job, settings = _job(stored)
    network = read_bytes(job.model, _read(stored, "model.tflite"))
    compiled = compile_network(network, job.board, job.backend)
    transport = ReplayTransport(
        _read(stored, "serial.bin"), read_sent(_read(stored, "sent.jsonl").decode())
    )
    own_input = _read(stored, "input.bin") if record.settings.own_input else None
    with transport:
        device = Device(transport)
        if job.board.kind == "physical":
            device.sync()
        else:
            device.wait_boot()
        session = converse(job, compiled, settings, device, own_input, Silent())
    golden, reason = reference_answer(
        network,
        own_input,
        settings,
        job=job,
        reporter=Silent(),
        known=compiled.plan.known_answer,
    )
    again = golden_record(
        golden, session, seed=None if own_input else settings.seed, unavailable=reason
    )
    differences = []
    if again.status != record.golden.status:
        differences.append(f"golden: {again.status}, stored {record.golden.status}")
    values: dict[Stage, tuple[int, ...]] = {}
    if session.bench is not None and session.bench.window is not None:
        values = stage_values(session, scale_of(job.board, session.bench.window))
    for stage, counts in values.items():
        kept = record.stages.get(stage)
        median = summarize(counts).median if counts else None
        shown = None if kept is None else kept.cycles_median or kept.median
        if kept is not None and kept.unit != "us_modelled" and median != shown:
            differences.append(f"{stage}: {median}, stored {shown}")
    return Recheck(
        run_id=record.run_id,
        stages_compared=len(values),
        golden=again.status,
        differences=tuple(differences),
    )


def _job(stored: StoredRun) -> tuple[Job, Settings]:
    record = stored.record
    assert record.settings is not None
    model = ResolvedModel(id=record.model.name, path=stored.path / "model.tflite", entry=None)
    board = load_board(record.board)
    if record.board_kind == "emulated" and board.kind == "physical":
        board = on_model(board)
    job = Job(model=model, board=board, backend=record.backend)
    settings = Settings(
        warmups=record.settings.warmups,
        repetitions=record.settings.repetitions,
        seed=record.settings.seed,
        layers=record.settings.layers,
        verify_layers=record.settings.verify_layers,
    )
    return job, settings


def _read(stored: StoredRun, name: str) -> bytes:
    path: Path = stored.path / name
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
