"""What is sent to a worker and what comes back: bytes both ways, named by content."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from npubench.core.errors import NpubenchError, ToolError

Work = Callable[[bytes, Mapping[str, bytes], threading.Event], bytes]
"""A function of a module of npubench, so that a worker finds it by its name. It takes a payload,
files by their names, and an event that is set when the work is called off; it returns bytes.

It must be pure: equal payload, files and tools give equal results in all that counts.
"""


class WorkerFailure(ToolError):
    """A worker could not do a job. ``remote_kind``: the class of the error as it was raised there.

    ``worker`` is None where the job never came back from one.
    """

    def __init__(self, message: str, *, hint: str = "", remote_kind: str = "") -> None:
        super().__init__(message, hint=hint)
        self.remote_kind = remote_kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job. ``key`` says what is to be done: jobs of equal keys are one job.

    ``files``: what the work reads beside its payload, by the names that it knows; equal contents
    travel once while they are in use. ``tools``: versions by name that the worker's must equal.
    """

    key: str
    title: str
    payload: bytes
    files: Mapping[str, Path] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who did a job. ``name`` is unique while an executor runs; ``tools`` are its versions of what
    the task named."""

    name: str
    host: str
    platform: str
    tools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A job's end: ``body`` is what the work returned, or ``error`` why there is none.

    ``seconds``: how long the work itself took, on the worker. ``attempts``: how often it was
    begun, as far as the executor knows.
    """

    task: Task
    worker: Worker | None = None
    body: bytes = b""
    error: NpubenchError | None = None
    seconds: float = 0.0
    attempts: int = 1


def key_of(*parts: bytes) -> str:
    """SHA-256 over parts, each with its length before it: no two lists of parts collide."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """The content's hash, kept while size and time of change stay the same. Raises OSError."""
    status = path.stat()
    return _hashed(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hashed(path: Path, size: int, changed_ns: int) -> str:
    del size, changed_ns
    return hashlib.sha256(path.read_bytes()).hexdigest()
