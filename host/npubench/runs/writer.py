"""A run on its way to disk: staged aside, made durable, then moved in as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from npubench.core.errors import StorageError
from npubench.core.progress import Event
from npubench.runs.manifest import MANIFEST_FILE, make_manifest
from npubench.runs.reader import RUN_FILE, StoredRun
from npubench.runs.samples import FILE_NAME as SAMPLES_FILE
from npubench.runs.samples import make_samples, write_samples
from npubench.runs.schema import RunRecord, unknown_fields
from npubench.runs.staging import drop_staging, make_staging, storage, storage_error
from npubench.target import Target

_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


def new_run_id(model: str, target: Target, *, now: datetime | None = None) -> str:
    """A readable id that sorts by time, e.g. ``20261125T015515Z-kws-qemu-m4-cpu-9f31c2``."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    words = f"{_word(model, 40)}-{_word(str(target), 80)}"
    return f"{moment:%Y%m%dT%H%M%SZ}-{words}-{secrets.token_hex(3)}"


def _word(text: str, limit: int) -> str:
    """Text as part of a folder's name: lower-case letters, digits and dashes, so many at most."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:limit].strip("-") or "x"


def check_runs_dir(runs_dir: Path) -> None:
    """Make the runs folder and see that a run could be kept there, before any work is done.

    Raises StorageError with what to do about it.
    """
    with storage(runs_dir):
        runs_dir.mkdir(parents=True, exist_ok=True)
        drop_staging(make_staging(runs_dir))
    if not os.access(runs_dir, os.W_OK | os.X_OK):
        read_only = os.statvfs(runs_dir).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise storage_error(OSError(number, os.strerror(number)), runs_dir)


class RunWriter:
    """Collects a run's files and publishes them as ``<runs_dir>/<run_id>`` in one rename.

    Leaving the context without ``finish`` (an error, a Ctrl-C) removes everything; what a killed
    process leaves is swept by the next one. Names are relative to the run folder.
    Every method raises StorageError when the disk refuses.
    """

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", run_id):
            raise ValueError(f"{run_id!r} is no run id")
        self.runs_dir = runs_dir
        self.run_id = run_id
        self._folder: Path | None = None

    def __enter__(self) -> RunWriter:
        with storage(self.runs_dir):
            self.runs_dir.mkdir(parents=True, exist_ok=True)
            self._folder = make_staging(self.runs_dir)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        if self._folder is not None:
            drop_staging(self._folder)
            self._folder = None
        if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
            raise storage_error(error, self.runs_dir) from error

    @property
    def folder(self) -> Path:
        """The staging folder, while the run is being written."""
        if self._folder is None:
            raise RuntimeError("a RunWriter is used as a context manager, and until finish()")
        return self._folder

    def add_bytes(self, name: str, data: bytes) -> None:
        """Keep ``data`` as file ``name``."""
        with storage(self.runs_dir):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def add_file(self, name: str, source: Path) -> None:
        """Keep a copy of the file ``source`` as ``name``."""
        with storage(self.runs_dir):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)

    def add_tree(self, name: str, source: Path) -> None:
        """Keep a copy of the folder ``source`` as ``name``, without build products (``.pio``)."""
        with storage(self.runs_dir):
            shutil.copytree(
                source,
                self.folder / name,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns(".pio", "__pycache__"),
            )

    def open(self, name: str) -> BinaryIO:
        """A file of the run, open for writing; the caller closes it before ``finish``."""
        with storage(self.runs_dir):
            return (self.folder / name).open("wb")

    def finish(
        self,
        record: RunRecord,
        *,
        samples: Mapping[str, Sequence[int]] | None = None,
        raw_counts: Mapping[str, Sequence[int]] | None = None,
        events: Sequence[Event] = (),
    ) -> StoredRun:
        """Write the record and its companions, make all durable and publish the folder.

        ``samples``: per stage the net counts of every repetition; ``raw_counts``: the same as the
        device sent them. ``record.artifacts`` is filled in with the folder's files.
        """
        if record.run_id != self.run_id:
            raise ValueError(f"the record is of {record.run_id}, the folder of {self.run_id}")
        if unknown := unknown_fields(record):
            raise ValueError(f"no schema describes {', '.join(unknown)}")
        target = self.runs_dir / self.run_id
        try:
            with storage(self.runs_dir):
                self._write_companions(record, samples or {}, raw_counts or {}, events)
                record = record.model_copy(update={"artifacts": self._artifacts()})
                document = record.model_dump(mode="json")
                self._write_text(RUN_FILE, _json(document))
                manifest = make_manifest(self.folder, self.run_id)
                self._write_text(MANIFEST_FILE, manifest.text())
                self._sync()
                self._publish(target)
        except ImportError as error:
            raise StorageError(
                f"the samples cannot be stored: {error}", hint="install npubench with pyarrow"
            ) from error
        drop_staging(self.folder)
        self._folder = None
        return StoredRun(path=target, record=record)

    def _write_companions(
        self,
        record: RunRecord,
        samples: Mapping[str, Sequence[int]],
        raw_counts: Mapping[str, Sequence[int]],
        events: Sequence[Event],
    ) -> None:
        rows = make_samples(record, samples, raw_counts)
        if rows:
            write_samples(self.folder / SAMPLES_FILE, rows)
        if record.memory is not None:
            self._write_text("memory.json", _json(record.memory.model_dump(mode="json")))
        if events:
            lines = "".join(json.dumps(asdict(event)) + "\n" for event in events)
            self._write_text("events.jsonl", lines)

    def _write_text(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def _artifacts(self) -> tuple[str, ...]:
        """The folder's own children, folders with a slash, sorted; what is written last, too."""
        names = {entry.name + ("/" if entry.is_dir() else "") for entry in self.folder.iterdir()}
        return tuple(sorted(names | {RUN_FILE, MANIFEST_FILE}))

    def _sync(self) -> None:
        """Bring the run's own files to the disk; the project can be emitted again and is not
        waited for."""
        for entry in self.folder.iterdir():
            if entry.is_file():
                _fsync(entry)
        _fsync(self.folder)

    def _publish(self, target: Path) -> None:
        if target.exists():
            raise FileExistsError(errno.EEXIST, "File exists", str(target))
        try:
            os.rename(self.folder, target)  # noqa: PTH104 (its errno is wanted)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._copy_across(target)
        _fsync(self.runs_dir)

    def _copy_across(self, target: Path) -> None:
        """Publish onto another file system. ``run.json`` comes last: without it a folder is
        broken to every reader, not a run."""
        try:
            shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns(RUN_FILE))
            shutil.copyfile(self.folder / RUN_FILE, target / RUN_FILE)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        _fsync(target / RUN_FILE)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
