"""One run as a job for a worker: a pure function of network, target, settings and tools.

The network and the input travel as files, everything else as one strict JSON document; the run
comes back as an archive of `runs export`, which is verified before it is kept.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.bench.job import Job, Sampling, Settings
from npubench.bench.matrix import run_alone
from npubench.boards import Board, load_board
from npubench.build.replay import replaying
from npubench.core.errors import ConfigError, ResultError, UsageError
from npubench.core.progress import Silent
from npubench.core.version import VERSION
from npubench.emulators.board_model.description import on_model
from npubench.farm.task import Done, Task, file_sha256, key_of
from npubench.farm.toolchain import OWN, deciding_sha256, versions
from npubench.farm.worker import identity
from npubench.golden.served import served
from npubench.golden.tflm import WORKER as GOLDEN
from npubench.runs.archive import SUFFIX, export_runs, import_runs
from npubench.runs.schema import WorkerRecord
from npubench.runs.store import StoredRun
from npubench.target import Place, parse_target
from npubench.zoo import Brought, Mlperf, ResolvedModel, load_zoo

MODEL_FILE, INPUT_FILE, FLOAT_FILE, DATA_FILE = "model", "input", "float", "data"


_ALWAYS = (OWN, "numpy", "tflite-micro")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SamplingPart(_Part):
    """The test set, see bench.job.Sampling; ``data_name``: its file's name."""

    data_name: str
    samples: int
    metric: str | None


class SettingsPart(_Part):
    """The settings that a job on a worker can have, see bench.job.Settings."""

    warmups: int
    repetitions: int
    seed: int
    layers: bool
    verify_layers: bool
    power: str | None
    power_faults: tuple[str, ...]
    as_board: str | None
    command: tuple[str, ...]
    accuracy: SamplingPart | None


class ModelPart(_Part):
    """Which network the files are. ``zoo``: its entry lies in the worker's own zoo, too."""

    id: str
    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    zoo: bool
    benchmark: Mlperf | None
    brought: Brought | None


HERE_ALONE = (
    "port",
    "probe_serial",
    "flash",
    "clock_seconds",
    "mishaps",
    "input_path",
    "worker",
    "desk",
    "baud",
)
"""Settings that are not sent: of physical boards and this machine, or sent as files."""


class Point(_Part):
    """The payload. ``input_name``: the input file's name, whose ending says its format."""

    schema_version: Literal[1] = 1
    model: ModelPart
    target: str
    settings: SettingsPart
    input_name: str | None
    sweep: tuple[tuple[str, str | int | float | bool | None], ...]
    executor: str
    key: str


def key_of_job(job: Job, settings: Settings) -> str:
    """What a run depends on: network, target, settings, the code that decides, the tools. Whoever
    asks for it, and for which sweep, does not count. Raises ConfigError for files that cannot be
    read."""
    files = _files(job, settings)
    sha256 = _hashes(files)
    return _key(job, _model_part(job, sha256), _settings_part(job, settings), sha256)


def task_of(job: Job, settings: Settings, executor: str) -> Task:
    """A job of ``bench`` as a task. Raises UsageError for what only this machine can do."""
    require_portable(job, settings)
    files = _files(job, settings)
    sha256 = _hashes(files)
    model = _model_part(job, sha256)
    part = _settings_part(job, settings)
    key = _key(job, model, part, sha256)
    point = Point(
        model=model,
        target=str(job.target),
        settings=part,
        input_name=None if settings.input_path is None else settings.input_path.name,
        sweep=job.sweep,
        executor=executor,
        key=key,
    )
    return Task(
        key=key,
        title=job.title,
        payload=point.model_dump_json().encode(),
        files=files,
        tools=versions(tools_for(job)),
    )


def _files(job: Job, settings: Settings) -> dict[str, Path]:
    files = {MODEL_FILE: job.model.path}
    if settings.input_path is not None:
        files[INPUT_FILE] = settings.input_path
    if settings.accuracy is not None:
        files[DATA_FILE] = settings.accuracy.data
    if job.model.brought is not None:
        files[FLOAT_FILE] = job.model.brought.float_path
    return files


