"""Jobs in processes of this machine, through the standard library's pool.

A process that dies takes its pool with it: the pool is made anew, and what was under way is done
once more, one job at a time, so that a job that kills its process is known as the one.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from pathlib import Path
from types import TracebackType
from typing import Self

from npubench.core.errors import UsageError
from npubench.farm.answer import Refused, done_of
from npubench.farm.executor import AHEAD
from npubench.farm.task import Done, Task, Work, WorkerFailure
from npubench.farm.worker import own_name, perform, stop

MAX_ALONE = 2
"""Processes that one job may kill, running alone, before it is given up."""
POLL_S = 0.5
GRACE_S = 10.0


class LocalExecutor:
    """``count`` processes here. They end with the executor, and with this process."""

    def __init__(self, count: int) -> None:
        if not 1 <= count <= 512:
            raise UsageError(f"local:{count} is not possible", hint="1 to 512 processes")
        self._count = count
        self._context = multiprocessing.get_context("spawn")
        self._session = secrets.token_hex(8)
        self._stopping: Event = self._context.Event()
        self._pool: ProcessPoolExecutor | None = None
        self._pending: dict[Future[bytes], _Sent] = {}

    def __enter__(self) -> Self:
        self._pool = self._new_pool()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        if self._pending:
            self._stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait([future for future in self._pending if not future.cancelled()])
            self._pending.clear()
        pool.shutdown()

    def describe(self) -> str:
        return f"local:{self._count}"

    def map(self, work: Work, tasks: Iterable[Task]) -> Iterator[Done]:
        source = _distinct(tasks)
        alone: deque[_Sent] = deque()
        while True:
            room = 1 if alone else self._count * AHEAD
            while len(self._pending) < room:
                sent = alone[0] if alone else _next(source)
                if sent is None or not self._submit(work, sent):
                    break
            if not self._pending:
                return
            finished, _ = wait(self._pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
            broken: list[_Sent] = []
            for future in finished:
                sent = self._pending.pop(future)
                try:
                    answer = future.result()
                except BrokenProcessPool:
                    broken.append(sent)
                    continue
                if alone and alone[0] is sent:
                    alone.popleft()
                try:
                    yield done_of(sent.task, answer, attempts=sent.attempts)
                except Refused as refusal:
                    raise WorkerFailure(
                        f"a process of this machine refuses the job: {refusal.reason}",
                        hint="its tools changed while the command ran; run it again",
                    ) from refusal
            if broken:
                broken += self._pending.values()
                self._pending.clear()
                self._renew()
                if alone:
                    first = alone[0]
                    first.killed += 1
                    if first.killed >= MAX_ALONE:
                        alone.popleft()
                        yield _given_up(first)
                else:
                    alone.extend(broken)

    def _submit(self, work: Work, sent: _Sent) -> bool:
        assert self._pool is not None
        task = sent.task
        sent.attempts += 1
        try:
            future = self._pool.submit(
                _perform_here,
                work,
                self._session,
                task.payload,
                dict(task.tools),
                {name: Path(path) for name, path in task.files.items()},
            )
        except BrokenProcessPool:
            future = Future()
            future.set_exception(BrokenProcessPool("the pool is broken"))
        self._pending[future] = sent
        return True

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            max_workers=self._count,
            mp_context=self._context,
            initializer=_begin,
            initargs=(self._stopping, self._session),
        )

    def _renew(self) -> None:
        assert self._pool is not None
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._new_pool()


class _Sent:
    """A task under way, how often it was begun, and how many processes it killed alone."""

    __slots__ = ("attempts", "killed", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.attempts = 0
        self.killed = 0


def _distinct(tasks: Iterable[Task]) -> Iterator[_Sent]:
    seen: set[str] = set()
    for task in tasks:
        if task.key not in seen:
            seen.add(task.key)
            yield _Sent(task)


def _next(source: Iterator[_Sent]) -> _Sent | None:
    return next(source, None)


def _given_up(sent: _Sent) -> Done:
    return Done(
        task=sent.task,
        error=WorkerFailure(
            f"{sent.task.title}: the process that did it died, {sent.attempts} times",
            hint="did the system run out of memory? Try fewer processes: --on local:1",
        ),
        attempts=sent.attempts,
    )


def _perform_here(
    work: Work, session: str, payload: bytes, tools: Mapping[str, str], files: Mapping[str, Path]
) -> bytes:
    blobs = [path.read_bytes() for path in files.values()]
    return perform(work, session, own_name(), payload, tools, tuple(files), *blobs)


def _begin(stopping: Event, session: str) -> None:
    """In a new process: Ctrl-C is the parent's affair; end when called off, and with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def called_off() -> None:
        stopping.wait()
        stop(session)
        threading.Event().wait(GRACE_S)
        os._exit(1)

    def orphaned() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    watchers: tuple[Callable[[], None], ...] = (called_off, orphaned)
    for watcher in watchers:
        threading.Thread(target=watcher, name=watcher.__name__, daemon=True).start()
