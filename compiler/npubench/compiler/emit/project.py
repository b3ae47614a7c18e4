"""The emitted project: every file, from a graph, a plan and a board; equal in, equal out."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from npubench.boards import Board
from npubench.compiler.emit.config import (
    board_header,
    config_header,
    errors_header,
    fixture_bytes,
)
from npubench.compiler.emit.context import About
from npubench.compiler.emit.identity import Identity
from npubench.compiler.emit.interpreted import ENGINE_FILE, engine_files, interpreted_files
from npubench.compiler.emit.linker import linker_of
from npubench.compiler.emit.manifest import board_manifest, project_manifest
from npubench.compiler.emit.names import wire_name
from npubench.compiler.emit.render import render
from npubench.compiler.emit.sources import firmware_files, firmware_root
from npubench.compiler.emit.wiring import WEIGHTS_FILE, model_of
from npubench.compiler.graph import Graph
from npubench.compiler.plan import Plan, Toolchain
from npubench.core.errors import CompileError, ConfigError, DoesNotFit, StorageError
from npubench.core.files import write_whole

__all__ = [
    "MANIFEST",
    "Identity",
    "Project",
    "content_sha256",
    "finish_project",
    "read_project",
    "render_project",
    "write_project",
]

MANIFEST = "project.json"
CONFIG_HEADER = "include/nb_config.h"
_NO_BUILD = "0" * 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A self-contained project: path (with ``/``) to content.

    ``sha256`` covers every file but project.json, with the build number in nb_config.h at zero;
    its first 16 digits are that build number. ``sources``: name to version of what a user's own
    tree gave; ``toolchain``: whose compiler builds it.
    """

    files: dict[str, bytes]
    sha256: str
    toolchain: Toolchain = "gcc"
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def build(self) -> str:
        """The build number that the firmware answers with."""
        return self.sha256[:16]


def render_project(graph: Graph, plan: Plan, board: Board, identity: Identity) -> Project:
    """Emit the project of a network on a board.

    Raises DoesNotFit when constants or arena alone exceed their memory region, CompileError when
    the plan contradicts itself.
    """
    files = emitted_base(
        board,
        about_of(board, plan.backend, identity, len(graph.ops)),
        toolchain=plan.toolchain,
        level=plan.level,
        input_bytes=fixture_bytes(graph, identity),
    )
    _check_fit(plan, board)
    files |= firmware_files(plan, board)
    if plan.engine is not None:
        files |= engine_files(plan.engine)
    if plan.interpreter is not None:
        files |= interpreted_files(graph, plan, plan.interpreter)
    else:
        model, weights = model_of(graph, plan)
        files["src/model/nb_model.c"] = render("nb_model.c.j2", model)
        files["src/model/nb_weights.S"] = render("nb_weights.S.j2", model)
        files[WEIGHTS_FILE] = weights
    for path, text in plan.extra_files.items():
        if path in files or path.startswith("/") or ".." in path.split("/"):
            raise CompileError(f"backend {plan.backend} may not emit {path!r}")
        files[path] = text.encode()
    for build in (_NO_BUILD, None):
        files[CONFIG_HEADER] = render(
            "header.h.j2",
            config_header(graph, plan, board, identity, build=build or content_sha256(files)[:16]),
        )
        if build is not None:
            sha256 = content_sha256(files)
    return finish_project(files, board, graph=graph, plan=plan, sha256=sha256)


def finish_project(
    files: dict[str, bytes], board: Board, *, graph: Graph | None, plan: Plan | None, sha256: str
) -> Project:
    """Add project.json and sort."""
    files = files | {MANIFEST: project_manifest(graph, plan, board, files, sha256=sha256)}
    engine = None if plan is None else plan.engine
    return Project(
        files=dict(sorted(files.items())),
        sha256=sha256,
        toolchain="gcc" if plan is None else plan.toolchain,
        sources={} if engine is None else {engine.name: engine.version},
    )


def emitted_base(
    board: Board,
    about: About,
    *,
    toolchain: Toolchain = "gcc",
    level: str = "O2",
    input_bytes: int = 0,
) -> dict[str, bytes]:
    """The generated files that every project has, whatever it runs. ``input_bytes``: of the
    uploaded input."""
    files = {
        "platformio.ini": render("platformio.ini.j2", about),
        "README.md": render("README.md.j2", about),
        f"boards/{board.id}.json": board_manifest(board, toolchain=toolchain, level=level),
        "include/nb_board.h": render("header.h.j2", board_header(board)),
        "include/nb_errors.h": render(
            "header.h.j2", errors_header(firmware_root() / "protocol.toml")
        ),
    }
    if not board.hosted and board.memory:
        files["linker.ld"] = render("linker.ld.j2", linker_of(board, input_bytes=input_bytes))
    return files


