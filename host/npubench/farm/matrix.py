"""The matrix of jobs on an executor: the runs that come back are stored as if they were made here.

What was finished is kept whatever happens; ``resume`` finds it again by the key of each job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from npubench.bench.job import Job, Settings
from npubench.bench.matrix import Interrupted, Outcome
from npubench.core.errors import NpubenchError, StorageError
from npubench.core.progress import Event, Reporter
from npubench.farm.executor import Executor
from npubench.farm.point import keep_run, run_point, task_of
from npubench.farm.task import Done, Task
from npubench.runs.store import StoredRun, check_runs_dir, list_runs

NOTES = 50
"""So many times, at most, it is said how far the whole is."""


def run_matrix_on(
    executor: Executor,
    jobs: Sequence[Job],
    settings: Settings,
    *,
    runs_dir: Path,
    reporter: Reporter,
    resume: bool = False,
) -> Outcome:
    """Run every job on ``executor``, which is not entered yet, and store every run.

    A job that gave no run (its worker died each time, its archive was damaged) is in the outcome's
    ``error``; the others are kept. ``resume``: jobs whose run of the same network, target, settings
    and tools is stored and ok are not done again. Raises UsageError before anything is sent,
    Interrupted on Ctrl-C, when everything that ran elsewhere has been told to end.
    """
    begin = time.monotonic()
    check_runs_dir(runs_dir)
    tasks = [task_of(job, settings, executor.describe()) for job in jobs]
    stored: dict[str, StoredRun] = finished_runs(runs_dir, tasks) if resume else {}
    if stored:
        text = f"{len(stored)} of {len(tasks)} runs are there already"
        reporter.event(Event(job="all jobs", step="resume", state="note", detail=text))
    failure: NpubenchError | None = None
    interrupted: KeyboardInterrupt | None = None
    wanted = [task for task in tasks if task.key not in stored]
    try:
        failure = run_tasks(executor, wanted, stored, runs_dir=runs_dir, reporter=reporter)
    except KeyboardInterrupt as error:
        interrupted = error
    except NpubenchError as error:
        failure = error
        if not stored:
            raise
    outcome = Outcome(
        stored=tuple(
            stored[key] for key in dict.fromkeys(task.key for task in tasks) if key in stored
        ),
        jobs_count=len({task.key for task in tasks}),
        duration_s=time.monotonic() - begin,
        error=failure,
    )
    if interrupted is not None:
        raise Interrupted(outcome) from interrupted
    return outcome


def run_tasks(
    executor: Executor,
    tasks: Sequence[Task],
    stored: dict[str, StoredRun],
    *,
    runs_dir: Path,
    reporter: Reporter,
    kept: Callable[[str, StoredRun], None] = lambda *_: None,
) -> NpubenchError | None:
    """Do tasks of ``task_of`` on ``executor``, which is not entered yet, nor where there are none;
    each run is kept as it comes, put into ``stored`` by its key, and told to ``kept``.

    The first error of a job that gave no run is returned. Raises StorageError when the disk refuses
    a run, which ends the others, and WorkerFailure as ``Executor.map`` does.
    """
    failure: NpubenchError | None = None
    if not tasks:
        return None
    with executor:
        for done in watched(executor.map(run_point, tasks), len(tasks), reporter):
            try:
                run = keep_run(done, runs_dir)
            except StorageError:
                raise
            except NpubenchError as error:
                failure = failure or error
                continue
            stored[done.task.key] = run
            kept(done.task.key, run)
    return failure


def finished_runs(runs_dir: Path, tasks: Iterable[Task]) -> dict[str, StoredRun]:
    """Stored runs that are ok, by the key of the task that they are of; the newest of each."""
    keys = {task.key for task in tasks}
    found: dict[str, StoredRun] = {}
    for run in list_runs(runs_dir).runs:
        worker = run.record.environment.worker
        if worker is not None and worker.job in keys and run.record.status == "ok":
            found[worker.job] = run
    return found


def watched(results: Iterator[Done], count: int, reporter: Reporter) -> Iterator[Done]:
    """Results as they come, each reported, and how far the whole is."""
    begin = time.monotonic()
    every = max(1, count // NOTES)
    names: set[str] = set()
    failed = 0
    for number, done in enumerate(results, 1):
        failed += done.error is not None
        where = ""
        if done.worker is not None:
            where = f" on {done.worker.name}"
            names.add(done.worker.name)
        reporter.event(
            Event(
                job=done.task.title,
                step=f"run{where}",
                state="done" if done.error is None else "fail",
                detail="" if done.error is None else done.error.message,
                duration_s=done.seconds,
            )
        )
        if number % every == 0 or number == count:
            rate = number / max(1e-9, time.monotonic() - begin)
            text = f"{number} of {count} jobs, {failed} failed, {rate:.2g}/s, {len(names)} workers"
            reporter.event(Event(job="all jobs", step="progress", state="note", detail=text))
        yield done
