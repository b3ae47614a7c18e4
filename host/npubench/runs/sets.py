"""What a name on the command line means: one run, a folder of runs, or an archive of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from npubench.core.errors import ResultError
from npubench.runs.archive import is_archive_name, opened
from npubench.runs.cite import Citation, cite
from npubench.runs.gate import Gate, gate_runs, gate_sets
from npubench.runs.history import History, history
from npubench.runs.policy import Policy
from npubench.runs.reader import RUN_FILE
from npubench.runs.store import StoredRun, find_run, list_runs, read_run


@contextmanager
def named_runs(name: str, runs_dir: Path) -> Iterator[tuple[Sequence[StoredRun], bool]]:
    """The runs that ``name`` means, and whether it names a set of them. An archive is unpacked for
    as long as the context lasts. Raises ResultError."""
    path = Path(name)
    if is_archive_name(name) and path.is_file():
        with opened(path) as folders:
            yield tuple(read_run(folder) for folder in folders), True
        return
    if path.is_dir() and not (path / RUN_FILE).is_file():
        listing = list_runs(path)
        if listing.unreadable:
            where, why = listing.unreadable[0]
            raise ResultError(f"{where}: cannot be read: {why}")
        yield listing.runs, True
        return
    yield (find_run(runs_dir, name),), False


def gate_named(before: str, after: str, runs_dir: Path, policy: Policy) -> Gate:
    """The gate of two names; two single runs need only be of one network."""
    with ExitStack() as stack:
        old, many_old = stack.enter_context(named_runs(before, runs_dir))
        new, many_new = stack.enter_context(named_runs(after, runs_dir))
        if many_old or many_new:
            return gate_sets(old, new, policy)
        return gate_runs(old[0], new[0], policy)


def history_named(name: str, metric: str) -> History:
    """The history of a metric over the runs that ``name`` means. Raises ResultError."""
    with named_runs(name, Path(name)) as (runs, _):
        return history(runs, metric)


def citations_named(name: str, runs_dir: Path, metric: str) -> tuple[Citation, ...]:
    """The citation of a run, or of every run of a set that has the metric. Raises ResultError."""
    with named_runs(name, runs_dir) as (runs, many):
        if not many:
            return (cite(runs[0], metric),)
        found = []
        for run in runs:
            try:
                found.append(cite(run, metric))
            except ResultError:
                continue
    if not found:
        raise ResultError(f"none of {len(runs)} runs has {metric} to cite")
    return tuple(found)
