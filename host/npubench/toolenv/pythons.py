"""CPythons on this machine: on PATH, from pyenv, or named; each is run before it is believed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ToolError, ToolMissing, UsageError
from npubench.core.tool import run_tool

# A name on PATH may be a shim without the Python behind it, and a distribution's Python may come
# without ensurepip.
_PROBE = """
import ctypes, ensurepip, json, platform, ssl, sys, venv, zlib
print(json.dumps([platform.python_implementation(), list(sys.version_info[:3]), sys.executable]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """A CPython that can make environments."""

    path: Path
    version: tuple[int, int, int]

    @property
    def minor(self) -> str:
        """As tools name it: ``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"


def probe(path: Path) -> Python | None:
    """Run it: None when it does not answer, is no CPython, or cannot make environments."""
    try:
        said = run_tool([path, "-I", "-c", _PROBE], timeout_s=60).stdout
        implementation, version, executable = json.loads(said)
    except (ToolError, OSError, ValueError):
        return None
    if implementation != "CPython":
        return None
    return Python(path=Path(executable), version=(version[0], version[1], version[2]))


def candidates(minor: str, environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Where a CPython of that minor version may lie, most likely first; not run yet."""
    root = Path(environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = [
        path
        for path in (root / "versions").glob(f"{minor}.*")
        if path.name.removeprefix(f"{minor}.").isdigit()
    ]
    for path in sorted(versions, key=lambda path: -int(path.name.rpartition(".")[2])):
        yield path / "bin" / "python"
    for name in (f"python{minor}", "python3", "python"):
        found = shutil.which(name, path=environ.get("PATH"))
        if found is not None:
            yield Path(found)


def choose(
    wanted: tuple[str, ...], *, named: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Python:
    """A CPython of one of the ``wanted`` minor versions, the first that answers.

    Raises UsageError when ``named`` is of another version, ToolMissing when there is none.
    """
    versions = " or ".join(wanted)
    if named is not None:
        python = probe(named)
        if python is None:
            raise UsageError(
                f"{named} is no CPython that can make environments",
                hint=f"name a CPython {versions} with venv and ensurepip",
            )
        if python.minor not in wanted:
            raise UsageError(
                f"{named} is CPython {python.minor}", hint=f"the tool wants CPython {versions}"
            )
        return python
    for minor in wanted:
        for path in candidates(minor, environ):
            python = probe(path)
            if python is not None and python.minor == minor:
                return python
    raise ToolMissing(
        f"no CPython {versions} with venv was found (PATH, pyenv)",
        hint=f"install one (`pyenv install {wanted[0]}`), or name it with --python PATH",
    )
