"""Jobs on the workers of a Dask scheduler.

Dask's messages are pickles: whoever controls the scheduler runs code on clients and workers. So a
scheduler is talked to over TLS, or on this machine, or because the user says so (``--insecure``).
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from npubench.core.errors import ToolMissing, UsageError
from npubench.farm.answer import Refused, done_of
from npubench.farm.executor import AHEAD
from npubench.farm.scheduler import Scheduler
from npubench.farm.task import Done, Task, Work, WorkerFailure, file_sha256
from npubench.farm.worker import ErrorPart, perform, stop
from npubench.farm.worker import refused as refused_answer

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
WORKERS_TIMEOUT_S = 60.0
LOOK_EVERY_S = 1.0
INLINE_BYTES = 1 << 20
"""Larger files travel once, not with each job."""
LOG_LENGTH = 20
"""Messages that each connection of the scheduler remembers. Dask's default is 1000, for debugging;
a message to a worker holds a whole job with its network, so that they fill gigabytes."""
LOG_SETTING = "distributed.admin.low-level-log-length"
BIG_GRAPH = "Sending large graph"


class ClusterExecutor:
    """The workers that are connected to ``scheduler``, and those that come while jobs run.

    ``connect_s``: how long the scheduler may take to answer; ``patience_s``: how long it is waited
    while there is no worker at all.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        insecure: bool = False,
        patience_s: float = WORKERS_TIMEOUT_S,
        connect_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self._scheduler = scheduler
        self._insecure = insecure
        self._session = secrets.token_hex(8)
        self._client: Any = None
        self._pending: dict[Any, _Sent] = {}
        self._files: dict[str, Any] = {}
        self._uses: Counter[str] = Counter()
        self._unfit: dict[str, str] = {}
        self._workers: Mapping[str, str] = {}
        self._looked_s = 0.0
        self._seen_s = 0.0
        self._patience_s = patience_s
        self._connect_s = connect_s

    def __enter__(self) -> Self:
        try:
            import dask
            import distributed
            from distributed.versions import VersionMismatchWarning
        except ImportError as error:
            raise ToolMissing(
                "Dask distributed is not installed",
                argv=("distributed",),
                hint="pip install 'npubench[cluster]'",
            ) from error
        address, security = self.trusted()
        # What goes wrong is said by us, once, instead of by every part of the client.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            with dask.config.set({LOG_SETTING: LOG_LENGTH}), warnings.catch_warnings():
                # Which versions must be equal is told by us, and such a worker gets no job.
                warnings.simplefilter("ignore", VersionMismatchWarning)
                self._client = distributed.Client(
                    address,
                    security=security,
                    timeout=f"{self._connect_s}s",
                    set_as_default=False,
                )
        except (OSError, TimeoutError) as error:
            raise WorkerFailure(
                f"no Dask scheduler answers at {address}: {error}",
                hint="start one: dask scheduler --host 127.0.0.1; one that speaks TLS answers to "
                "its own certificates alone (docs/farm.md)",
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=self._patience_s)
        except TimeoutError as error:
            self._client.close()
            raise WorkerFailure(
                f"the scheduler at {address} has no worker",
                hint=f"start some: dask worker {address} --nworkers 2 --nthreads 1 (docs/farm.md)",
            ) from error
        self._seen_s = time.monotonic()
        with contextlib.suppress(Exception):  # a scheduler that remembers more works as well
            self._client.run_on_scheduler(_forgetful(LOG_SETTING, LOG_LENGTH))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if self._pending:
            with contextlib.suppress(Exception):  # the scheduler may be gone, and with it the jobs
                client.cancel(list(self._pending), force=True)
                client.run(stop, self._session, on_error="ignore")
        self._pending.clear()
        self._files.clear()
        client.close()

    def describe(self) -> str:
        return "dask"

    def map(self, work: Work, tasks: Iterable[Task]) -> Iterator[Done]:
        source = _distinct(tasks)
        again: list[_Sent] = []
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        while True:
            fit = self._fit()
            again += self._stranded(fit)
            while len(self._pending) < max(1, len(fit)) * AHEAD:
                sent = again.pop() if again else next(source, None)
                if sent is None:
                    break
                future = self._submit(work, sent, fit)
                self._pending[future] = sent
                future.add_done_callback(ended.put)
            if not self._pending:
                return
            for future, sent, answer in self._collected(ended):
                try:
                    yield self._done(future, sent, answer)
                except Refused as refusal:
                    self._unfit[refusal.worker.name] = refusal.reason
                    self._looked_s = 0.0
                    again.append(sent)
                finally:
                    self._release(sent, future)

    def _collected(self, ended: queue.SimpleQueue[Any]) -> list[tuple[Any, _Sent, bytes | None]]:
        """What has ended by now, waiting a little for the first: with its answer where it has one.
        All answers are fetched at once."""
        found: dict[Any, _Sent] = {}
        with contextlib.suppress(queue.Empty):
            future = ended.get(timeout=LOOK_EVERY_S)
            while True:
                if future in self._pending:  # else it was given to another worker
                    found[future] = self._pending.pop(future)
                future = ended.get_nowait()
        whole = [future for future in found if future.status == "finished"]
        answers: dict[Any, bytes] = {}
        if whole:
            try:
                answers = dict(zip(whole, self._client.gather(whole), strict=True))
            except Exception:  # a worker was lost after its job had ended: one by one, then
                log.debug("the answers cannot be fetched together", exc_info=True)
        return [(future, sent, answers.get(future)) for future, sent in found.items()]

    def _stranded(self, fit: Mapping[str, str]) -> list[_Sent]:
        """Jobs that only workers may do that are gone: taken back."""
        here = set(fit.values())
        lost = [
            (future, sent)
            for future, sent in self._pending.items()
            if sent.places and here and not sent.places & here
        ]
        for future, sent in lost:
            del self._pending[future]
            future.cancel()
            self._release(sent, future)
        return [sent for _, sent in lost]

    def _done(self, future: Any, sent: _Sent, answer: bytes | None) -> Done:
        """A finished future as the task's result. Raises Refused, WorkerFailure."""
        if answer is None:
            with contextlib.suppress(Exception):  # what it is, its status and error tell
                answer = future.result()
        if answer is not None:
            return done_of(sent.task, answer, attempts=sent.attempts)
        if future.status in ("cancelled", "lost"):
            raise WorkerFailure(
                f"the Dask scheduler at {self._scheduler.host}:{self._scheduler.port} is gone, or "
                "dropped the jobs",
                hint="start it again and repeat the command with --resume: what was finished is "
                "kept",
            )
        error = future.exception()
        return Done(
            task=sent.task,
            error=WorkerFailure(
                f"{sent.task.title}: {_reason(error)}",
                hint="did the workers run out of memory? Each job has killed every worker that "
                "tried it",
                remote_kind=type(error).__name__,
            ),
            attempts=sent.attempts,
        )

    def _submit(self, work: Work, sent: _Sent, fit: Mapping[str, str]) -> Any:
        task = sent.task
        sent.attempts += 1
        blobs = []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=BIG_GRAPH)
            for path in task.files.values():
                blobs.append(self._blob(path))
            sent.places = frozenset(fit.values()) if self._unfit else frozenset()
            restricted = {"workers": list(sent.places)} if sent.places else {}
            return self._client.submit(
                _perform_there,
                work,
                self._session,
                task.payload,
                dict(task.tools),
                tuple(task.files),
                *blobs,
                key=f"npubench-{self._session}-{task.key}-{sent.attempts}",
                pure=False,
                **restricted,
            )

    def _blob(self, path: Path) -> Any:
        """A file's content: with the job where it is small, else kept at the workers while it is in
        use, and made anew if a worker that held it is lost."""
        data = path.read_bytes()
        if len(data) <= INLINE_BYTES:
            return data
        sha256 = file_sha256(path)
        self._uses[sha256] += 1
        if sha256 not in self._files:
            self._files[sha256] = self._client.submit(
                _keep, data, key=f"npubench-{self._session}-file-{sha256}", pure=False
            )
        return self._files[sha256]

    def _release(self, sent: _Sent, future: Any) -> None:
        future.release()
        for path in sent.task.files.values():
            sha256 = file_sha256(path)
            if sha256 in self._files:
                self._uses[sha256] -= 1
                if self._uses[sha256] <= 0:
                    del self._uses[sha256], self._files[sha256]

    def _fit(self) -> Mapping[str, str]:
        """Name to address of the workers that may do jobs, looked up once a second. Raises
        WorkerFailure when none of them may, or when there has been none for too long."""
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return self._workers
        self._looked_s = now_s
        found = self._client.scheduler_info(n_workers=-1)["workers"]
        named = {str(facts["name"]): address for address, facts in found.items()}
        self._workers = {
            name: address for name, address in named.items() if name not in self._unfit
        }
        if named:
            self._seen_s = now_s
        if named and not self._workers:
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(self._unfit.items()))
            raise WorkerFailure(
                f"no worker may do the jobs: {reasons}",
                hint="give the workers this machine's tools, or run where theirs are "
                "(docs/farm.md)",
            )
        if now_s - self._seen_s > self._patience_s:
            raise WorkerFailure(
                f"all workers are gone, and none came for {self._patience_s:g} s",
                hint="start workers and repeat the command with --resume: what was finished is "
                "kept",
            )
        return self._workers

    def trusted(self) -> tuple[str, Any]:
        """The address and the security of the connection. Raises UsageError for one in clear over
        a network."""
        from distributed.security import Security

        place = f"{self._scheduler.host}:{self._scheduler.port}"
        security = Security()
        if security.tls_ca_file and (security.tls_client_cert or security.tls_client_key):
            return f"tls://{place}", Security(require_encryption=True)
        if not self._insecure and not self._scheduler.is_loopback:
            raise UsageError(
                f"{place} is not this machine, and no TLS certificates are configured: whoever is "
                "on the way could run code here",
                hint="configure TLS for Dask (docs/farm.md), or say --insecure on a network that "
                "you trust",
            )
        return f"tcp://{place}", None


