"""Runs the points of a sweep on all processors; what is done already is not done again."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.bench.job import Settings
from npubench.build.replay import replaying
from npubench.core.errors import NpubenchError, StorageError, ToolError
from npubench.core.progress import Event, Reporter, step
from npubench.core.tool import own_python, tool_environment
from npubench.farm.executor import Executor
from npubench.runs.reader import StoredRun, list_runs, read_run
from npubench.runs.store import check_runs_dir
from npubench.sweep.elsewhere import run_elsewhere
from npubench.sweep.points import Point
from npubench.sweep.worker import run_point

WORKER = "npubench.sweep.worker"
LASTING = frozenset(
    {"CompileError", "ModelFormatError", "UnsupportedOp", "DoesNotFit", "ConfigError"}
)
"""Errors that the same point gives again: it is not tried again."""
_END_S = 15.0


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

    Physical boards run one after the other. ``executor``: what runs the points, instead of
    processes of this sweep. Raises SweepInterrupted on Ctrl-C; a disk that refuses
    a run ends the others, and is in the result.
    """
    begin = time.monotonic()
    check_runs_dir(runs_dir)
    wanted = {point.key: point for point in points if point.error is None}
    runs = dict(known_runs(runs_dir, set(wanted)) if known is None else known)
    waiting = [point for key, point in wanted.items() if key not in runs]
    skipped = len(wanted) - len(waiting)
    if skipped:
        reporter.event(
            Event(
                job="sweep",
                step="resume",
                state="note",
                detail=f"{skipped} of {len(wanted)} points are there already",
            )
        )
    if executor is not None and waiting:
        return _elsewhere(executor, waiting, settings, runs, begin, runs_dir, reporter)
    count = workers or os.cpu_count() or 1
    if any(point.job.board.kind == "physical" for point in waiting):
        count = 1
    if len(waiting) == 1:  # a process of its own would cost more than the point
        with replaying(), step(reporter, "sweep", "points"):
            alone = run_point(waiting[0].job, settings, runs_dir, _Remarks(reporter))
        runs[waiting[0].key] = alone
        reporter.event(_progress(waiting[0], alone, len(wanted), len(wanted)))
        return Done(runs=runs, fresh=1, duration_s=time.monotonic() - begin)
    pool = _Pool(waiting, settings, runs_dir, reporter, total=len(wanted), done=skipped)
    error: NpubenchError | None = None
    try:
        with step(reporter, "sweep", "points"):
            error = pool.run(min(count, len(waiting)))
    except KeyboardInterrupt as stop:
        pool.end()
        runs |= pool.runs
        raise SweepInterrupted(
            Done(runs=runs, fresh=len(pool.runs), duration_s=time.monotonic() - begin)
        ) from stop
    except BaseException:
        pool.end()
        raise
    return Done(
        runs=runs | pool.runs,
        fresh=len(pool.runs),
        duration_s=time.monotonic() - begin,
        error=error,
    )


def _elsewhere(
    executor: Executor,
    waiting: Sequence[Point],
    settings: Settings,
    runs: dict[str, StoredRun],
    begin: float,
    runs_dir: Path,
    reporter: Reporter,
) -> Done:
    before = len(runs)
    error: NpubenchError | None = None

    def done() -> Done:
        return Done(
            runs=runs,
            fresh=len(runs) - before,
            duration_s=time.monotonic() - begin,
            error=error,
        )

    try:
        error = run_elsewhere(
            executor, waiting, settings, runs, runs_dir=runs_dir, reporter=reporter
        )
    except KeyboardInterrupt as stop:
        raise SweepInterrupted(done()) from stop
    except NpubenchError as stop:
        if len(runs) == before:
            raise
        error = stop
    return done()


class _Pool:
    """Worker processes and a thread for each that feeds it."""

    def __init__(
        self,
        points: Sequence[Point],
        settings: Settings,
        runs_dir: Path,
        reporter: Reporter,
        *,
        total: int,
        done: int,
    ) -> None:
        self.runs: dict[str, StoredRun] = {}
        self._queue: queue.SimpleQueue[Point] = queue.SimpleQueue()
        for point in points:
            self._queue.put(point)
        self._settings = settings
        self._runs_dir = runs_dir.absolute()
        self._reporter = reporter
        self._remarks = _Remarks(reporter)
        self._total, self._done = total, done
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._errors: list[NpubenchError] = []
        self._ended = threading.Event()

    def run(self, count: int) -> NpubenchError | None:
        """Serve all points; the first error of the disk, or of a worker that died."""
        threads = [
            threading.Thread(target=self._serve, name=f"sweep-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.2)
        return self._errors[0] if self._errors else None

    def end(self) -> None:
        """End the workers with what they wait for; they clean up first."""
        self._ended.set()
        with self._lock:
            processes = tuple(self._processes)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _serve(self) -> None:
        """One worker, from its start to the end of the queue."""
        argv, environment = own_python(WORKER)
        with tempfile.TemporaryFile() as said:
            with self._lock:
                if self._ended.is_set():
                    return
                process = subprocess.Popen(
                    argv,
                    env=tool_environment(environment),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    start_new_session=True,
                )
                self._processes.append(process)
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                while not self._ended.is_set() and not self._errors:
                    try:
                        point = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    pickle.dump((point.job, self._settings, self._runs_dir), process.stdin)
                    process.stdin.flush()
                    self._answer(point, process.stdout)
            except (OSError, EOFError, pickle.UnpicklingError):
                if not self._ended.is_set():
                    process.wait()
                    said.seek(0)
                    self._errors.append(
                        ToolError(
                            f"a worker of the sweep ended with exit code {process.returncode}",
                            tail=said.read()[-2000:].decode(errors="replace"),
                            hint="start the sweep again: it goes on where it was",
                        )
                    )
            finally:
                with contextlib.suppress(OSError):
                    process.stdin.close()
                process.stdout.close()
                process.wait()

    def _answer(self, point: Point, stream: Any) -> None:
        while True:
            kind, value = pickle.load(stream)
            if kind == "event":
                self._remarks.event(value)
                continue
            if kind == "error":
                self._errors.append(StorageError(value[0], hint=value[1]))
                return
            run = read_run(value)
            with self._lock:
                self.runs[point.key] = run
                self._done += 1
                done = self._done
            self._reporter.event(_progress(point, run, done, self._total))
            return


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
