"""Runs as one file: a deterministic ``.tar.gz`` with its manifest, and its hostile counterpart."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from npubench.core.errors import ResultError, UsageError
from npubench.runs.manifest import MANIFEST_FILE, check_manifest, make_manifest, read_manifest
from npubench.runs.reader import RUN_FILE, StoredRun, read_run
from npubench.runs.staging import drop_staging, make_staging, storage

SUFFIX = ".npubench.tar.gz"
MAX_FILES = 50_000
MAX_BYTES = 8 << 30
MAX_PATH_CHARS = 512
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_CHUNK_BYTES = 1 << 20


def is_archive_name(name: str) -> bool:
    """Whether a file's name is one of an archive of runs."""
    return name.endswith((".tar.gz", ".tgz"))


def export_runs(runs: Sequence[StoredRun], out: Path) -> Path:
    """Write runs into one archive, replaced only when it is whole.

    Equal runs give equal bytes: entries are sorted, without times, owners or modes of this
    machine. A run of before manifests gets one in the archive. Raises UsageError for an output that
    cannot be meant, ResultError for a run that is not what its manifest says, StorageError.
    """
    if not runs:
        raise UsageError("no run is named", hint="npubench runs list shows what is there")
    if not is_archive_name(out.name):
        raise UsageError(f"the archive {out} must end in .tar.gz", hint=f"e.g. runs{SUFFIX}")
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) != len(names):
        raise UsageError("a run is named twice")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    with storage(out):
        try:
            with part.open("wb") as file:
                _write(file, sorted(runs, key=lambda run: run.path.resolve().name))
                file.flush()
                os.fsync(file.fileno())
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    return out


def import_runs(
    archive: Path, runs_dir: Path, *, check: Callable[[StoredRun], None] | None = None
) -> tuple[StoredRun, ...]:
    """Bring the runs of an archive into ``runs_dir``: all of them, or none.

    Every entry is checked before anything is kept: plain files alone, below a run's folder, with a
    manifest that fits. ``check`` sees every run before any is kept, and raises what it does not
    want. Raises ResultError naming the entry, or a run that is there already with
    other content; the same run again is left as it is.
    """
    with storage(runs_dir):
        runs_dir.mkdir(parents=True, exist_ok=True)
        staging = make_staging(runs_dir)
    try:
        folders = unpack(archive, staging)
        fresh = []
        if check is not None:
            for folder in folders:
                check(read_run(folder))
        for folder in folders:
            target = runs_dir / folder.name
            if target.exists():
                _require_same(folder, target)
            else:
                fresh.append((folder, target))
        with storage(runs_dir):
            for folder, target in fresh:
                folder.rename(target)
    finally:
        drop_staging(staging)
    return tuple(read_run(runs_dir / folder.name) for folder in folders)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Path, ...]]:
    """The run folders that ``path`` means: itself, or those of an archive, unpacked for now."""
    if path.is_dir() or path.name == RUN_FILE:
        yield (path if path.is_dir() else path.parent,)
        return
    staging = make_staging(Path.cwd() / "runs")
    try:
        yield unpack(path, staging)
    finally:
        drop_staging(staging)


def unpack(archive: Path, into: Path) -> tuple[Path, ...]:
    """Unpack an archive below ``into`` and check every run's manifest. Raises ResultError."""
    count = total = 0
    seen: set[str] = set()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for entry in tar:
                name = _checked_name(entry, archive)
                if name in seen:
                    raise ResultError(f"{archive}: the entry {name} is there twice")
                seen.add(name)
                count, total = count + 1, total + entry.size
                if count > MAX_FILES or total > MAX_BYTES:
                    raise ResultError(
                        f"{archive}: more than {MAX_FILES} files or {MAX_BYTES >> 30} GiB"
                    )
                source = tar.extractfile(entry)
                assert source is not None
                target = into / name
                with storage(into):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("xb") as file:
                        while chunk := source.read(_CHUNK_BYTES):
                            file.write(chunk)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise ResultError(f"{archive}: not an archive of runs: {error}") from error
    except FileNotFoundError as error:
        raise ResultError(f"{archive}: there is no such file") from error
    except OSError as error:
        raise ResultError(f"{archive}: cannot be read: {error.strerror or error}") from error
    folders = tuple(sorted(into / name for name in {PurePosixPath(name).parts[0] for name in seen}))
    if not folders:
        raise ResultError(f"{archive}: there is no run in it")
    for folder in folders:
        _check_unpacked(folder, archive)
    return folders


def _check_unpacked(folder: Path, archive: Path) -> None:
    if not (folder / RUN_FILE).is_file():
        raise ResultError(f"{archive}: {folder.name} is no run: it has no {RUN_FILE}")
    manifest = read_manifest(folder)
    if manifest is None:
        raise ResultError(f"{archive}: {folder.name} has no {MANIFEST_FILE}")
    wrong = check_manifest(folder, manifest)
    if wrong:
        first = wrong[0]
        raise ResultError(
            f"{archive}: {folder.name}: {len(wrong)} files are not what its manifest says, first "
            f"{first.name}",
            hint="the archive was damaged or changed: get it again",
        )


def _checked_name(entry: tarfile.TarInfo, archive: Path) -> str:
    """The path of an entry, which must be a plain file two levels or more below the top."""
    name = entry.name
    path = PurePosixPath(name)
    plain = (
        len(path.parts) >= 2
        and not path.is_absolute()
        and ".." not in path.parts
        and len(name) <= MAX_PATH_CHARS
        and str(path) == name
        and "\\" not in name
        and not any(ord(char) < 32 for char in name)
        and _RUN_ID.fullmatch(path.parts[0]) is not None
    )
    if not entry.isreg() or not plain:
        raise ResultError(
            f"{archive}: the entry {name[:100]!r} is no plain file of a run",
            hint="nothing was imported; archives are made by npubench runs export",
        )
    return name


def _require_same(folder: Path, target: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    there = make_manifest(target, manifest.run_id) if target.is_dir() else None
    if there is None or there.files != manifest.files:
        raise ResultError(
            f"{target}: there is another run of that id already, and it is not the same",
            hint="import into an empty folder: --runs-dir DIR",
        )


def _write(file: io.BufferedWriter, runs: Sequence[StoredRun]) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for run in runs:
            folder = run.path.resolve()
            manifest = read_manifest(folder)
            if manifest is None:
                manifest = make_manifest(folder, run.record.run_id)
            wrong = check_manifest(folder, manifest)
            if wrong:
                raise ResultError(
                    f"{folder.name}: {wrong[0].name} is not what the manifest says",
                    hint=f"npubench verify {folder.name} tells more",
                )
            for name in sorted(manifest.files):
                _add(tar, f"{folder.name}/{name}", (folder / name).read_bytes())
            _add(tar, f"{folder.name}/{MANIFEST_FILE}", manifest.text().encode())


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), 0o644, 0
    tar.addfile(entry, io.BytesIO(data))
