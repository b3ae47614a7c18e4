"""``manifest.json``: the hash of every file of a run, and the one hash that stands for them all.

The manifest's own SHA-256 is what is cited: whoever has it can tell whether a folder is the one
that was meant, whatever was rewritten in it since.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ResultError

MANIFEST_FILE = "manifest.json"
CHUNK_BYTES = 1 << 20


class FileEntry(BaseModel):
    """One file: its SHA-256 and its size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Manifest(BaseModel):
    """Every file of the folder but the manifest, by its path with slashes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    run_id: str
    files: dict[str, FileEntry]

    def text(self) -> str:
        """The file's text; equal folders give equal bytes."""
        document = self.model_dump(mode="json")
        document["files"] = dict(sorted(document["files"].items()))
        return json.dumps(document, indent=1) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """One file that is not what the manifest says; None where it is not there."""

    name: str
    expected: str | None
    found: str | None


def make_manifest(folder: Path, run_id: str) -> Manifest:
    """The manifest of a folder as it lies there. Raises OSError, ResultError for a link in it."""
    return Manifest(run_id=run_id, files=_entries(folder))


def read_manifest(folder: Path) -> Manifest | None:
    """A folder's manifest; None when it has none (runs of before). Raises ResultError."""
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ResultError(f"{path}: not a manifest: {error.errors()[0]['msg']}") from error


def manifest_sha256(folder: Path) -> str | None:
    """The hash that stands for the folder, None when it has no manifest."""
    path = folder / MANIFEST_FILE
    return _sha256(path) if path.is_file() else None


def check_manifest(folder: Path, manifest: Manifest) -> tuple[FileCheck, ...]:
    """Every file that is missing, too much, or another one. Raises ResultError, OSError."""
    found = _entries(folder)
    wrong = []
    for name in sorted({*manifest.files, *found}):
        expected, is_there = manifest.files.get(name), found.get(name)
        if expected != is_there:
            wrong.append(
                FileCheck(
                    name=name,
                    expected=None if expected is None else expected.sha256,
                    found=None if is_there is None else is_there.sha256,
                )
            )
    return tuple(wrong)


def _entries(folder: Path) -> dict[str, FileEntry]:
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise ResultError(f"{path}: a run holds no links")
        if path.is_file() and name != MANIFEST_FILE:
            entries[name] = FileEntry(sha256=_sha256(path), bytes=path.stat().st_size)
    return entries


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
