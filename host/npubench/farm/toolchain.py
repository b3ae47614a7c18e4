"""What could change a result on another machine: versions by name, looked up where they are.

A name is a Python distribution, else a program that answers ``--version``. ``npubench`` is its
version and the hash of its own sources and data: two checkouts of one version are told apart.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from npubench.core.errors import NpubenchError
from npubench.core.paths import data_root, package_root
from npubench.core.tool import run_tool
from npubench.core.version import VERSION

OWN = "npubench"
ABSENT = "absent"
_DATA = ("firmware", "boards")
ROOMS = ("bench", "build", "cycles", "emulators", "golden", "npu", "wire")
"""Rooms of the host whose code decides what a number is, beside compiler, firmware and boards."""
_HASHED = (".py", ".toml", ".c", ".h", ".S", ".ld", ".jinja", ".j2", ".json", ".ini")


def versions(names: Iterable[str]) -> dict[str, str]:
    """This machine's version of each name; ``absent`` where it is not installed."""
    return {name: _version(name) for name in names}


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    """What is not as expected, in words. What is absent where it was asked for, says nothing."""
    return tuple(
        f"{name}: {found.get(name, ABSENT)} instead of {version}"
        for name, version in sorted(expected.items())
        if version != ABSENT and found.get(name, ABSENT) != version
    )


@cache
def _version(name: str) -> str:
    if name == OWN:
        return f"{VERSION} {sources_sha256()[:16]}"
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
    if shutil.which(name) is None:
        return ABSENT
    try:
        lines = run_tool([name, "--version"], timeout_s=30).stdout.splitlines()
    except NpubenchError:
        return "unknown"
    return lines[0].strip() if lines else "unknown"


@cache
def sources_sha256() -> str:
    """Hash over names and bytes of every source of the package, the firmware and the boards: the
    same for a checkout and a wheel of it, however often a folder is on Python's path."""
    import npubench

    data = data_root()
    found = sources_of(Path(part) for part in npubench.__path__)
    for name in _DATA:
        found |= {f"{name}/{inside}": path for inside, path in sources_of([data / name]).items()}
    digest = hashlib.sha256()
    for inside, path in sorted(found.items()):
        digest.update(inside.encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def sources_of(roots: Iterable[Path]) -> dict[str, Path]:
    """Sources below folders that are one package together, by their names inside it."""
    return {
        path.relative_to(root).as_posix(): path
        for root in roots
        for path in root.rglob("*")
        if path.suffix in _HASHED and "_data" not in path.relative_to(root).parts and path.is_file()
    }


@cache
def deciding_sha256(board_id: str) -> str:
    """Hash over all code and data that decide what a number of a board is: a changed kernel makes
    new jobs, a changed report does not."""
    from npubench.compiler import analyze

    data = data_root()
    roots = [
        Path(analyze.__file__).parent,
        *(package_root() / room for room in ROOMS),
        data / "firmware",
        data / "boards" / board_id,
    ]
    digest = hashlib.sha256()
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
