"""Progress as events: library code reports what happens, the caller decides how it is shown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened. ``job`` names the work it belongs to, e.g. ``kws on qemu-m4``.

    ``state`` is ``start``, ``done``, ``fail`` or ``note``; ``duration_s`` is set on done and fail.
    """

    job: str
    step: str
    state: str
    detail: str = ""
    duration_s: float | None = None


class Reporter(Protocol):
    """Receives events, from any thread, and must not raise."""

    def event(self, event: Event) -> None: ...


class Silent:
    """A reporter that drops everything."""

    def event(self, event: Event) -> None:
        del event


@contextmanager
def step(reporter: Reporter, job: str, name: str, detail: str = "") -> Iterator[None]:
    """Report the start and the end of a step, with its duration."""
    reporter.event(Event(job=job, step=name, state="start", detail=detail))
    begin = time.monotonic()
    try:
        yield
    except BaseException as error:
        reporter.event(
            Event(
                job=job,
                step=name,
                state="fail",
                detail=str(error),
                duration_s=time.monotonic() - begin,
            )
        )
        raise
    reporter.event(Event(job=job, step=name, state="done", duration_s=time.monotonic() - begin))
