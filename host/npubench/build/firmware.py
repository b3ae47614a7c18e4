"""From an emitted project to a firmware image, at most once per project and tool chain."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from npubench.boards import Board
from npubench.build.compiler import compiler_version, find_clang, find_compiler
from npubench.build.failure import build_failure
from npubench.build.image import check_image
from npubench.build.platformio import run_platformio, tool_versions
from npubench.build.replay import build_by_replay, is_replaying
from npubench.compiler.emit.project import MANIFEST, Project, write_project
from npubench.core.errors import ConfigError, StorageError, ToolError, ToolMissing
from npubench.core.paths import cache_root
from npubench.core.progress import Event, Reporter

CACHE_FORMAT = 1
JOBS = 2
TIMEOUT_S = 600.0
ENGINE_TIMEOUT_S = 3600.0
"""A user's own engine is large: minutes of C++ at its first build."""
_RECORD = "build.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """A built image. ``elf``, ``map`` and ``project_dir`` lie in the cache: read them only.

    ``tools``: name to version of what built it. ``flags``: the board's compiler flags.
    ``cached``: nothing had to be built.
    """

    elf: Path
    map: Path
    project_dir: Path
    elf_sha256: str
    project_sha256: str
    tools: dict[str, str]
    flags: tuple[str, ...]
    cached: bool


def build_firmware(
    project: Project, board: Board, *, reporter: Reporter, job: str, cache: Path | None = None
) -> Firmware:
    """Build a project, or take its image from the cache (``cache`` in place of the usual one).

    Safe for threads and processes that build the same project at the same time: one builds, the
    others wait for it. Raises what ``require_port`` raises, ToolMissing (compiler, PlatformIO),
    DoesNotFit, ToolError with the first error lines, StorageError.
    """
    require_port(board)
    compiler = find_compiler(board)
    tools = {**tool_versions(), compiler.name: compiler_version(compiler)}
    if project.toolchain == "clang":
        tools["clang"] = compiler_version(find_clang())
    tools |= project.sources
    key = _key(project, tools)
    cache = cache if cache is not None else cache_root()
    root = cache / "firmware"
    folder = root / key
    found = _load(folder, board, project)
    if found is not None:
        reporter.event(Event(job=job, step="build", state="note", detail="image from the cache"))
        return found
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f"{key}.lock"):
            found = _load(folder, board, project)
            if found is not None:
                return found
            _build(project, board, cache, folder, tools)
    except OSError as error:
        raise StorageError(
            f"cannot write the build to {root}: {error.strerror}",
            hint="free some space, or set NPUBENCH_CACHE to a folder that can be written",
        ) from error
    built = _load(folder, board, project)
    if built is None:
        raise ToolError(f"the build in {folder} vanished", hint="run the command again")
    return Firmware(
        elf=built.elf,
        map=built.map,
        project_dir=built.project_dir,
        elf_sha256=built.elf_sha256,
        project_sha256=built.project_sha256,
        tools=built.tools,
        flags=built.flags,
        cached=False,
    )


def require_port(board: Board, *, project: Path | None = None) -> None:
    """Raise ConfigError, or ToolMissing where it is a vendor's tool, when something keeps images
    from being built for a board: the first line of its ``status.missing``. ``project``: where the
    rest has been written."""
    if not board.status.missing:
        return
    what = f"{board.id} cannot be built yet: {board.status.missing[0]}"
    hint = f"npubench boards show {board.id}; build MODEL --board {board.id} -o DIR emits the rest"
    if project is not None:
        hint = f"the project is in {project}; what else is known: npubench boards show {board.id}"
    if board.status.cpu == "needs-vendor-tool":
        raise ToolMissing(what, hint=hint)
    raise ConfigError(what, hint=hint)


def _build(
    project: Project, board: Board, cache: Path, folder: Path, tools: dict[str, str]
) -> None:
    """Build in a folder of its own and move the result to ``folder`` in one step."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as scratch:
        source = Path(scratch) / "project"
        write_project(project, source)
        result = (
            build_by_replay(project, board, source, cache, tools) if is_replaying() else None
        ) or run_platformio(
            ["run", "--jobs", str(JOBS)],
            project=source,
            extra_env={"NPUBENCH_BUILD_CACHE": str(cache / "objects")},
            check=False,
            timeout_s=ENGINE_TIMEOUT_S if project.sources else TIMEOUT_S,
        )
        output = source / ".pio" / "build" / board.id
        elf = output / "firmware.elf"
        if result.code != 0:
            raise build_failure(result, board)
        if not elf.is_file():
            raise ToolError(
                "PlatformIO reported success, but there is no image",
                argv=result.argv,
                tail=(result.stdout + result.stderr)[-2000:],
            )
        check_image(elf, board, engine=bool(project.sources))
        done = Path(scratch) / "done"
        done.mkdir()
        for name in ("firmware.elf", "firmware.map", "firmware.bin", "firmware.hex"):
            if (output / name).is_file():
                (output / name).rename(done / name)
        shutil.rmtree(source / ".pio")
        source.rename(done / "project")
        record = {
            "elf_sha256": hashlib.sha256((done / "firmware.elf").read_bytes()).hexdigest(),
            "project_sha256": project.sha256,
            "tools": tools,
        }
        (done / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        done.rename(folder)


def _load(folder: Path, board: Board, project: Project) -> Firmware | None:
    """The image in ``folder``, or None when there is none or it is not whole."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        elf = folder / "firmware.elf"
        whole = hashlib.sha256(elf.read_bytes()).hexdigest() == record["elf_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    parts = (folder / "firmware.map", folder / "project" / MANIFEST)
    if not whole or not all(part.is_file() for part in parts):
        return None
    return Firmware(
        elf=elf,
        map=folder / "firmware.map",
        project_dir=folder / "project",
        elf_sha256=record["elf_sha256"],
        project_sha256=project.sha256,
        tools=dict(record["tools"]),
        flags=board.cpu.flags,
        cached=True,
    )


def _key(project: Project, tools: dict[str, str]) -> str:
    words = [str(CACHE_FORMAT), project.sha256, os.environ.get("NPUBENCH_WERROR", "")]
    words += [f"{name}={version}" for name, version in sorted(tools.items())]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system drops it if the process dies."""
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
