"""The one interface of what does jobs, and the window that keeps memory flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self

from npubench.farm.task import Done, Task, Work

AHEAD = 4
"""Jobs under way for each worker: one runs, the others wait, so that no answer's way costs time.
What waits for a client in memory is at most so many results for each worker."""


class Executor(Protocol):
    """Entering starts or connects it; leaving ends what still runs there, emulators included.

    ``describe`` is short, for records: ``local:2``, ``dask``.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def describe(self) -> str:
        """What this is."""

    def map(self, work: Work, tasks: Iterable[Task]) -> Iterator[Done]:
        """Do every task and give each result once, in the order in which they end.

        Tasks are taken from the iterable when there is room for them, so that a thousand results
        never wait in memory. Of tasks with one key the first is done. A job whose worker is lost
        is given to another one. An error of the work is in its ``Done``; what ends everything (no
        worker left, the scheduler gone) is raised as WorkerFailure.
        """
