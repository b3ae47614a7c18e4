"""On the worker: one job at a time, its tools checked first, its answer sealed with a hash."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import socket
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import NpubenchError
from npubench.core.tool import end_running_tools
from npubench.farm.task import Work, WorkerFailure
from npubench.farm.toolchain import differences, versions
from npubench.transport.process import end_running_boards

log = logging.getLogger(__name__)

TRACE_CHARS = 2000
END_EVERY_S = 0.2


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkerPart(_Part):
    """Who answers, see task.Worker."""

    name: str
    host: str
    platform: str
    tools: dict[str, str] = Field(default_factory=dict)


class ErrorPart(_Part):
    """An NpubenchError, or a bug's class and trace."""

    kind: str
    message: str
    hint: str = ""


class Header(_Part):
    """The first line of an answer. ``refused``: the worker must not do such jobs at all."""

    status: Literal["done", "failed", "refused"]
    worker: WorkerPart
    seconds: float
    sha256: str
    error: ErrorPart | None = None


class _State:
    """What this process is doing: at most one job."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.session: str | None = None
        self.who = WorkerPart(name="", host="", platform="")
        self.cancelled = threading.Event()
        self.stopped: set[str] = set()


_state = _State()


def perform(
    work: Work,
    session: str,
    worker: str,
    payload: bytes,
    tools: Mapping[str, str],
    names: Sequence[str],
    *blobs: bytes,
) -> bytes:
    """Do one job of ``session`` as ``worker`` and seal what came out: a header line, then bytes.

    Never raises for what the work did. ``names`` and ``blobs``: the job's files.
    """
    begin = time.monotonic()
    who = WorkerPart(
        name=worker,
        host=socket.gethostname(),
        platform=platform.platform(),
        tools=versions(tools),
    )
    wrong = differences(tools, who.tools)
    if wrong:
        return _sealed(
            "refused", who, begin, error=ErrorPart(kind="ToolsDiffer", message="; ".join(wrong))
        )
    with _state.lock:
        if session in _state.stopped:
            return _sealed("failed", who, begin, error=_called_off())
        if _state.session is not None:
            text = "another job runs in this process: a worker runs one job at a time"
            return _sealed("refused", who, begin, error=ErrorPart(kind="Busy", message=text))
        _state.session, _state.who = session, who
        cancelled = _state.cancelled = threading.Event()
    try:
        body = work(payload, dict(zip(names, blobs, strict=True)), cancelled)
        return _sealed("done", who, begin, body)
    except NpubenchError as error:
        part = ErrorPart(kind=error.kind, message=error.message, hint=error.hint)
        return _sealed("failed", who, begin, error=_called_off() if cancelled.is_set() else part)
    except Exception as error:  # a bug must come home as words, not as a pickle
        if cancelled.is_set():
            return _sealed("failed", who, begin, error=_called_off())
        log.exception("the work failed")
        text = f"{type(error).__name__}: {error}\n{traceback.format_exc()[-TRACE_CHARS:]}"
        return _sealed("failed", who, begin, error=ErrorPart(kind="InternalError", message=text))
    finally:
        with _state.lock:
            _state.session = None


def identity() -> WorkerPart:
    """Who does the present job, for what it records."""
    return _state.who


def stop(session: str) -> None:
    """Call off the jobs of ``session`` in this process and end what they started; returns at once.

    Jobs of other sessions go on.
    """
    with _state.lock:
        _state.stopped.add(session)
        if _state.session != session:
            return
        _state.cancelled.set()
    threading.Thread(target=_end_all, args=(session,), name="stop", daemon=True).start()


def _end_all(session: str) -> None:
    """Again and again: the job may just have been starting something."""
    waiting = threading.Event()
    while True:
        with _state.lock:
            if _state.session != session:
                return
        end_running_boards()
        end_running_tools()
        waiting.wait(END_EVERY_S)


def opened(answer: bytes) -> tuple[Header, bytes]:
    """The header and the body of an answer. Raises WorkerFailure for what is no whole answer."""
    line, newline, body = answer.partition(b"\n")
    try:
        header = Header.model_validate_json(line)
    except ValidationError as error:
        raise WorkerFailure(
            f"a worker's answer of {len(answer)} bytes cannot be read: {error.errors()[0]['msg']}",
            hint="do scheduler and workers run this version of npubench?",
        ) from error
    if not newline or hashlib.sha256(body).hexdigest() != header.sha256:
        raise WorkerFailure(
            f"the answer of worker {header.worker.name} was damaged on its way: {len(body)} bytes "
            f"are not those of its hash {header.sha256[:12]}",
            hint="run the command again",
        )
    return header, body


def refused(name: str, error: ErrorPart) -> bytes:
    """The answer of a worker that must not do any job."""
    who = WorkerPart(name=name, host=socket.gethostname(), platform=platform.platform())
    return _sealed("refused", who, time.monotonic(), error=error)


def own_name() -> str:
    """A name for this process among those of its machine."""
    return f"process {os.getpid()}"


def _called_off() -> ErrorPart:
    return ErrorPart(kind="Cancelled", message="the job was called off")


def _sealed(
    status: Literal["done", "failed", "refused"],
    who: WorkerPart,
    begin: float,
    body: bytes = b"",
    *,
    error: ErrorPart | None = None,
) -> bytes:
    header = Header(
        status=status,
        worker=who,
        seconds=round(time.monotonic() - begin, 6),
        sha256=hashlib.sha256(body).hexdigest(),
        error=error,
    )
    return header.model_dump_json().encode() + b"\n" + body
