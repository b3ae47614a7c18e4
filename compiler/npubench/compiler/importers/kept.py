"""Imports kept by content: a second use of a model costs a look at its bytes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.compiler.importers.interface import FLOAT
from npubench.core.paths import cache_root

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same source would give another result."""
MODEL, META, LOG = "model.tflite", "import.json", "converter.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A kept import: the quantized network, the float one, and what is known of its making."""

    folder: Path
    meta: dict[str, Any]

    @property
    def model(self) -> Path:
        return self.folder / MODEL

    @property
    def float_model(self) -> Path:
        return self.folder / FLOAT


def place(*parts: str) -> Path:
    """Where an import of these parts (hashes, versions, wishes) lies."""
    digest = hashlib.sha256()
    for part in (str(VERSION), *parts):
        digest.update(len(part).to_bytes(8, "little") + part.encode())
    return cache_root() / "imports" / digest.hexdigest()


def find(folder: Path) -> Kept | None:
    """A kept import that is whole and whose further files are unchanged, else None."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        model = (folder / MODEL).read_bytes()
        if hashlib.sha256(model).hexdigest() != meta["artifact_sha256"]:
            log.warning("%s is damaged and is made again", folder)
            return None
        for name, sha256 in meta["dependencies"].items():
            if hashlib.sha256(Path(name).read_bytes()).hexdigest() != sha256:
                return None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is no kept import and is made again: %s", folder, error)
        return None
    return Kept(folder=folder, meta=meta)


def keep(work: Path, folder: Path, meta: dict[str, Any]) -> Kept:
    """Move the products of ``work`` to their place in one rename."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}-{os.urandom(4).hex()}")
    fresh.mkdir()
    try:
        for name in (MODEL, FLOAT, LOG):
            if (work / name).exists():
                shutil.copyfile(work / name, fresh / name)
        (fresh / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Kept(folder=folder, meta=meta)
