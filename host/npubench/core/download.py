"""A file from the net: resumed where it broke off, believed only by its SHA-256."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from npubench.core.errors import StorageError, ToolError, UsageError
from npubench.core.version import VERSION

CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0
ATTEMPTS = 3
OWN = ("127.0.0.1", "localhost")
"""Hosts that may be asked without encryption: this machine."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    size_bytes: int,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Bring ``url`` to ``target``, whole or not at all; False where it was there already.

    What arrived of an earlier try lies beside it as ``.part`` and is gone on with, where the server
    allows it. ``progress`` gets the bytes that are there. Raises UsageError for an address that is
    not encrypted, ToolError when the server does not answer or sends another file, StorageError
    when the disk refuses.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in OWN):
        raise UsageError(f"{url} is not fetched: only https is", hint="name an https address")
    if target.is_file() and _sha256(target) == sha256:
        return False
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        trouble = ""
        for _ in range(ATTEMPTS):
            if part.is_file() and part.stat().st_size > size_bytes:
                part.unlink()
            try:
                _go_on(url, part, size_bytes, progress)
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code == 416:
                    part.unlink(missing_ok=True)
                if _is_disk(error):
                    raise
                trouble = str(error)
                continue
            if part.stat().st_size >= size_bytes:
                break
            trouble = f"{part.stat().st_size} of {size_bytes} bytes came"
        else:
            raise ToolError(
                f"{url} cannot be fetched: {trouble}",
                hint="try again: what came is kept and gone on with",
            )
        found = _sha256(part)
        if found != sha256:
            part.unlink()
            raise ToolError(
                f"{url} has SHA-256 {found}, expected is {sha256}: it is thrown away",
                hint="the file behind the address was changed, or the line is not to be trusted",
            )
        part.replace(target)
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error
    return True


def _go_on(url: str, part: Path, size_bytes: int, progress: Callable[[int], None] | None) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if have == size_bytes:
        return
    headers = {"User-Agent": f"npubench/{VERSION}"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        resumed = answer.status == 206
        with part.open("ab" if resumed else "wb") as file:
            total = have if resumed else 0
            while chunk := answer.read(CHUNK_BYTES):
                total += len(chunk)
                if total > size_bytes:  # more than was promised: another file
                    file.write(chunk)
                    return
                file.write(chunk)
                if progress is not None:
                    progress(total)


def _is_disk(error: Exception) -> bool:
    """An error of the file system, not of the net."""
    return isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError) or (
        isinstance(error, OSError) and error.errno in (28, 122, 30)
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
