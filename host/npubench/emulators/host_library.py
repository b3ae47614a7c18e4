"""C sources of ours for the host, built with its compiler on first use and kept by content."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from npubench.core.errors import ToolMissing
from npubench.core.paths import cache_root
from npubench.core.tool import run_tool

FOLDER = "board-model"


def host_library(source: Path, headers: Sequence[Path], *, what: str) -> Path:
    """The shared library made of ``source``, which includes ``headers`` by their names. ``what``
    needs it, in an error's words. Raises ToolMissing without a C compiler."""
    content = b"".join(path.read_bytes() for path in (source, *headers))
    folder = cache_root() / FOLDER
    library = folder / f"{source.stem}-{hashlib.sha256(content).hexdigest()[:16]}.so"
    if library.is_file():
        return library
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise ToolMissing(
            f"{what} needs the host's C compiler once", hint="install it: apt-get install gcc"
        )
    folder.mkdir(parents=True, exist_ok=True)
    flags = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-shared", "-fPIC")
    places = [f"-I{folder}" for folder in dict.fromkeys(path.parent for path in headers)]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / library.name
        run_tool([compiler, *flags, *places, "-o", made, source])
        made.replace(library)
    return library