class _Sent:
    """A task under way, how often it was given to the scheduler, and to which workers alone."""

    __slots__ = ("attempts", "places", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self.attempts = 0
        self.places: frozenset[str] = frozenset()


def _distinct(tasks: Iterable[Task]) -> Iterator[_Sent]:
    seen: set[str] = set()
    for task in tasks:
        if task.key not in seen:
            seen.add(task.key)
            yield _Sent(task)


def _forgetful(setting: str, length: int) -> Callable[[Any], None]:
    """What makes a scheduler remember less: travels by value, since npubench may be missing there.

    It names nothing of this module."""

    def forget(dask_scheduler: Any) -> None:
        from collections import deque

        import dask

        dask.config.set({setting: length})  # of workers that come later
        for comms in (dask_scheduler.stream_comms, dask_scheduler.client_comms):
            for comm in comms.values():
                comm.recent_message_log = deque(comm.recent_message_log, maxlen=length)

    return forget


def _keep(data: bytes) -> bytes:
    return data


def _perform_there(
    work: Work,
    session: str,
    payload: bytes,
    tools: Mapping[str, str],
    names: Sequence[str],
    *blobs: bytes,
) -> bytes:
    from distributed import get_worker

    worker = get_worker()
    name = str(worker.name)
    if worker.state.nthreads > 1:
        text = (
            f"it has {worker.state.nthreads} threads: a worker runs one job at a time "
            "(dask worker --nthreads 1)"
        )
        return refused_answer(name, ErrorPart(kind="Threads", message=text))
    return perform(work, session, name, payload, tools, names, *blobs)


def _reason(error: BaseException | None) -> str:
    if type(error).__name__ == "KilledWorker":
        count = getattr(error, "allowed_failures", 0) + 1
        return f"{count} workers died of it"
    return f"{type(error).__name__}: {error}"
