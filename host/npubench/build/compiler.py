"""The board's C compiler: is it there, and which one is it."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

from npubench.boards import Board
from npubench.core.errors import ToolMissing
from npubench.core.tool import find_tool, run_tool


def find_compiler(board: Board) -> Path:
    """The compiler's path. Raises ToolMissing naming the Debian packages of the tool chain."""
    prefix = board.toolchain.prefix
    for program in ("gcc", "objcopy", "size", "ld"):
        found = find_tool(f"{prefix}{program}", package=board.toolchain.package)
        if program == "gcc":
            compiler = found
    if not _has_libc(os.fspath(compiler), board.cpu.flags):
        raise ToolMissing(
            f"{compiler.name} has no C library",
            argv=(compiler.name,),
            hint=f"install it: apt-get install {board.toolchain.package}",
        )
    return compiler


CLANGS = ("clang", *(f"clang-{number}" for number in range(30, 13, -1)))
"""Names that Debian gives it; the first on PATH is taken, by the build too."""


def find_clang() -> Path:
    """Clang's path. Raises ToolMissing."""
    found = next((path for path in map(shutil.which, CLANGS) if path is not None), None)
    if found is None:
        raise ToolMissing(
            "clang is not installed",
            argv=("clang",),
            hint="install it: apt-get install clang; or leave toolchain=clang out",
        )
    return Path(found)


def compiler_version(compiler: Path) -> str:
    """First line of ``--version``, e.g. ``arm-none-eabi-gcc (...) 12.2.1 20221205``."""
    return _version(os.fspath(compiler))


@cache
def _version(compiler: str) -> str:
    lines = run_tool([compiler, "--version"], timeout_s=30).stdout.splitlines()
    return lines[0].strip() if lines else "unknown"


@cache
def _has_libc(compiler: str, flags: tuple[str, ...]) -> bool:
    """The compiler prints a path for a library that it finds, and the bare name for another. A
    library that comes by ``-specs=NAME`` (picolibc) is there when that file is."""
    specs = [flag.removeprefix("-specs=") for flag in flags if flag.startswith("-specs=")]
    name = specs[0] if specs else "libc.a"
    found = run_tool([compiler, f"-print-file-name={name}"], timeout_s=30).stdout.strip()
    return Path(found).is_absolute()
