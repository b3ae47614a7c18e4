"""Text files as other people's tools and editors left them: with or without a byte order mark,
in UTF-8 or UTF-16, with either kind of line end."""

from __future__ import annotations

import codecs
from pathlib import Path

from npubench.core.errors import ResultError

LIMIT_BYTES = 1 << 30
LFS_POINTER = b"version https://git-lfs"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class AbsentError(ResultError):
    """A file is not there, or only what stands for it."""


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises AbsentError for what Git LFS left in a file's place, ResultError for
    what is no ordinary file or cannot be read."""
    try:
        if not path.is_file():
            raise ResultError(f"{path} is no ordinary file")
        if (size := path.stat().st_size) > LIMIT_BYTES:
            raise ResultError(f"{path} has {size} bytes, more than any runner writes")
        data = path.read_bytes()
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror or error}") from error
    if data.startswith(LFS_POINTER):
        raise AbsentError(f"{path.name} (a pointer of Git LFS stands in its place)")
    return data


def read_text(path: Path) -> str:
    """The text, whatever its encoding; what cannot be decoded is replaced. Raises ResultError."""
    data = read_bytes(path)
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if len(data) >= 2 and data[1] == 0 and data[0] != 0:
        return data.decode("utf-16-le", errors="replace")
    return data.decode("utf-8", errors="replace")
