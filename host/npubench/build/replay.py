"""Siblings of a project that PlatformIO has built, built by the same commands without it.

The points of a sweep differ in their network alone; PlatformIO and SCons would start again for
each. PlatformIO's own commands are recorded once for each kind of project and run again, an object
that nothing of the network reaches being taken from a store. The image is the same, byte for byte
(a test holds it).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from npubench.boards import Board
from npubench.build.compiler import find_clang
from npubench.build.platformio import run_platformio
from npubench.compiler.emit.project import CONFIG_HEADER, Project
from npubench.core.tool import ToolResult, run_tool

FORMAT = 1
_MODEL = "src/model/"
_HERE = "{project}"
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)
_DEFINE = re.compile(rb"^#define[ \t]+(\w+).*$", re.MULTILINE)
_WORD = re.compile(rb"\w+")
_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)

_active: ContextVar[bool] = ContextVar("npubench_replay", default=False)


@contextmanager
def replaying() -> Iterator[None]:
    """Builds in this context repeat recorded commands where a sibling was built before."""
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def is_replaying() -> bool:
    """Whether builds may repeat recorded commands."""
    return _active.get()


def build_by_replay(
    project: Project, board: Board, folder: Path, cache: Path, tools: Mapping[str, str]
) -> ToolResult | None:
    """Build the project in ``folder`` by recorded commands; None when that did not end well, so
    that PlatformIO must be asked, which tells errors as everywhere.

    The first project of its kind is built by PlatformIO, its commands recorded.
    """
    recipe = cache / "replay" / f"{_kind(project, board, tools)}.json"
    commands = _read(recipe)
    if commands is None:
        result = _record(_programs(project, board), folder, recipe)
        return result if result.code == 0 else None
    objects = cache / "replay" / "objects"
    compiles = [argv for argv in commands if "-c" in argv]
    rest = [argv for argv in commands if "-c" not in argv]
    store = _Store(project, objects, tools)
    with ThreadPoolExecutor(max_workers=2) as pool:
        done = list(pool.map(lambda argv: _compile(argv, folder, store), compiles))
    if not all(done):
        return None
    last: ToolResult | None = None
    for argv in rest:
        _folder_of(argv, folder)
        last = run_tool(_placed(argv, folder), cwd=folder, env=_environment(), check=False)
        if last.code != 0:
            return None
    return last


def _kind(project: Project, board: Board, tools: Mapping[str, str]) -> str:
    """Projects of one kind are built by the same commands: same files, board and platform."""
    digest = hashlib.sha256(f"{FORMAT}\0{board.id}\0{json.dumps(dict(tools))}\0".encode())
    digest.update(os.environ.get("NPUBENCH_WERROR", "").encode())
    for path, content in sorted(project.files.items()):
        digest.update(f"{path}\0".encode())
        if path == "platformio.ini" or path.startswith(("boards/", "platform/")):
            digest.update(_without_names(content) if path == "platformio.ini" else content)
    return digest.hexdigest()[:32]


def _without_names(ini: bytes) -> bytes:
    """platformio.ini without comments, which name the network."""
    return b"\n".join(line for line in ini.splitlines() if not line.lstrip().startswith(b";"))


def _programs(project: Project, board: Board) -> tuple[str, ...]:
    """The first words of the commands that make the image: of a project for clang both compilers,
    since what clang does not take stays GCC's."""
    prefix = board.toolchain.prefix
    own = (f"{prefix}gcc", f"{prefix}g++", f"{prefix}objcopy")
    return own if project.toolchain == "gcc" else (*own, find_clang().name)


def _record(programs: tuple[str, ...], folder: Path, recipe: Path) -> ToolResult:
    """Build with PlatformIO, nothing taken from its store, and keep the commands."""
    result = run_platformio(
        ["run", "--verbose", "--jobs", "2"],
        project=folder,
        extra_env={"NPUBENCH_BUILD_CACHE": ""},
        check=False,
    )
    if result.code != 0:
        return result
    commands = []
    for line in result.stdout.splitlines():
        words = line.split(None, 1)
        if words and words[0].rpartition("/")[2] in programs:
            commands.append([word.replace(str(folder), _HERE) for word in shlex.split(line)])
    # Compilers run side by side: an order of their own, before the link.
    commands.sort(key=lambda argv: (0, argv) if "-c" in argv else (1, []))
    recipe.parent.mkdir(parents=True, exist_ok=True)
    fresh = recipe.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(commands), encoding="utf-8")
    fresh.replace(recipe)
    return result


def _read(recipe: Path) -> list[list[str]] | None:
    try:
        commands = json.loads(recipe.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return [[str(word) for word in argv] for argv in commands]


class _Store:
    """Objects by all that goes into them: command, source, headers, and of the network's header
    what those name."""

    def __init__(self, project: Project, folder: Path, tools: Mapping[str, str]) -> None:
        self._files = project.files
        self._folder = folder
        self._tools = json.dumps(dict(tools))

    def path(self, argv: Sequence[str]) -> Path | None:
        """Where the object of a command lies or will; None for the network's own sources."""
        source = argv[-1]
        if source.startswith(_MODEL) or source not in self._files:
            return None
        folders = [word[2:] for word in argv if word.startswith("-I")]
        seen = self._closure(source, folders)
        words = {
            word
            for name in seen
            if name != CONFIG_HEADER
            for word in _WORD.findall(_COMMENT.sub(b" ", self._files[name]))
        }
        digest = hashlib.sha256(f"{FORMAT}\0{self._tools}\0{json.dumps(list(argv))}\0".encode())
        for name in sorted(seen):
            content = self._files[name]
            if name == CONFIG_HEADER:
                content = _named(content, words)
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return self._folder / f"{digest.hexdigest()}.o"

    def _closure(self, source: str, folders: Sequence[str]) -> set[str]:
        """The project's files that a source reads, conditions not looked at."""
        seen: set[str] = set()
        waiting = [source]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            own = name.rpartition("/")[0]
            for found in _INCLUDE.findall(self._files[name]):
                header = found.decode()
                for place in (own, *folders):
                    path = os.path.normpath(f"{place}/{header}")
                    if path in self._files:
                        waiting.append(path)
                        break
        return seen


def _named(header: bytes, words: set[bytes]) -> bytes:
    """The definitions of a header that others name, and those that these name in turn."""
    lines = {match[1]: match[0] for match in _DEFINE.finditer(header)}
    kept: dict[bytes, bytes] = {}
    waiting = sorted(words & lines.keys())
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = lines[name]
            waiting += sorted(set(_WORD.findall(lines[name])) & lines.keys())
    return b"\n".join(line for _, line in sorted(kept.items()))


def _compile(argv: Sequence[str], folder: Path, store: _Store) -> bool:
    target = _folder_of(argv, folder)
    kept = store.path(argv)
    if kept is not None and kept.is_file():
        shutil.copyfile(kept, target)
        return True
    result = run_tool(_placed(argv, folder), cwd=folder, env=_environment(), check=False)
    if result.code != 0:
        return False
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=kept.parent)
        os.close(handle)
        shutil.copyfile(target, name)
        Path(name).replace(kept)
    return True


def _folder_of(argv: Sequence[str], folder: Path) -> Path:
    """Make the folder of a command's output; the output."""
    target = folder / argv[argv.index("-o") + 1] if "-o" in argv else folder / argv[-1]
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _placed(argv: Sequence[str], folder: Path) -> list[str]:
    return [word.replace(_HERE, str(folder)) for word in argv]


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