def _hashes(files: Mapping[str, Path]) -> dict[str, str]:
    try:
        return {name: file_sha256(path) for name, path in files.items()}
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _model_part(job: Job, sha256: Mapping[str, str]) -> ModelPart:
    model = job.model
    return ModelPart(
        id=model.id,
        file=model.path.name,
        sha256=sha256[MODEL_FILE],
        zoo=model.entry is not None,
        benchmark=model.benchmark,
        brought=model.brought,
    )


def _settings_part(job: Job, settings: Settings) -> SettingsPart:
    return SettingsPart(
        warmups=settings.warmups,
        repetitions=settings.repetitions_on(job.board),
        seed=settings.seed,
        layers=settings.layers,
        verify_layers=settings.verify_layers,
        power=settings.power,
        power_faults=settings.power_faults,
        as_board=settings.as_board,
        command=settings.command,
        accuracy=None
        if settings.accuracy is None
        else SamplingPart(
            data_name=settings.accuracy.data.name,
            samples=settings.accuracy.samples,
            metric=settings.accuracy.metric,
        ),
    )


def _key(job: Job, model: ModelPart, part: SettingsPart, sha256: Mapping[str, str]) -> str:
    tools = versions(name for name in tools_for(job) if name != OWN)
    tools[OWN] = f"{VERSION} {deciding_sha256(job.board.id)}"
    return key_of(
        str(job.target).encode(),
        model.model_dump_json(exclude={"brought": {"float_path"}}).encode(),
        part.model_dump_json(exclude={"command"}).encode(),
        *(f"{name}={sha256[name]}".encode() for name in sorted(sha256)),
        *(f"{name}={version}".encode() for name, version in sorted(tools.items())),
    )


def tools_for(job: Job) -> tuple[str, ...]:
    """Names of what takes part in a job: who compiles, builds and plays the board."""
    names = {*_ALWAYS, "platformio", "scons"} if not job.simulated else {*_ALWAYS}
    if not job.simulated:
        names.add(f"{job.board.toolchain.prefix}gcc")
        names |= _players(job.board)
    if job.backend == "ethos-u":
        names.add("ethos-u-vela")
    return tuple(sorted(names))


def _players(board: Board) -> set[str]:
    if board.is_model:
        return {"unicorn"}
    if board.emulator is not None:
        return {board.emulator.program}
    return set()


def require_portable(job: Job, settings: Settings) -> None:
    """Raises UsageError for a job that only this machine can do."""
    if job.target.place is Place.PHYSICAL:
        raise UsageError(
            f"{job.target} is a physical board: --on runs emulated boards, models and simulators",
            hint="give the board's place instead (--place), or play it by its model (--on-model)",
        )
    if job.model.refusal is not None:
        raise job.model.refusal
    if settings.port is not None or settings.probe_serial is not None:
        raise UsageError("a port or a probe of this machine cannot be used with --on")
    if settings.mishaps:
        raise UsageError("--line-fault is rehearsed on this machine alone", hint="leave --on out")
    if settings.accuracy is not None and not settings.accuracy.data.is_file():
        raise UsageError(
            f"the test set {settings.accuracy.data} is no file, and --on sends files",
            hint="pack it into one .npz (docs/import.md)",
        )
    if settings.power is not None and not settings.power.endswith(("-sim", "virtual")):
        raise UsageError(
            f"the instrument {settings.power} stands here, and --on runs elsewhere",
            hint="take a simulated one: --power ppk2-sim",
        )


def run_point(payload: bytes, files: Mapping[str, bytes], cancelled: threading.Event) -> bytes:
    """On the worker: the run, as the bytes of its archive. Raises NpubenchError when it could not
    be made or stored at all."""
    try:
        point = Point.model_validate_json(payload)
    except ValidationError as error:
        raise ConfigError(
            f"the job cannot be read: {error.errors()[0]['msg']}",
            hint="do client and workers run one version of npubench?",
        ) from error
    with tempfile.TemporaryDirectory(prefix="npubench-job-") as name:
        scratch = Path(name)
        job = _job(point, files, scratch)
        settings = _settings(point, files, scratch)
        who = identity()
        settings = replace(
            settings,
            worker=WorkerRecord(
                executor=point.executor,
                name=who.name,
                host=who.host,
                job=point.key,
                tools=dict(who.tools),
            ),
        )
        with replaying(), served(GOLDEN):
            stored = run_alone(
                job, settings, runs_dir=scratch / "runs", reporter=Silent(), cancelled=cancelled
            )
        return export_runs([stored], scratch / f"run{SUFFIX}").read_bytes()


