"""What is asked for: one network on one board through one backend, and how to run it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from npubench.boards import Board, load_board
from npubench.compiler.backends import backend_names
from npubench.core.errors import UsageError
from npubench.emulators.board_model.description import on_model
from npubench.wire.faulty import Mishap
from npubench.zoo import ResolvedModel, benchmark_named, resolve_model

DEFAULT_BOARDS = ("qemu-m4", "qemu-m55", "qemu-m55-u55")
"""Where nothing is named; a board with an NPU runs with it and without."""
EMULATED_REPETITIONS = 2
PHYSICAL_REPETITIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the jobs of one command are run. ``None`` means: what suits the board.

    ``input_path`` is a file of raw input bytes (or .npy) to use instead of the generated input.
    ``mishaps`` happen on the serial line, on order: a rehearsal of what a bench can do to a run.
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

    def repetitions_on(self, board: Board) -> int:
        """Repetitions on a board: two suffice where the counts are deterministic."""
        if self.repetitions is not None:
            return self.repetitions
        return PHYSICAL_REPETITIONS if board.kind == "physical" else EMULATED_REPETITIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One cell of the matrix of models, boards and backends."""

    model: ResolvedModel
    board: Board
    backend: str

    @property
    def title(self) -> str:
        """Short name for progress lines, e.g. ``kws on qemu-m4``."""
        suffix = "" if self.backend == self.board.default_backend else f" ({self.backend})"
        return f"{self.model.id} on {self.board.id}{suffix}"


def default_jobs(
    models: Sequence[str], backends: Sequence[str] = (), *, mlperf: str | None = None
) -> tuple[Job, ...]:
    """The jobs of a command that names no board: the default boards, NPU and CPU where both are.

    Of ``backends``, where given, each board runs those that it has. ``mlperf``: as resolve_jobs.
    """
    jobs = []
    for job in resolve_jobs(models, DEFAULT_BOARDS, backends, mlperf=mlperf):
        own = dict.fromkeys((job.board.default_backend, "cpu"))
        if not backends:
            jobs += [replace(job, backend=backend) for backend in own]
        elif job.backend in own:
            jobs.append(job)
    return tuple(jobs)


def resolve_jobs(
    models: Sequence[str],
    boards: Sequence[str],
    backends: Sequence[str] = (),
    *,
    board_models: bool = False,
    mlperf: str | None = None,
) -> tuple[Job, ...]:
    """The matrix of jobs, models outermost, duplicates dropped.

    ``backends`` empty: each board's default. Raises UsageError for an unknown model, board or
    backend, with the closest name. ``board_models``: physical boards are played by their
    models (emulators/board_model). ``mlperf``: the benchmark of MLPerf Tiny that the networks are,
    whose form of uploads and results their firmware takes.
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
    resolved_models = [resolve_model(model) for model in dict.fromkeys(models)]
    if mlperf is not None:
        benchmark = benchmark_named(mlperf)
        resolved_models = [replace(model, benchmark=benchmark) for model in resolved_models]
    resolved_boards = [load_board(board) for board in dict.fromkeys(boards)]
    if board_models:
        resolved_boards = [
            on_model(board) if board.kind == "physical" else board for board in resolved_boards
        ]
    return tuple(
        Job(model=model, board=board, backend=backend)
        for model in resolved_models
        for board in resolved_boards
        for backend in (tuple(dict.fromkeys(backends)) or (board.default_backend,))
    )
