"""The matrix of jobs: prepared, run side by side, kept, and never lost on Ctrl-C."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.bench.forms import simulator_of
from npubench.bench.job import Job, Settings
from npubench.bench.prepare import compile_job, read_remarked
from npubench.bench.record import Unread, error_record
from npubench.bench.run import failed_before_start, run_job
from npubench.bench.simulate import simulate_job
from npubench.compiler.compiled import Compiled, Network
from npubench.core.errors import CompileError, ConfigError, NpubenchError, ToolError, ToolMissing
from npubench.core.progress import Reporter, step
from npubench.core.tool import end_running_tools
from npubench.runs.store import StoredRun, check_runs_dir
from npubench.transport.process import end_running_boards


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a bench command did: stored runs, in the order of the jobs.

    ``error`` is why some jobs have no run, or there is no report: it could not be stored.
    ``jobs_count``: the runs that were asked for. ``report``: the page, where one was;
    it shows ``earlier_count`` runs of the same folder, too.
    """

    stored: tuple[StoredRun, ...]
    jobs_count: int
    duration_s: float
    error: NpubenchError | None = None
    report: Path | None = None
    earlier_count: int = 0

    @property
    def exit_code(self) -> int:
        """0 when every run is ok and stored, else 1; the cause is in the runs, or ``error``."""
        if self.error is not None:
            return 1
        return 0 if all(run.record.status == "ok" for run in self.stored) else 1

    def documents(self) -> list[dict[str, Any]]:
        """The runs as JSON values, ``run_dir`` included."""
        return [run.document() for run in self.stored]

    def error_document(self) -> dict[str, str] | None:
        """Why runs are missing, else the first failed run's error, else None."""
        if self.error is not None:
            return error_record(self.error).model_dump()
        for run in self.stored:
            if run.record.error is not None:
                return run.record.error.model_dump()
        return None

    def complaints(self) -> list[str]:
        """For each run that is not ok one line, and one for the hint; the remarks on the others."""
        lines = []
        if self.error is not None:
            lines.append(f"npubench: {self.error.message}")
            if self.error.hint:
                lines.append(f"  hint: {self.error.hint}")
        for run in self.stored:
            error = run.record.error
            title = f"{run.record.model.name} on {run.record.board}"
            lines += [f"{title}: {note}" for note in run.record.notes]
            if error is not None:
                lines.append(
                    f"{run.record.model.name} on {run.record.target}: {run.record.status}: "
                    f"{error.message}"
                )
                if error.hint:
                    lines.append(f"  hint: {error.hint}")
        return lines


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came while jobs ran. ``outcome`` holds the runs that were finished before."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


def run_matrix(
    jobs: Sequence[Job], settings: Settings, *, runs_dir: Path, reporter: Reporter
) -> Outcome:
    """Run every job and store every run.

    All networks are read first, then all are compiled: when no job gets that far the first error is
    raised and nothing is written; when only some do not, their runs are kept as failed. Emulated
    boards run side by side on the host's processors; a physical board's jobs follow one another.
    On Ctrl-C emulators and builds are ended, unfinished runs dropped, finished ones kept, and
    Interrupted is raised. When the disk refuses a run, the others are ended likewise and the
    outcome carries the error.
    """
    begin = time.monotonic()
    check_runs_dir(runs_dir)
    compiled = _compile_all(jobs, reporter)
    stored: dict[int, StoredRun] = {}
    locks: dict[str, threading.Lock] = {}
    cancelled = threading.Event()
    workers = max(1, min(len(jobs), os.cpu_count() or 1))
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="bench")
    futures: dict[Future[StoredRun], int] = {}
    try:
        for index, (job, product) in enumerate(zip(jobs, compiled, strict=True)):
            single = job.board.kind == "physical" or settings.desk is not None
            lock = locks.setdefault(job.board.id if single else f"{index}", threading.Lock())
            task = pool.submit(_one, job, product, settings, runs_dir, reporter, lock, cancelled)
            futures[task] = index
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                stored[futures[future]] = future.result()
    except BaseException as error:
        cancelled.set()
        _end_all(pool, futures)
        for future, index in futures.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                stored[index] = future.result()
        outcome = Outcome(
            stored=tuple(stored[index] for index in sorted(stored)),
            jobs_count=len(jobs),
            duration_s=time.monotonic() - begin,
            error=error if isinstance(error, NpubenchError) else None,
        )
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(outcome) from error
        if outcome.error is None:
            raise
        return outcome
    pool.shutdown()
    return Outcome(
        stored=tuple(stored[index] for index in range(len(jobs))),
        jobs_count=len(jobs),
        duration_s=time.monotonic() - begin,
    )