def _job(point: Point, files: Mapping[str, bytes], scratch: Path) -> Job:
    target = parse_target(point.target)
    path = _written(scratch / "model", point.model.file, files[MODEL_FILE])
    brought = point.model.brought
    if brought is not None:
        place = _written(scratch / "float", brought.float_path.name, files[FLOAT_FILE])
        brought = replace(brought, float_path=place)
    board = load_board(target.board)
    return Job(
        model=ResolvedModel(
            id=point.model.id,
            path=path,
            entry=load_zoo(point.model.id) if point.model.zoo else None,
            benchmark=point.model.benchmark,
            brought=brought,
        ),
        board=on_model(board) if target.place is Place.MODEL and not board.is_model else board,
        backend=target.backend,
        options=target.options,
        simulated=target.place is Place.SIMULATOR,
        sweep=point.sweep,
    )


def _settings(point: Point, files: Mapping[str, bytes], scratch: Path) -> Settings:
    part = point.settings
    path = None
    if point.input_name is not None:
        path = _written(scratch / "input", point.input_name, files[INPUT_FILE])
    sampling = None
    if part.accuracy is not None:
        data = _written(scratch / "data", part.accuracy.data_name, files[DATA_FILE])
        sampling = Sampling(data=data, samples=part.accuracy.samples, metric=part.accuracy.metric)
    return Settings(
        warmups=part.warmups,
        repetitions=part.repetitions,
        seed=part.seed,
        input_path=path,
        layers=part.layers,
        verify_layers=part.verify_layers,
        power=part.power,
        power_faults=part.power_faults,
        as_board=part.as_board,
        command=part.command,
        accuracy=sampling,
    )


def _written(folder: Path, name: str, data: bytes) -> Path:
    """``data`` as a file of that name, which must be a plain one."""
    if Path(name).name != name or name in ("", ".", ".."):
        raise UsageError(f"{name!r} is no file's name")
    folder.mkdir()
    path = folder / name
    path.write_bytes(data)
    return path


def keep_run(done: Done, runs_dir: Path) -> StoredRun:
    """Verify a run that came back and keep it as if it had been made here.

    Raises the job's own error, ResultError when the archive is damaged or is not the run that was
    asked for, StorageError.
    """
    if done.error is not None:
        raise done.error
    point = Point.model_validate_json(done.task.payload)
    runs = keep_archive(done.body, runs_dir, check=lambda stored: _check(stored, point))
    if len(runs) != 1:
        raise ResultError(f"{done.task.title}: {len(runs)} runs came back instead of one")
    return runs[0]


def keep_archive(
    data: bytes, runs_dir: Path, *, check: Callable[[StoredRun], None] | None = None
) -> tuple[StoredRun, ...]:
    """The runs of an archive's bytes, verified and kept; ``check`` as in import_runs."""
    with tempfile.TemporaryDirectory(prefix="npubench-arrived-") as scratch:
        archive = Path(scratch) / f"run{SUFFIX}"
        archive.write_bytes(data)
        return import_runs(archive, runs_dir, check=check)


def _check(stored: StoredRun, point: Point) -> None:
    """Whether a run is the one that was asked for."""
    record = stored.record
    network = point.model.sha256
    if point.model.brought is not None:
        network = point.model.brought.network_sha256
    said = {
        "target": (record.target, point.target),
        "network": (record.model.network_sha256, network),
        "job": ("" if record.environment.worker is None else record.environment.worker.job,
                point.key),
    }  # fmt: skip
    if record.settings is not None and record.place is not Place.SIMULATOR:
        own = (record.settings.repetitions, record.settings.warmups, record.settings.seed)
        part = point.settings
        said["settings"] = (str(own), str((part.repetitions, part.warmups, part.seed)))
    for what, (found, wanted) in said.items():
        if found != wanted:
            raise ResultError(
                f"{record.run_id}: its {what} is {found}, but {wanted} was asked for",
                hint="the worker answered something else: it is not kept",
            )
