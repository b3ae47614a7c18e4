"""The points of a sweep on an executor: other processes, or the workers of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npubench.bench.job import Settings
from npubench.core.errors import NpubenchError
from npubench.core.progress import Reporter
from npubench.farm.executor import Executor
from npubench.farm.matrix import watched
from npubench.farm.point import keep_run, run_point, task_of
from npubench.runs.reader import StoredRun
from npubench.sweep.points import Point


def run_elsewhere(
    executor: Executor,
    points: Sequence[Point],
    settings: Settings,
    runs: dict[str, StoredRun],
    *,
    runs_dir: Path,
    reporter: Reporter,
) -> NpubenchError | None:
    """Do every point on ``executor``, which is not entered yet; each run is stored, and put into
    ``runs`` by its point's key, as it comes. The first error of a point that gave no run."""
    tasks = [task_of(point.job, settings, executor.describe()) for point in points]
    keys = {task.key: point.key for task, point in zip(tasks, points, strict=True)}
    failure: NpubenchError | None = None
    with executor:
        for done in watched(executor.map(run_point, tasks), len(tasks), reporter):
            try:
                runs[keys[done.task.key]] = keep_run(done, runs_dir)
            except NpubenchError as error:
                failure = failure or error
    return failure
