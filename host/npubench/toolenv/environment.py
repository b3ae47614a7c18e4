"""A tool's environment: made on demand from its lock, looked at, checked, used through processes.

It lies in the cache, `tools/<id>`, and counts only when its mark stands in it, which is written
last: what was interrupted is made anew. Nothing here is ever installed by the way.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import StorageError, ToolError, ToolMissing
from npubench.core.paths import cache_root
from npubench.core.progress import Event, Reporter, Silent, step
from npubench.core.tool import ToolResult, run_tool
from npubench.toolenv.catalog import Tool, find, this_platform, tools
from npubench.toolenv.pythons import Python, choose

MARK = "npubench-tool.json"
INSTALL_TIMEOUT_S = 3600.0
CHECK_TIMEOUT_S = 600.0

READY, MISSING, STALE, INCOMPLETE, NOT_HERE = (
    "ready",
    "not set up",
    "out of date",
    "interrupted",
    "not for this machine",
)
"""Status of an environment. Out of date: its lock changed since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a tool stands on this machine. ``version`` and ``mb`` are those of the environment when
    it is ready (megabytes on disk), else None and the expected megabytes."""

    id: str
    title: str
    purpose: str
    status: str
    version: str | None
    python: str | None
    path: Path
    mb: int
    licence: str
    hint: str

    def document(self) -> dict[str, object]:
        """As JSON values."""
        names = ("id", "status", "version", "python", "mb", "licence", "title", "purpose", "hint")
        return {name: getattr(self, name) for name in names} | {"path": str(self.path)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A tool that is set up. Its processes see nothing of our own Python's settings."""

    tool: Tool
    folder: Path
    version: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return _bin(self.folder) / "python"

    def program(self, name: str) -> Path:
        """A console program that the environment brings."""
        return _bin(self.folder) / name

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment variables of its processes: ours without Python's, its own, ``more``.
        Hashes are fixed: what a tool writes in the order of a set is written alike each time."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        path = os.pathsep.join([str(_bin(self.folder)), kept.get("PATH", "")])
        return {
            **kept,
            "PATH": path,
            "VIRTUAL_ENV": str(self.folder),
            "PYTHONHASHSEED": "0",
            **self.tool.file.variables,
        } | (dict(more) if more else {})

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path,
        timeout_s: float = 600.0,
        check: bool = True,
        variables: Mapping[str, str] | None = None,
        heard: Callable[[str], None] | None = None,
    ) -> ToolResult:
        """Run a program in ``cwd`` with this environment's variables; see run_tool."""
        return run_tool(
            argv,
            cwd=cwd,
            env=self.variables(variables),
            timeout_s=timeout_s,
            check=check,
            heard=heard,
        )

    def script(
        self,
        script: Path,
        *arguments: str | os.PathLike[str],
        cwd: Path,
        timeout_s: float = 600.0,
        heard: Callable[[str], None] | None = None,
    ) -> ToolResult:
        """Run a Python file of ours in it. The file imports nothing of npubench."""
        return self.run(
            [self.python, script, *arguments], cwd=cwd, timeout_s=timeout_s, heard=heard
        )


def states() -> tuple[State, ...]:
    """Every tool as it stands here. Looks at files only."""
    return tuple(state(tool) for tool in tools())


def state(tool: Tool) -> State:
    """How one tool stands here."""
    mark = _mark(tool)
    if mark is not None and mark["lock_sha256"] == tool.lock_sha256:
        status, hint = READY, ""
    elif not tool.runs_here:
        status = NOT_HERE
        hint = f"tried on {', '.join(tool.file.platforms)} alone; this is {this_platform()}"
    else:
        there = _folder(tool).exists()
        status = MISSING if not there else INCOMPLETE if mark is None else STALE
        hint = f"npubench tools setup {tool.id} ({tool.cost})"
    ready = mark if status == READY else None
    return State(
        id=tool.id,
        title=tool.file.title,
        purpose=tool.file.purpose,
        status=status,
        version=None if ready is None else str(ready["version"]),
        python=None if ready is None else str(ready["python"]),
        path=_folder(tool),
        mb=tool.file.disk_mb if ready is None else int(str(ready["mb"])),
        licence=tool.file.licence,
        hint=hint,
    )


def environment(tool_id: str) -> Environment:
    """A tool that is set up, for use. Raises ToolMissing, with the command and its cost."""
    tool = find(tool_id)
    found = state(tool)
    if found.status != READY or found.version is None:
        raise ToolMissing(
            f"{tool.file.title} is {found.status}; it {tool.file.purpose}", hint=found.hint
        )
    return Environment(tool=tool, folder=found.path, version=found.version)


