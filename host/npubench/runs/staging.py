"""Folders that are not runs yet: beside the runs folder, never in it, and swept when abandoned."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npubench.core.errors import StorageError

_HINTS = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder with --runs-dir",
    errno.EDQUOT: "your disk quota is used up: free some space or choose another folder",
    errno.EROFS: "the file system is read-only: choose another folder with --runs-dir",
    errno.EACCES: "you may not write there: choose another folder with --runs-dir",
    errno.EPERM: "you may not write there: choose another folder with --runs-dir",
    errno.ENOTDIR: "a part of that path is a file: choose another folder with --runs-dir",
    errno.EEXIST: "that name is taken: choose another folder with --runs-dir",
}
_own: set[Path] = set()
_own_lock = threading.Lock()


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn an OSError of writing below ``path`` into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path) -> StorageError:
    """The StorageError for a failed write below ``path``."""
    return StorageError(
        f"{error.filename or path}: cannot be written: {error.strerror or error}",
        hint=_HINTS.get(error.errno or 0, "check the disk, or choose another folder"),
    )


def make_staging(runs_dir: Path) -> Path:
    """A new, empty folder on the side of ``runs_dir``, after sweeping what dead processes left.

    It is a hidden sibling of the runs folder, so that moving it in is one rename; where the parent
    cannot be written (the runs folder is a mount of its own) it lies in the system's temporary
    folder instead.
    """
    runs_dir = runs_dir.absolute()
    parent, stem = runs_dir.parent, f".{runs_dir.name}"
    if not os.access(parent, os.W_OK | os.X_OK):
        parent = Path(tempfile.gettempdir())
        stem = f".npubench-{hashlib.sha256(os.fsencode(runs_dir)).hexdigest()[:12]}"
    _sweep(parent, stem)
    folder = parent / f"{stem}.partial-{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
    with _own_lock:
        _own.add(folder)
    folder.mkdir(mode=0o755)
    return folder


def drop_staging(folder: Path) -> None:
    """Remove a staging folder, if it is still there."""
    shutil.rmtree(folder, ignore_errors=True)
    with _own_lock:
        _own.discard(folder)


def _host() -> str:
    """This machine's name as a word; process ids mean nothing on another machine."""
    return re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:40] or "host"


def _sweep(parent: Path, stem: str) -> None:
    """Remove staging folders of this machine whose process is gone."""
    pattern = re.compile(rf"{re.escape(stem)}\.partial-{_host()}-(\d+)-[0-9a-f]{{8}}")
    try:
        entries = list(parent.iterdir())
    except OSError:
        return
    for entry in entries:
        match = pattern.fullmatch(entry.name)
        if match is None:
            continue
        pid = int(match.group(1))
        with _own_lock:
            mine = entry in _own
        if not mine and (pid == os.getpid() or not _alive(pid)):
            shutil.rmtree(entry, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
