"""The matrix of jobs with its boards at places of a lab: one place for each board, in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from npubench.bench.energy import check_power
from npubench.bench.job import Job, Settings
from npubench.bench.matrix import Interrupted, Outcome, run_matrix
from npubench.boards import Board
from npubench.core.errors import NpubenchError, UsageError
from npubench.core.progress import Reporter
from npubench.lab.description import Description
from npubench.lab.place import ANY, held_place
from npubench.runs.store import StoredRun


def run_matrix_at(
    place: str,
    jobs: Sequence[Job],
    settings: Settings,
    *,
    lab: Description,
    runs_dir: Path,
    reporter: Reporter,
) -> Outcome:
    """Run every job on its board at ``place``, or at any free place that has it (``any``); a
    probe in the settings says which of several boards of one kind.

    A board whose place cannot be had is in the outcome's ``error``; the other boards' runs are
    kept. Raises UsageError before anything is acquired, Interrupted on Ctrl-C, with the place given
    back.
    """
    begin = time.monotonic()
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.board.id, []).append(job)
    _require_sense(place, jobs, settings, [group[0].board for group in groups.values()])
    stored: list[StoredRun] = []
    failure: NpubenchError | None = None

    def outcome() -> Outcome:
        return Outcome(
            stored=tuple(stored),
            jobs_count=len(jobs),
            duration_s=time.monotonic() - begin,
            error=failure,
        )

    for group in groups.values():
        board = group[0].board
        try:
            with held_place(
                board, place, lab=lab, reporter=reporter, probe=settings.probe_serial
            ) as held:
                here = replace(settings, desk=held.desk, probe_serial=None)
                check_power([board], here)
                found = run_matrix(group, here, runs_dir=runs_dir, reporter=reporter)
            stored += found.stored
            failure = failure or found.error
        except Interrupted as stop:
            stored += stop.outcome.stored
            raise Interrupted(outcome()) from stop
        except KeyboardInterrupt as stop:
            raise Interrupted(outcome()) from stop
        except NpubenchError as error:
            if len(groups) == 1:
                raise
            failure = failure or error
    return outcome()


def _require_sense(
    place: str, jobs: Sequence[Job], settings: Settings, boards: Sequence[Board]
) -> None:
    if place != ANY and len(boards) > 1:
        raise UsageError(
            f"the place {place} has one board, and {len(boards)} are named",
            hint=f"--place {ANY} finds a place for each",
        )
    if settings.port is not None:
        raise UsageError("a place brings its own port", hint="leave --port out")
    if settings.probe_serial is not None and len(boards) > 1:
        raise UsageError("one probe hangs on one board", hint="name one board, or leave --probe")
    if any(job.simulated for job in jobs):
        raise UsageError("a simulator runs here, not at a place")