def setup(tool_id: str, *, python: Path | None = None, reporter: Reporter | None = None) -> State:
    """Make a tool's environment from its lock, unless it is ready, and check it with its tiny job.
    What that costs is the first event that the reporter gets.

    Raises ToolMissing (no CPython that fits, or not this kind of machine) and ToolError
    (installation or check failed), StorageError where the disk has too little room. On Ctrl-C
    nothing is left of it.
    """
    tool = find(tool_id)
    reporter = reporter or Silent()
    if not tool.runs_here:
        raise ToolMissing(
            f"{tool.file.title} cannot be set up on {this_platform()}", hint=state(tool).hint
        )
    with _alone(tool, reporter):
        if state(tool).status == READY and python is None:
            return state(tool)
        base = choose(tool.file.python, named=python)
        folder = _folder(tool)
        _need_room(tool, folder)
        reporter.event(Event(job=tool.id, step="cost", state="note", detail=tool.cost))
        try:
            with step(reporter, tool.id, f"make an environment with CPython {base.minor}"):
                _make(base, folder)
            with step(reporter, tool.id, "install"):
                _install(tool, folder)
            with step(reporter, tool.id, "check"):
                version = _try(tool, folder)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _write_mark(tool, folder, base, version)
    return state(tool)


def check(tool_id: str) -> State:
    """Run a tool's tiny job in its environment.

    Raises ToolMissing when it is not set up, ToolError when the job fails.
    """
    found = environment(tool_id)
    _try(found.tool, found.folder)
    return state(found.tool)


def _need_room(tool: Tool, folder: Path) -> None:
    """Refuse a disk that cannot hold the environment; what is there of it counts as room."""
    there = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    free_mb = (shutil.disk_usage(folder.parent).free + there) // 10**6
    if free_mb < tool.file.disk_mb:
        raise StorageError(
            f"{tool.file.title} takes {tool.file.disk_mb} MB on disk, and {folder.parent} has "
            f"{free_mb} MB free",
            hint="make room, or name another folder: NPUBENCH_CACHE",
        )


def _make(base: Python, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run_tool([base.path, "-I", "-m", "venv", folder], env=_plain(), timeout_s=300)


def _install(tool: Tool, folder: Path) -> None:
    command: list[str | os.PathLike[str]] = [
        *(_bin(folder) / "python", "-I", "-m", "pip", "--disable-pip-version-check", "--no-input"),
        *("install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
        *("--requirement", tool.lock),
    ]
    try:
        _pip(tool, command)
    except ToolError:
        if not tool.file.index:
            raise
        _pip(tool, [*command, "--extra-index-url", tool.file.index])
    site = _site_packages(folder)
    for pattern in tool.file.remove:
        for path in sorted(site.glob(pattern)):
            path.unlink()
    for name, text in tool.file.stubs.items():
        package = site.joinpath(*name.split("."))
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(text, encoding="utf-8")


def _pip(tool: Tool, command: Sequence[str | os.PathLike[str]]) -> None:
    try:
        run_tool(command, env=_plain(), timeout_s=INSTALL_TIMEOUT_S)
    except ToolError as error:
        raise ToolError(
            f"{tool.file.title}: its packages could not be installed",
            argv=error.argv,
            code=error.code,
            tail=error.tail,
            hint="see pip's last words; check the network and the free space, then run it again",
        ) from error


def _try(tool: Tool, folder: Path) -> str:
    """Run the tiny job in an empty folder; returns the tool's version."""
    found = Environment(tool=tool, folder=folder, version="")
    version = (
        f"import importlib.metadata as m; open('version', 'w').write(m.version({tool.file.main!r}))"
    )
    with tempfile.TemporaryDirectory() as place:
        job = Path(place) / "job.py"
        job.write_text(f"{tool.file.check}\n{version}\n", encoding="utf-8")
        try:
            found.script(job, cwd=Path(place), timeout_s=CHECK_TIMEOUT_S)
        except ToolError as error:
            raise ToolError(
                f"{tool.file.title} does not pass its check",
                argv=error.argv,
                code=error.code,
                tail=error.tail,
                hint=f"remove {folder} and run `npubench tools setup {tool.id}` again",
            ) from error
        return (Path(place) / "version").read_text(encoding="utf-8")


def _write_mark(tool: Tool, folder: Path, base: Python, version: str) -> None:
    size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())
    mark = {
        "lock_sha256": tool.lock_sha256,
        "version": version,
        "python": ".".join(str(part) for part in base.version),
        "mb": round(size / 1e6),
    }
    draft = folder / f"{MARK}.new"
    draft.write_text(json.dumps(mark), encoding="utf-8")
    draft.replace(folder / MARK)


def _mark(tool: Tool) -> dict[str, object] | None:
    """What the environment's mark says, or None when it is not whole."""
    folder = _folder(tool)
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    names = {"lock_sha256", "version", "python", "mb"}
    if not isinstance(mark, dict) or not names <= mark.keys():
        return None
    return mark if (_bin(folder) / "python").exists() else None


def _folder(tool: Tool) -> Path:
    return cache_root() / "tools" / tool.id


def _bin(folder: Path) -> Path:
    return folder / ("Scripts" if os.name == "nt" else "bin")


def _site_packages(folder: Path) -> Path:
    if os.name == "nt":
        return folder / "Lib" / "site-packages"
    return next((folder / "lib").glob("python*")) / "site-packages"


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@contextlib.contextmanager
def _alone(tool: Tool, reporter: Reporter) -> Iterator[None]:
    """Hold the tool's lock file: two set-ups of one tool come one after the other, and the second
    says what it waits for."""
    place = _folder(tool).with_suffix(".busy")
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w") as file:
        if os.name != "nt":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                words = "another set-up of this tool is under way; Ctrl-C leaves it alone"
                reporter.event(Event(job=tool.id, step="wait", state="note", detail=words))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield
