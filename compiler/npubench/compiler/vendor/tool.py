"""A vendor's compiler as an external program: found, asked for its version, run in a folder of its
own, its report read. What every adapter of a vendor's tool shares."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ToolError, ToolMissing
from npubench.core.tool import TAIL_CHARS, ToolResult, run_tool

TIMEOUT_S = 1800.0
VENDORS_OWN = ("LD_LIBRARY_PATH", "LM_LICENSE_FILE")
"""Variables that vendors' programs are often started with, beside those of every tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorTool:
    """How a vendor's program is found and asked who it is.

    ``variable`` names an environment variable with the program (or, with ``inside``, with the
    folder that holds it); else it is looked for on PATH. ``version_words`` print a version that
    ``version_pattern`` finds; without words none is asked for. ``install`` says how one gets it.
    """

    program: str
    install: str
    variable: str = ""
    inside: str = ""
    version_words: tuple[str, ...] = ("--version",)
    version_pattern: str = r"(\d+(?:\.\d+)+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTool:
    """A program that is there, and its version as it prints it."""

    path: Path
    version: str


def find_vendor_tool(tool: VendorTool, *, engine: str) -> FoundTool:
    """Find ``tool`` and its version. ``engine`` names the NPU in the message.

    Raises ToolMissing with how to get it, and the way out over the CPU.
    """
    path = locate(tool, engine=engine)
    if not tool.version_words:
        return FoundTool(path=path, version="of unknown version")
    result = run_tool([path, *tool.version_words], keep=VENDORS_OWN, timeout_s=60.0, check=False)
    match = re.search(tool.version_pattern, result.stdout + result.stderr)
    if match is None:
        raise ToolError(
            f"{path.name} does not say its version",
            argv=result.argv,
            code=result.code,
            tail=(result.stdout + result.stderr)[-TAIL_CHARS:],
            hint=f"is it {engine}'s compiler? {tool.install}",
        )
    return FoundTool(path=path, version=match[1])


def locate(tool: VendorTool, *, engine: str) -> Path:
    """The program's path. Raises ToolMissing."""
    named = os.environ.get(tool.variable, "") if tool.variable else ""
    if named:
        path = Path(named) / tool.inside if tool.inside else Path(named)
        if path.is_file():
            return path.resolve()
        raise ToolMissing(
            f"{tool.variable} is {named}, but there is no {path}",
            argv=(tool.program,),
            hint=tool.install,
        )
    found = None if tool.inside else shutil.which(tool.program)
    if found is None:
        where = f"{tool.variable} is not set" if tool.inside else f"{tool.program} is not installed"
        raise ToolMissing(
            f"{engine} needs its vendor's compiler: {where}",
            argv=(tool.program,),
            hint=f"{tool.install}; or run on the CPU: --backend cpu",
        )
    return Path(found)


@contextmanager
def own_folder(name: str) -> Iterator[Path]:
    """A folder for one run of a tool, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"npubench-{name}-") as folder:
        yield Path(folder).resolve()


def run_vendor_tool(
    argv: Sequence[str | os.PathLike[str]],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    name: str = "",
) -> ToolResult:
    """Run to the end. Raises ToolError with the tool's last words; ``name`` is the tool's, where
    its program is an interpreter."""
    result = run_tool(
        argv,
        cwd=folder,
        env=env,
        keep=VENDORS_OWN,
        timeout_s=TIMEOUT_S,
        check=False,
    )
    if result.code != 0:
        tail = (result.stdout + result.stderr)[-TAIL_CHARS:]
        last = next((line for line in reversed(tail.splitlines()) if line.strip()), "no message")
        title = name or Path(result.argv[0]).name
        raise ToolError(
            f"{title} ended with exit code {result.code}: {last.strip()[:200]}",
            argv=result.argv,
            code=result.code,
            tail=tail,
            hint="compile for the CPU: --backend cpu",
        )
    return result
