"""What is asked for: one network on one board through one backend, and how to run it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from npubench.boards import Board, load_board
from npubench.compiler.backends import backend_names, load_backend, settle
from npubench.compiler.importers.load import load_model
from npubench.core.errors import CompileError, ToolMissing, UsageError
from npubench.core.progress import Reporter
from npubench.desk.client import Desk
from npubench.emulators.board_model.description import on_model
from npubench.runs.schema import WorkerRecord
from npubench.target import Options, Place, Target, own_place
from npubench.wire.faulty import Mishap
from npubench.zoo import ResolvedModel, benchmark_named, model_id_of

DEFAULT_BOARDS = ("qemu-m4", "qemu-m55", "qemu-m55-u55")
"""Where nothing is named; a board with an NPU runs with it and without."""
EMULATED_REPETITIONS = 2
PHYSICAL_REPETITIONS = 20
DEVICE_SAMPLES = 100
"""Labelled samples that a target answers where nobody says how many: through the line one by one,
they take seconds to minutes."""
NO_SETTINGS: Mapping[str, Options] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """A test set whose samples the target is to answer: ``samples`` of them, evenly spread.
    ``metric`` None: what suits data and network."""

    data: Path
    samples: int = DEVICE_SAMPLES
    metric: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the jobs of one command are run. ``None`` means: what suits the board.

    ``input_path`` is a file of raw input bytes (or .npy, .npz) to use instead of the generated
    input. ``mishaps`` happen on the serial line, on order: a rehearsal of what a bench can do to a
    run. ``as_board``: the board whose part lends its cycles and energy to an emulated one of the
    same core. ``command``: the words that asked for it, where a command line did. ``accuracy``:
    also ask how well the target answers. ``worker``: who does it, where that is not the process
    that was asked. ``desk``: the place that the board hangs on, where that is not this machine.
    """

    warmups: int = 1
    repetitions: int | None = None
    seed: int = 1
    input_path: Path | None = None
    layers: bool = True
    verify_layers: bool = False
    port: str | None = None
    probe_serial: str | None = None
    flash: bool = True
    clock_seconds: float = 10.0
    mishaps: tuple[Mishap, ...] = ()
    power: str | None = None
    power_faults: tuple[str, ...] = ()
    as_board: str | None = None
    command: tuple[str, ...] = ()
    accuracy: Sampling | None = None
    worker: WorkerRecord | None = None
    baud: int | None = None
    desk: Desk | None = None

    def repetitions_on(self, board: Board) -> int:
        """Repetitions on a board: two suffice where the counts are deterministic."""
        if self.repetitions is not None:
            return self.repetitions
        return PHYSICAL_REPETITIONS if board.kind == "physical" else EMULATED_REPETITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cell of the matrix of models and targets.

    ``board`` is as it runs: a physical one that its model plays is its model's already.
    ``simulated``: the network alone runs, on the simulator of the backend's vendor. ``sweep``:
    names and values that say which point of a sweep it is; the record keeps them.
    """

    model: ResolvedModel
    board: Board
    backend: str
    options: Options = ()
    simulated: bool = False
    sweep: tuple[tuple[str, str | int | float | bool | None], ...] = ()

    @property
    def target(self) -> Target:
        """What is measured."""
        return Target(
            board=self.board.id,
            backend=self.backend,
            options=self.options,
            place=Place.SIMULATOR if self.simulated else own_place(self.board),
        )

    @property
    def title(self) -> str:
        """Short name for progress lines, e.g. ``kws on qemu-m4:cpu``."""
        return f"{self.model.id} on {self.target}"


def at_speed(job: Job, baud: int | None) -> Job:
    """The job with its board's console at ``baud`` bit/s, in the image and on the port; None leaves
    it at the board's own speed."""
    if baud is None:
        return job
    console = job.board.console.model_copy(update={"baud": baud})
    return replace(job, board=job.board.model_copy(update={"console": console}))


def default_jobs(
    models: Sequence[str],
    backends: Sequence[str] = (),
    *,
    settings: Mapping[str, Options] = NO_SETTINGS,
    mlperf: str | None = None,
    said: Mapping[str, Any] | None = None,
    reporter: Reporter | None = None,
) -> tuple[Job, ...]:
    """The jobs of a command that names no board: the default boards, NPU and CPU where both are.

    Of ``backends``, where given, each board runs those that it has. The rest: as resolve_jobs.
    """
    jobs = []
    for job in resolve_jobs(
        models, DEFAULT_BOARDS, backends, mlperf=mlperf, said=said, reporter=reporter
    ):
        own = dict.fromkeys((job.board.default_backend, "cpu"))
        if not backends:
            jobs += [replace(job, backend=backend) for backend in own]
        elif job.backend in own:
            jobs.append(job)
    return _set(jobs, settings)


