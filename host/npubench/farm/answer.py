"""A worker's answer as the result of a task, for every executor."""

from __future__ import annotations

from npubench.farm.task import Done, Task, Worker, WorkerFailure
from npubench.farm.worker import Header, opened


class Refused(Exception):
    """The worker will not do such jobs. ``reason`` says why, in words."""

    def __init__(self, worker: Worker, reason: str) -> None:
        super().__init__(reason)
        self.worker = worker
        self.reason = reason


def done_of(task: Task, answer: bytes, *, attempts: int) -> Done:
    """The task's result. Raises Refused when the worker must not do it."""
    try:
        header, body = opened(answer)
    except WorkerFailure as error:
        return Done(task=task, error=error, attempts=attempts)
    worker = _worker(header)
    part = header.error
    if header.status == "refused":
        raise Refused(worker, part.message if part is not None else "without a reason")
    if header.status == "done":
        return Done(task=task, worker=worker, body=body, seconds=header.seconds, attempts=attempts)
    kind, message, hint = (
        ("", "without a reason", "")
        if part is None
        else (
            part.kind,
            part.message,
            part.hint,
        )
    )
    return Done(
        task=task,
        worker=worker,
        error=WorkerFailure(
            f"{task.title} failed on {worker.name} ({worker.host}): {kind}: {message}",
            hint=hint,
            remote_kind=kind,
        ),
        seconds=header.seconds,
        attempts=attempts,
    )


def _worker(header: Header) -> Worker:
    part = header.worker
    return Worker(name=part.name, host=part.host, platform=part.platform, tools=part.tools)
