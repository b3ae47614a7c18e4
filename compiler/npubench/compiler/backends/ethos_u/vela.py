"""Arm's Vela, run as the external program that it is: pinned, offline, its result kept by content.

Vela chooses silently where it is not told; it is always told accelerator, system configuration and
memory mode, all from the board's file.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from npubench.compiler.backends.ethos_u.check import check_jobs
from npubench.compiler.backends.ethos_u.options import VelaSettings
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.core.errors import (
    CompileError,
    ConfigError,
    ModelFormatError,
    NpubenchError,
    ToolError,
    ToolMissing,
)
from npubench.core.paths import cache_root
from npubench.core.tool import TAIL_CHARS, ToolResult, run_tool

PACKAGE: Final = "ethos-u-vela"
VERSION: Final = "5.2.0"
OTHER_WAYS: Final = (
    "try Vela's other core with --set ethos-u.core=legacy (or =default), or compile for the CPU: "
    "--backend cpu"
)
_TIMEOUT_S: Final = 600.0
_COMPLAINT: Final = re.compile(r"\s*Error\b")
_CACHE_FORMAT: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaResult:
    """``model``: the .tflite that Vela wrote. ``reasons``: why an operator stays on the CPU, by the
    name of its first output. ``debug``: the debug database (XML)."""

    model: bytes
    reasons: dict[str, str]
    debug: str


def check_vela() -> None:
    """Raise ToolMissing when Vela is not installed, ToolError when it is another version."""
    try:
        found = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolMissing(
            "Vela, Arm's compiler for Ethos-U, is not installed",
            hint="pip install 'npubench[ethos-u]'",
        ) from error
    if found != VERSION:
        raise ToolError(
            f"Vela {found} is installed, npubench is made for {VERSION}",
            hint=f"pip install {PACKAGE}=={VERSION}",
        )


def compile_with_vela(model: bytes, settings: VelaSettings) -> VelaResult:
    """Compile ``model``, a .tflite; equal inputs are compiled once and then read from the cache.

    Raises ToolMissing, ToolError when Vela fails, ConfigError when its configuration file cannot be
    read.
    """
    check_vela()
    try:
        config = settings.config_file.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"Vela's configuration {settings.config_file}: {error.strerror or error}"
        ) from error
    folder = cache_root() / "vela" / _key(model, config, settings)
    kept = _read(folder)
    if kept is not None:
        return kept
    result = _run(model, settings)
    _keep(folder, result)
    return result


def _key(model: bytes, config: bytes, settings: VelaSettings) -> str:
    digest = hashlib.sha256()
    for part in (
        str(_CACHE_FORMAT).encode(),
        VERSION.encode(),
        settings.accelerator.encode(),
        settings.system_config.encode(),
        settings.memory_mode.encode(),
        settings.optimise.encode(),
        str(settings.arena_cache_bytes).encode(),
        str(settings.legacy).encode(),
        ",".join(settings.ignored).encode(),
        config,
        model,
    ):
        digest.update(f"{len(part)}\0".encode())
        digest.update(part)
    return digest.hexdigest()


def _run(model: bytes, settings: VelaSettings) -> VelaResult:
    with tempfile.TemporaryDirectory(prefix="npubench-vela-") as name:
        folder = Path(name)
        (folder / "network.tflite").write_bytes(model)
        result = run_tool(
            (
                sys.executable,
                "-m",
                "ethosu.vela",
                "network.tflite",
                "--accelerator-config",
                settings.accelerator,
                "--config",
                settings.config_file.resolve(),
                "--system-config",
                settings.system_config,
                "--memory-mode",
                settings.memory_mode,
                "--output-dir",
                ".",
                "--output-format",
                "tflite",
                "--enable-debug-db",
                "--optimise",
                settings.optimise,
                *_chosen(settings),
            ),
            cwd=folder,
            timeout_s=_TIMEOUT_S,
            check=False,
        )
        if result.code != 0:
            raise _failure(result)
        said = result.stdout + result.stderr
        complaint = next((line for line in said.splitlines() if _COMPLAINT.match(line)), None)
        output = folder / "network_vela.tflite"
        if complaint is not None or not output.is_file():
            raise CompileError(
                f"Vela wrote no network: {said.strip()[-500:]}"
                if complaint is None
                else f"Vela says, though it ends well: {complaint.strip()[:300]}",
                hint=OTHER_WAYS,
            )
        model = output.read_bytes()
        try:
            check_jobs(read_vela(model, name="Vela's output"), settings.accelerator)
        except ModelFormatError as error:
            raise CompileError(f"Vela's output: {error.message}", hint=OTHER_WAYS) from error
        debug = folder / "network_debug.xml"
        return VelaResult(
            model=model,
            reasons=read_reasons(said),
            debug=debug.read_text(encoding="utf-8", errors="replace") if debug.is_file() else "",
        )


def _chosen(settings: VelaSettings) -> tuple[str, ...]:
    """Arguments for what differs from Vela's own choice."""
    words: list[str] = []
    if settings.arena_cache_bytes is not None:
        words += ["--arena-cache-size", str(settings.arena_cache_bytes)]
    if settings.legacy:
        words.append("--debug-force-legacy-core")
    if settings.ignored:
        words += ["--ignore-ops", ",".join(settings.ignored)]
    return tuple(words)