def _loaded(
    model: str, said: Mapping[str, Any] | None, reporter: Reporter | None, *, alone: bool
) -> ResolvedModel:
    """A MODEL as int8. One of several that cannot be imported fails alone, when it is read."""
    try:
        return load_model(model, said, reporter=reporter)
    except (CompileError, ToolMissing) as error:
        path = Path(model)
        if alone or not path.is_file():
            raise
        return ResolvedModel(id=model_id_of(path), path=path, entry=None, refusal=error)


def resolve_jobs(
    models: Sequence[str],
    boards: Sequence[str],
    backends: Sequence[str] = (),
    *,
    place: Place | None = None,
    settings: Mapping[str, Options] = NO_SETTINGS,
    mlperf: str | None = None,
    said: Mapping[str, Any] | None = None,
    reporter: Reporter | None = None,
) -> tuple[Job, ...]:
    """The matrix of jobs, models outermost, duplicates dropped.

    ``backends`` empty: each board's default. ``place``: physical boards are played by their models
    (emulators/board_model), or every backend by its vendor's simulator; None leaves each board
    where it is. ``settings``: options by backend. ``mlperf``: the benchmark of MLPerf Tiny that the
    networks are, whose form of uploads and results their firmware takes. ``said``: how networks
    are imported, see load_model; ``reporter`` hears of it. Raises UsageError for an
    unknown model, board, backend or option, with the closest name, and for a place that cannot be
    had.
    """
    for backend in backends:
        if backend not in backend_names():
            close = difflib.get_close_matches(backend, backend_names(), n=1)
            raise UsageError(
                f"there is no backend {backend!r}",
                hint=f"did you mean {close[0]}?"
                if close
                else f"known: {', '.join(backend_names())}",
            )
    asked = tuple(dict.fromkeys(models))
    resolved_models = [_loaded(model, said, reporter, alone=len(asked) == 1) for model in asked]
    if mlperf is not None:
        benchmark = benchmark_named(mlperf)
        resolved_models = [replace(model, benchmark=benchmark) for model in resolved_models]
    resolved_boards = [load_board(board) for board in dict.fromkeys(boards)]
    if place is Place.MODEL:
        resolved_boards = [
            on_model(board) if board.kind == "physical" else board for board in resolved_boards
        ]
    jobs = [
        Job(model=model, board=board, backend=backend, simulated=place is Place.SIMULATOR)
        for model in resolved_models
        for board in resolved_boards
        for backend in (tuple(dict.fromkeys(backends)) or (_default(board, place),))
    ]
    for job in jobs:
        if job.simulated and not has_simulator(job.backend):
            raise UsageError(
                f"backend {job.backend} has no simulator, so {job.target} cannot be had",
                hint=_simulators(),
            )
    return _set(jobs, settings)


def has_simulator(backend: str) -> bool:
    """Whether a backend's vendor brings a simulator that is driven here."""
    return getattr(load_backend(backend), "simulator", None) is not None


def _simulators() -> str:
    names = [name for name in backend_names() if has_simulator(name)]
    return f"these have one: {', '.join(names)}" if names else "no backend has one yet"


def _default(board: Board, place: Place | None) -> str:
    """A board's backend where none is named: on a simulator, that of the vendor's compiler."""
    adapter = None if board.npu is None else board.npu.adapter
    if place is Place.SIMULATOR and adapter is not None:
        return adapter
    return board.default_backend


def _set(jobs: Sequence[Job], settings: Mapping[str, Options]) -> tuple[Job, ...]:
    """The jobs with their options. Raises UsageError for a backend that no job uses."""
    for backend in settings:
        if backend not in {job.backend for job in jobs}:
            used = ", ".join(sorted({job.backend for job in jobs}))
            raise UsageError(
                f"--set names backend {backend!r}, which is not run", hint=f"these are: {used}"
            )
    settled = {backend: settle(backend, options) for backend, options in settings.items()}
    return tuple(replace(job, options=settled.get(job.backend, ())) for job in jobs)