def about_of(board: Board, backend: str, identity: Identity, operators: int) -> About:
    """What platformio.ini and the README say of a project."""
    return About(
        board_id=board.id,
        board_name=board.name,
        model=wire_name(identity.model_id),
        backend=wire_name(backend),
        version=wire_name(identity.version),
        operators=operators,
        compiler=f"{board.toolchain.prefix}gcc",
        package=board.toolchain.package,
        can_upload=board.flash is not None,
        upload_protocol="" if board.flash is None else board.flash.protocol,
        monitor_baud=board.console.baud,
        sdk_platform="" if board.sdk is None else board.sdk.platform,
        sdk_framework="" if board.sdk is None else board.sdk.framework,
        sdk_board="" if board.sdk is None else board.sdk.board,
        sdk_speed=0 if board.sdk is None else board.sdk.speed or 0,
    )


def content_sha256(files: dict[str, bytes]) -> str:
    """SHA-256 over paths and contents, in the paths' order."""
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def write_project(project: Project, folder: Path) -> None:
    """Write a project into ``folder``: only what changed; what an earlier project left is removed.

    Files that no project.json of ours lists are left alone. Raises StorageError.
    """
    try:
        stale = _listed(folder) - set(project.files)
        for path, content in project.files.items():
            _write_changed(folder / path, content)
        for path in sorted(stale):
            (folder / path).unlink(missing_ok=True)
            _remove_empty(folder, (folder / path).parent)
    except OSError as error:
        raise StorageError(
            f"cannot write the project to {folder}: {error.strerror}",
            hint="see whether the disk is full or read-only",
        ) from error


def read_project(folder: Path) -> Project:
    """A project that was written to ``folder``, with the hash that its files have today.

    What the manifest does not list is left out. Raises ConfigError when the manifest or a file that
    it lists cannot be read.
    """
    try:
        files = {name: (folder / name).read_bytes() for name in sorted(_listed(folder))}
        files[MANIFEST] = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if len(files) == 1:
        raise ConfigError(f"{folder / MANIFEST} lists no files")
    content = {name: data for name, data in files.items() if name != MANIFEST}
    build = str(json.loads(files[MANIFEST]).get("project_sha256", ""))[:16]
    if build and CONFIG_HEADER in content:
        content[CONFIG_HEADER] = content[CONFIG_HEADER].replace(build.encode(), _NO_BUILD.encode())
    return Project(
        files=files,
        sha256=content_sha256(content),
        toolchain=_toolchain(content),
        sources=_sources(content),
    )


def _toolchain(files: dict[str, bytes]) -> Toolchain:
    """Whose compiler a written project names: its board's manifest says so."""
    manifests = (data for name, data in files.items() if re.fullmatch(r"boards/[^/]+\.json", name))
    named = any(json.loads(data)["build"].get("compiler") == "clang" for data in manifests)
    return "clang" if named else "gcc"


def _sources(files: dict[str, bytes]) -> dict[str, str]:
    """What a user's own tree gave to a written project."""
    if ENGINE_FILE not in files:
        return {}
    engine = json.loads(files[ENGINE_FILE])
    return {str(engine["name"]): str(engine["version"])}


def _listed(folder: Path) -> set[str]:
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = document["files"]
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return set()
    if not isinstance(files, dict):
        return set()
    return {path for path in files if not path.startswith("/") and ".." not in path.split("/")}


def _write_changed(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    write_whole(path, content)


def _remove_empty(folder: Path, inner: Path) -> None:
    while inner != folder and inner.is_dir() and not any(inner.iterdir()):
        inner.rmdir()
        inner = inner.parent


def _check_fit(plan: Plan, board: Board) -> None:
    if board.hosted or not board.memory:
        return
    weights = board.region("weights")
    needed = sum(len(constant.data) for constant in plan.constants)
    if needed > weights.size_bytes:
        raise DoesNotFit(
            needed_bytes=needed,
            free_bytes=weights.size_bytes,
            region=weights.name,
            what="the network",
        )
    arena = board.region("arena")
    free = arena.size_bytes - (board.stack_bytes if arena == board.region("ram") else 0)
    if plan.arena.size_bytes > free:
        raise DoesNotFit(
            needed_bytes=plan.arena.size_bytes,
            free_bytes=free,
            region=arena.name,
            what="the network's arena",
        )
