"""A sweep from its words to its record: expanded, run, fitted, kept."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.bench.energy import check_power
from npubench.bench.flashing import require_boards
from npubench.bench.job import DEFAULT_BOARDS, NO_SETTINGS, Settings
from npubench.core.errors import NpubenchError, UsageError
from npubench.core.progress import Event, Reporter, Silent
from npubench.farm.executor import Executor
from npubench.runs.sweeps import SweepRecord, write_sweep
from npubench.sweep.axis import parse_axes
from npubench.sweep.engine import Done, SweepInterrupted, run_points
from npubench.sweep.points import Request, points_of
from npubench.sweep.result import sweep_record
from npubench.sweep.source import source_of
from npubench.target import Options, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """What a sweep gave. ``fresh``: points that were run now, the others were there. ``error``: why
    points are missing."""

    sweep: SweepRecord
    path: Path
    fresh: int
    duration_s: float
    error: NpubenchError | None = None
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 when all points are there and at least one of each series has a cost."""
        if self.error is not None or not self.sweep.complete:
            return 1
        with_cost = {point.series for point in self.sweep.points if point.status == "ok"}
        return 0 if set(self.sweep.series) <= with_cost else 1


def request_of(
    model: str | os.PathLike[str],
    vary: Iterable[str],
    *,
    boards: Sequence[str] = (),
    backends: Sequence[str] = (),
    options: Mapping[str, Options] = NO_SETTINGS,
    place: Place | None = None,
    settings: Settings | None = None,
    reporter: Reporter | None = None,
) -> Request:
    """A request from words. Raises UsageError."""
    axes = parse_axes(vary)
    if not axes:
        raise UsageError(
            "a sweep varies something", hint="e.g. --vary input=32:96:16 or --vary width=0.25,0.5"
        )
    return Request(
        source=source_of(os.fspath(model), axes, reporter or Silent()),
        axes=axes,
        boards=tuple(dict.fromkeys(boards)) or DEFAULT_BOARDS,
        backends=tuple(dict.fromkeys(backends)),
        place=place,
        options=options,
        settings=settings or Settings(),
    )


def run_sweep(
    request: Request,
    *,
    runs_dir: Path,
    reporter: Reporter,
    workers: int | None = None,
    executor: Executor | None = None,
) -> SweepOutcome:
    """Run what is missing of a sweep and keep its record. ``executor``: where its points are run.

    Raises UsageError before anything is run. On Ctrl-C the outcome says so: what was finished is
    kept, and the same call goes on where it was.
    """
    points = points_of(request)
    jobs = [point.job for point in points if point.error is None]
    check_power([job.board for job in jobs], request.settings)
    require_boards(jobs, request.settings)
    for point in points:
        if point.error is not None:
            shown = ", ".join(f"{name}={value}" for name, value in point.values.items())
            reporter.event(Event(job="sweep", step=shown, state="note", detail=point.error.message))
    interrupted = False
    try:
        done: Done = run_points(
            points,
            request.settings,
            runs_dir=runs_dir,
            reporter=reporter,
            workers=workers,
            executor=executor,
        )
    except SweepInterrupted as stop:
        done, interrupted = stop.done, True
    sweep = sweep_record(request, points, done.runs, command=request.settings.command)
    return SweepOutcome(
        sweep=sweep,
        path=write_sweep(runs_dir, sweep),
        fresh=done.fresh,
        duration_s=done.duration_s,
        error=done.error,
        interrupted=interrupted,
    )