def _failure(result: ToolResult) -> NpubenchError:
    """What Vela's end means: a network that it refuses, or a crash."""
    text = result.stdout + result.stderr
    begin = text.rfind("Error: ")
    if begin >= 0 and "Compilation failed" in text:
        reason = " ".join(text[begin + len("Error: ") :].split())
        return CompileError(
            f"Vela does not take the network: {reason[:500]}",
            hint="repair the network, or compile it for the CPU: --backend cpu",
        )
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    reason = f": {last.rpartition('errors.')[2][:300]}" if last else ""
    return ToolError(
        f"Vela ended with exit code {result.code}{reason}",
        argv=result.argv,
        code=result.code,
        tail=text[-TAIL_CHARS:],
        hint="compile it for the CPU: --backend cpu",
    )


_OPERATOR = re.compile(r"operator: (?P<op>\w+), ofm: '(?P<name>.*)'")


def read_reasons(text: str) -> dict[str, str]:
    """Reasons for the CPU from what Vela printed: the line that names an operator's output, then
    one with ``Reason:``."""
    reasons: dict[str, str] = {}
    name: str | None = None
    for line in text.splitlines():
        match = _OPERATOR.search(line)
        stripped = line.strip()
        if match is not None:
            name = match["name"]
        elif stripped.startswith("Reason:") and name is not None:
            reasons[name] = stripped.removeprefix("Reason:").strip()
            name = None
    return reasons


def _read(folder: Path) -> VelaResult | None:
    try:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        model = (folder / "network.tflite").read_bytes()
        if hashlib.sha256(model).hexdigest() != document["sha256"]:
            return None
        return VelaResult(
            model=model,
            reasons={str(name): str(text) for name, text in document["reasons"].items()},
            debug=(folder / "debug.xml").read_text(encoding="utf-8"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(folder: Path, result: VelaResult) -> None:
    """Keep a result; a cache that cannot be written is no reason to fail."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".vela-", dir=folder.parent) as name:
            fresh = Path(name) / "result"
            fresh.mkdir()
            (fresh / "network.tflite").write_bytes(result.model)
            (fresh / "debug.xml").write_text(result.debug, encoding="utf-8")
            (fresh / "result.json").write_text(
                json.dumps(
                    {
                        "sha256": hashlib.sha256(result.model).hexdigest(),
                        "reasons": result.reasons,
                    }
                ),
                encoding="utf-8",
            )
            fresh.replace(folder)
    except OSError:
        return
