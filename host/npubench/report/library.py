"""All that a report is made from: runs by network, target, board and backend, and where each has
its page."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from npubench.boards import Board, board_ids, load_board
from npubench.core.errors import NpubenchError
from npubench.report.selection import NetworkRuns, by_network
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.runs.sweeps import SweepRecord, load_sweeps

log = logging.getLogger(__name__)

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The runs of a report, oldest first. ``alike``: by network and target. ``pages``: the paths of
    pages that exist, without which nothing is linked; ``every_run``: earlier runs of a target have
    pages, too; ``sweeps``: those that lie beside the runs; ``before``: runs of an earlier state
    that these are set against."""

    runs: tuple[StoredRun, ...]
    networks: tuple[NetworkRuns, ...]
    stored: Mapping[str, StoredRun]
    latest: frozenset[str]
    alike: Mapping[tuple[str, str], tuple[StoredRun, ...]]
    pages: frozenset[str]
    every_run: bool = True
    sweeps: tuple[SweepRecord, ...] = ()
    before: tuple[StoredRun, ...] = ()

    @property
    def boards(self) -> tuple[str, ...]:
        """Boards that were run, sorted."""
        return tuple(sorted({run.record.board for run in self.runs}))

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends that were run, sorted."""
        return tuple(sorted({run.record.backend for run in self.runs}))

    def page(self, path: str) -> str:
        """The path, where there is such a page; else nothing."""
        return path if path in self.pages else ""

    def of(self, record: RunRecord) -> StoredRun:
        """The stored run of a record."""
        return self.stored[record.run_id]

    @property
    def asked(self) -> tuple[NetworkRuns, ...]:
        """The networks that were run for themselves, not as points of a sweep."""
        return tuple(
            network for network in self.networks if not all(run.sweep for run in network.runs)
        )

    def shown(self) -> Iterable[tuple[NetworkRuns, RunRecord]]:
        """The latest run of every network and target."""
        return ((network, run) for network in self.networks for run in network.runs)

    def earlier(self, record: RunRecord) -> tuple[StoredRun, ...]:
        """Other runs of the same network and target, oldest first."""
        return tuple(
            run for run in self.alike[_alike(record)] if run.record.run_id != record.run_id
        )


def library(
    runs: Sequence[StoredRun], *, every_run: bool = True, before: Sequence[StoredRun] = ()
) -> Library:
    """The library of these runs. ``every_run``: earlier runs of a target have pages as well."""
    networks = by_network(runs)
    latest = frozenset(run.run_id for network in networks for run in network.runs)
    pages = {model_page(network.name, network.network_sha256) for network in networks}
    pages |= {board_page(run.record.board) for run in runs}
    pages |= {backend_page(run.record.backend) for run in runs}
    pages |= {
        run_page(run.record.run_id) for run in runs if every_run or run.record.run_id in latest
    }
    ordered = sorted(runs, key=lambda run: (run.record.created, run.record.run_id))
    alike: dict[tuple[str, str], list[StoredRun]] = {}
    for run in ordered:
        alike.setdefault(_alike(run.record), []).append(run)
    sweeps = _sweeps(runs)
    pages |= {sweep_page(sweep.id) for sweep in sweeps}
    return Library(
        runs=tuple(ordered),
        sweeps=sweeps,
        alike={key: tuple(found) for key, found in alike.items()},
        networks=networks,
        stored={run.record.run_id: run for run in runs},
        latest=latest,
        pages=frozenset(pages),
        every_run=every_run,
        before=tuple(before),
    )


def model_page(name: str, network_sha256: str) -> str:
    """Where a network's page lies."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "network"
    return f"models/{plain}-{network_sha256[:8]}"


def run_page(run_id: str) -> str:
    """Where a run's page lies."""
    return f"runs/{_name(run_id)}"


def sweep_page(sweep_id: str) -> str:
    """Where a sweep's page lies."""
    return f"sweeps/{_name(sweep_id)}"


def board_page(board: str) -> str:
    """Where a board's page lies."""
    return f"boards/{_name(board)}"


def backend_page(backend: str) -> str:
    """Where a backend's page lies."""
    return f"backends/{_name(backend)}"


@cache
def board_of(name: str) -> Board | None:
    """The board's file, None where this installation has none of that name."""
    try:
        return load_board(name) if name in board_ids() else None
    except NpubenchError:
        return None


def _sweeps(runs: Sequence[StoredRun]) -> tuple[SweepRecord, ...]:
    """The sweeps beside these runs, of which some point is among them."""
    ids = {run.record.run_id for run in runs}
    found: list[SweepRecord] = []
    for folder in sorted({run.path.parent for run in runs if run.record.sweep}):
        try:
            found += load_sweeps(folder)
        except NpubenchError as error:
            log.warning("%s", error.message)
    return tuple(sweep for sweep in found if any(point.run_id in ids for point in sweep.points))


def _alike(record: RunRecord) -> tuple[str, str]:
    """What runs of one network and target share."""
    return record.model.network_sha256, record.target


def _name(text: str) -> str:
    """A file's name for an id: the id itself where it is harmless, else its hash."""
    if SAFE.fullmatch(text) and ".." not in text:
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
