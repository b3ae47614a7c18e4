"""A Dask cluster of programs as a user starts them: scheduler and workers, each its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from support.lab import program

SCHEDULER = "distributed.cli.dask_scheduler"
WORKER = "distributed.cli.dask_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """``place`` as in ``dask://PLACE``; the programs, of which a test may end each."""

    place: str
    scheduler: subprocess.Popen[str]
    workers: tuple[subprocess.Popen[str], ...]


@contextmanager
def scheduler(
    protocol: str = "tcp", *, port: int = 0, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A scheduler on the loopback while entered, and its ``HOST:PORT``."""
    words = [sys.executable, "-m", SCHEDULER, "--host", f"{protocol}://127.0.0.1",
             "--port", str(port), "--no-dashboard", "--no-show"]  # fmt: skip
    with program(words, rf"Scheduler at:\s+{protocol}://(\S+)", **_found(environment)) as started:
        found, process = started
        yield found[1], process


@contextmanager
def worker(
    address: str, *, name: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A worker of one thread while entered, registered with the scheduler. It has no nanny: ending
    the process ends the worker."""
    words = [sys.executable, "-m", WORKER, address, "--nthreads", "1", "--name", name,
             "--no-dashboard", "--no-nanny"]  # fmt: skip
    with program(words, r"Registered to:", **_found(environment)) as (_, process):
        yield process


@contextmanager
def cluster(
    count: int, protocol: str = "tcp", *, environment: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """A scheduler and ``count`` workers while entered."""
    with ExitStack() as stack:
        place, process = stack.enter_context(scheduler(protocol, environment=environment))
        workers = [
            stack.enter_context(
                worker(f"{protocol}://{place}", name=f"worker-{number}", environment=environment)
            )
            for number in range(count)
        ]
        yield Cluster(place=place, scheduler=process, workers=tuple(workers))


def _found(environment: Mapping[str, str] | None) -> dict[str, str]:
    """What we find, they find; nothing of Dask is kept between tests."""
    places = os.pathsep.join(part for part in sys.path if part)
    return {"PYTHONPATH": places, "PYTHONUNBUFFERED": "1", **(environment or {})}
