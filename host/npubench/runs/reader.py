"""Stored runs, read back: one of them, or a folder of them."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from npubench.core.errors import NpubenchError, ResultError
from npubench.runs.older import convert
from npubench.runs.schema import SCHEMA_VERSION, RunRecord

log = logging.getLogger(__name__)

RUN_FILE = "run.json"
LATEST = ("latest", "last")
MIN_TAIL_CHARS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run and the folder that holds it."""

    path: Path
    record: RunRecord

    def document(self) -> dict[str, Any]:
        """The run as JSON values, ``run_dir`` and the verdict first."""
        return {
            "run_dir": str(self.path.resolve()),
            "valid": self.record.valid,
            "why_invalid": self.record.why_invalid,
            **self.record.model_dump(mode="json"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A folder of runs, oldest first. ``unreadable``: each broken folder, and why."""

    runs: tuple[StoredRun, ...]
    unreadable: tuple[tuple[Path, str], ...]


def read_run(path: Path) -> StoredRun:
    """Read one run folder (or its run.json).

    Raises ResultError when it is not there, not JSON, of a newer schema, or not a run record; the
    message names every mistake by its dotted key.
    """
    folder = path.parent if path.name == RUN_FILE else path
    file = folder / RUN_FILE
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ResultError(f"{folder}: not a run folder: it has no {RUN_FILE}") from None
    except OSError as error:
        raise ResultError(f"{file}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{file}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ResultError(f"{file}: not a run record")
    version = document.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ResultError(
            f"{file}: written by a newer npubench: its schema is {version}, this one reads up to "
            f"{SCHEMA_VERSION}",
            hint="update npubench to read it",
        )
    try:
        record = RunRecord.model_validate(convert(document))
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'run'}: {item['msg']}"
            for item in error.errors()[:10]
        )
        raise ResultError(f"{file}: not a run record: {mistakes}") from error
    return StoredRun(path=folder, record=record)


def list_runs(runs_dir: Path) -> Listing:
    """Every run of a folder, oldest first; a broken one is reported and does not stop the rest.

    A folder that is itself a run gives that run; one that does not exist gives none.
    """
    if (runs_dir / RUN_FILE).is_file():
        return Listing(runs=(read_run(runs_dir),), unreadable=())
    runs: list[StoredRun] = []
    unreadable: list[tuple[Path, str]] = []
    for folder in _folders(runs_dir):
        try:
            runs.append(read_run(folder))
        except NpubenchError as error:
            unreadable.append((folder, error.message))
    runs.sort(key=lambda run: run.record.run_id)
    return Listing(runs=tuple(runs), unreadable=tuple(unreadable))


def short_id(run_id: str) -> str:
    """The last part of a run's id, drawn anew for each run: short, and almost always unique."""
    return run_id.rpartition("-")[2]


def with_earlier(new: Sequence[StoredRun], runs_dir: Path) -> list[StoredRun]:
    """New runs and, before them, all that the folder held: a report never forgets."""
    ids = {run.record.run_id for run in new}
    return [*(run for run in list_runs(runs_dir).runs if run.record.run_id not in ids), *new]


def find_run(runs_dir: Path, name: str) -> StoredRun:
    """The run called ``name``: a path, an id, the start of one or of its last part that fits only
    one, or ``latest`` (``last``).

    Raises ResultError when there is none or more than one.
    """
    as_path = Path(name)
    if (as_path / RUN_FILE).is_file() or (as_path.name == RUN_FILE and as_path.is_file()):
        return read_run(as_path)
    folders = _folders(runs_dir)
    if name in LATEST:
        return _latest(runs_dir, folders)
    exact = [folder for folder in folders if folder.name == name]
    matches = exact or [folder for folder in folders if name and folder.name.startswith(name)]
    if not matches and len(name) >= MIN_TAIL_CHARS:
        matches = [folder for folder in folders if short_id(folder.name).startswith(name)]
    if len(matches) == 1:
        return read_run(matches[0])
    if matches:
        shown = ", ".join(folder.name for folder in matches[:5])
        raise ResultError(
            f"{len(matches)} runs are called {name!r}...",
            hint=f"give more of the id: {shown}{', ...' if len(matches) > 5 else ''}",
        )
    close = difflib.get_close_matches(name, [folder.name for folder in folders], n=1, cutoff=0.4)
    raise ResultError(
        f"there is no run {name!r} in {runs_dir}",
        hint=f"did you mean {close[0]}?" if close else "npubench runs list shows what is there",
    )


def _latest(runs_dir: Path, folders: list[Path]) -> StoredRun:
    for folder in reversed(folders):
        try:
            return read_run(folder)
        except NpubenchError as error:
            log.warning("%s", error.message)
    raise ResultError(f"there are no runs in {runs_dir}", hint="npubench bench kws makes one")


def _folders(runs_dir: Path) -> list[Path]:
    """The folders that should be runs, sorted by name, which is by time."""
    try:
        entries = list(runs_dir.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ResultError(f"{runs_dir}: cannot be read: {error.strerror}") from error
    return sorted(
        (entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")),
        key=lambda entry: entry.name,
    )
