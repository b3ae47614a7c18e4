"""Runs the points of a sweep on all processors; what is done already is not done again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.bench.job import Settings
from npubench.bench.matrix import run_alone
from npubench.build.replay import replaying
from npubench.core.errors import NpubenchError, UsageError
from npubench.core.progress import Event, Reporter, step
from npubench.farm.executor import Executor
from npubench.farm.local import LocalExecutor
from npubench.farm.matrix import run_tasks
from npubench.farm.point import require_portable, task_of
from npubench.golden.served import serving
from npubench.golden.tflm import WORKER
from npubench.runs.reader import StoredRun, list_runs
from npubench.runs.store import check_runs_dir
from npubench.sweep.points import Point

LASTING = frozenset(
    {"CompileError", "ModelFormatError", "UnsupportedOp", "DoesNotFit", "ConfigError"}
)
"""Errors that the same point gives again: it is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What of a sweep is there: runs by key. ``fresh``: how many were run now."""

    runs: Mapping[str, StoredRun]
    fresh: int
    duration_s: float
    error: NpubenchError | None = None


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C came; ``done`` holds the points that are finished and kept."""

    def __init__(self, done: Done) -> None:
        super().__init__()
        self.done = done


def known_runs(runs_dir: Path, keys: set[str]) -> dict[str, StoredRun]:
    """Runs of points that were made before and need not be made again, by key."""
    found: dict[str, StoredRun] = {}
    for run in list_runs(runs_dir).runs:
        key = run.record.sweep.get("key")
        if isinstance(key, str) and key in keys and _lasts(run):
            found[key] = run
    return found


def _lasts(run: StoredRun) -> bool:
    error = run.record.error
    return run.record.status == "ok" or (error is not None and error.kind in LASTING)


def run_points(
    points: Sequence[Point],
    settings: Settings,
    *,
    runs_dir: Path,
    reporter: Reporter,
    workers: int | None = None,
    known: Mapping[str, StoredRun] | None = None,
    executor: Executor | None = None,
) -> Done:
    """Run every point that has no run yet. Each run is stored when it is made, so that an
    interruption loses nothing but what is under way.

    ``executor``: what runs the points; by default ``workers`` processes of this machine, one for
    each processor. What only this machine can do (a physical board, an instrument) is run in this
    process, one point after the other. Raises SweepInterrupted on Ctrl-C; a disk that refuses a run
    ends the others, and is in the result.
    """
    begin = time.monotonic()
    check_runs_dir(runs_dir)
    wanted = {point.key: point for point in points if point.error is None}
    runs = dict(known_runs(runs_dir, set(wanted)) if known is None else known)
    waiting = [point for key, point in wanted.items() if key not in runs]
    before = len(runs)
    error: NpubenchError | None = None
    if before:
        reporter.event(
            Event(
                job="sweep",
                step="resume",
                state="note",
                detail=f"{before} of {len(wanted)} points are there already",
            )
        )

    def done() -> Done:
        return Done(
            runs=runs,
            fresh=len(runs) - before,
            duration_s=time.monotonic() - begin,
            error=error,
        )

    def told(key: str, run: StoredRun) -> None:
        runs[key] = run
        reporter.event(_progress(wanted[key], run, len(runs), len(wanted)))

    try:
        if executor is None and (len(waiting) <= 1 or not _can_travel(waiting, settings)):
            _run_here(waiting, settings, told, runs_dir, reporter)
        else:
            here = executor is None
            chosen = executor or LocalExecutor(min(workers or os.cpu_count() or 1, len(waiting)))
            with step(reporter, "sweep", "points"):
                error = run_tasks(
                    chosen,
                    [task_of(point.job, settings, chosen.describe()) for point in waiting],
                    runs,
                    runs_dir=runs_dir,
                    reporter=_Remarks(reporter) if here else reporter,
                    kept=told,
                )
    except KeyboardInterrupt as stop:
        raise SweepInterrupted(done()) from stop
    except UsageError:
        raise
    except NpubenchError as stop:
        if executor is not None and len(runs) == before:
            raise
        error = stop
    return done()


def _can_travel(points: Sequence[Point], settings: Settings) -> bool:
    """Whether other processes can do the points."""
    try:
        for point in points:
            require_portable(point.job, settings)
    except UsageError:
        return False
    return True


def _run_here(
    points: Sequence[Point],
    settings: Settings,
    told: Callable[[str, StoredRun], None],
    runs_dir: Path,
    reporter: Reporter,
) -> None:
    """One point after the other, in this process: for one alone, another would cost more."""
    with replaying(), serving(WORKER), step(reporter, "sweep", "points"):
        for point in points:
            run = run_alone(
                point.job,
                settings,
                runs_dir=runs_dir,
                reporter=_Remarks(reporter),
                cancelled=threading.Event(),
            )
            told(point.key, run)


class _Remarks:
    """Progress of which remarks alone are told: a hundred points' steps tell nobody anything."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def event(self, event: Event) -> None:
        if event.step == "remark":
            self._reporter.event(event)


def _progress(point: Point, run: StoredRun, done: int, total: int) -> Event:
    """A point is there: the network with what is varied of it, the target, how it ended."""
    values = ", ".join(f"{name}={value}" for name, value in point.values.items())
    title = f"{point.job.model.id}{f' {values}' if values else ''} on {point.job.target}"
    return Event(
        job="sweep",
        step="point",
        state="note",
        detail=f"{done} of {total}: {title}: {run.record.status}",
    )