def run_alone(
    job: Job,
    settings: Settings,
    *,
    runs_dir: Path,
    reporter: Reporter,
    cancelled: threading.Event,
) -> StoredRun:
    """Compile and run one job in this thread; whatever came out is stored, a refusal of the
    compiler as well. Raises StorageError, and bench.run's Cancelled once ``cancelled`` is set."""
    check_runs_dir(runs_dir)
    network = _read(job, reporter)
    product = network if isinstance(network, tuple) else _compile(job, network, reporter)
    return _one(job, product, settings, runs_dir, reporter, threading.Lock(), cancelled)


def _end_all(pool: ThreadPoolExecutor, futures: Iterable[Future[StoredRun]]) -> None:
    """End what the jobs wait for, again and again: a job may just have been starting something."""
    pool.shutdown(wait=False, cancel_futures=True)
    pending = {future for future in futures if not future.cancelled()}
    while pending:
        end_running_boards()
        end_running_tools()
        _, pending = wait(pending, timeout=0.2)
    pool.shutdown()


Refused = tuple[Network | Unread, NpubenchError]
"""A network that cannot be read, or not compiled for its board, and why."""


def _compile_all(jobs: Sequence[Job], reporter: Reporter) -> list[Compiled | Network | Refused]:
    """Every job's compiled network, or the reason why there is none. A simulated job's network is
    left as it is: the vendor's compiler comes with its simulator.

    All files are read before anything is compiled; whichever is refused is refused alone.
    """
    networks: dict[Path, Network | tuple[Unread, NpubenchError]] = {}
    for job in jobs:
        if job.model.path not in networks:
            networks[job.model.path] = _read(job, reporter)
    results: list[Compiled | Network | Refused] = []
    for job in jobs:
        network = networks[job.model.path]
        if isinstance(network, tuple):
            results.append(network)
            continue
        results.append(_compile(job, network, reporter))
    refused = [result for result in results if isinstance(result, tuple)]
    if refused and len(refused) == len(results):
        raise refused[0][1]
    return results


def _compile(job: Job, network: Network, reporter: Reporter) -> Compiled | Network | Refused:
    try:
        if job.simulated:
            simulator_of(job).check()
            return network
        with step(reporter, job.title, "compile"):
            return compile_job(job, network)
    except (CompileError, ConfigError, ToolError) as error:
        return network, error


def _read(job: Job, reporter: Reporter) -> Network | tuple[Unread, NpubenchError]:
    try:
        return read_remarked(job.model, reporter)
    except (CompileError, ToolMissing) as error:
        try:
            data = job.model.path.read_bytes()
        except OSError:  # a folder, or gone since it was looked for
            raise error from None
        return Unread(resolved=job.model, sha256=hashlib.sha256(data).hexdigest()), error


def _one(
    job: Job,
    product: Compiled | Network | Refused,
    settings: Settings,
    runs_dir: Path,
    reporter: Reporter,
    lock: threading.Lock,
    cancelled: threading.Event,
) -> StoredRun:
    with lock:
        if isinstance(product, tuple):
            network, error = product
            return failed_before_start(job, network, error, runs_dir, settings.worker)
        if isinstance(product, Network):
            return simulate_job(
                job, product, settings, runs_dir=runs_dir, reporter=reporter, cancelled=cancelled
            )
        return run_job(
            job, product, settings, runs_dir=runs_dir, reporter=reporter, cancelled=cancelled
        )
