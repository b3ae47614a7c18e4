"""PlatformIO as a subprocess: offline, without telemetry, with its core folder in our cache.

PlatformIO wants its build engine as package ``tool-scons``; SCons from PyPI is that engine, so a
package of three lines leads there. Nothing is downloaded.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from npubench.core.errors import ToolError, ToolMissing
from npubench.core.paths import cache_root
from npubench.core.tool import ToolResult, run_tool

SCONS_PACKAGE_VERSION = "4.41101.0"
_FOLDERS = ("packages", "platforms", ".cache/downloads", ".cache/tmp", ".cache/content")
"""What PlatformIO makes on first use, and fails at where another process of it is faster."""
_SCONS_SCRIPT = "import SCons.Script\n\nSCons.Script.main()\n"


def run_platformio(
    arguments: Sequence[str],
    *,
    project: Path,
    extra_env: Mapping[str, str] | None = None,
    timeout_s: float = 600.0,
    check: bool = True,
) -> ToolResult:
    """``pio <arguments>`` in ``project``. Raises ToolMissing, ToolError as run_tool does."""
    env = {
        "PLATFORMIO_CORE_DIR": str(core_dir()),
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_NO_ANSI": "true",
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_SETTING_CHECK_PRUNE_SYSTEM_THRESHOLD": "0",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "0",
        "NPUBENCH_BUILD_CACHE": str(cache_root() / "objects"),
    }
    env |= extra_env or {}
    return run_tool(
        [sys.executable, "-m", "platformio", *arguments],
        cwd=project,
        env=env,
        timeout_s=timeout_s,
        check=check,
    )


def tool_versions() -> dict[str, str]:
    """Versions of PlatformIO and SCons. Raises ToolMissing when one is not installed."""
    versions: dict[str, str] = {}
    for name in ("platformio", "scons"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise ToolMissing(
                f"{name} is not installed in this Python", argv=(name,), hint=f"pip install {name}"
            ) from error
    return versions


def core_dir() -> Path:
    """PlatformIO's core folder in our cache, made on first use, with its engine package.

    Safe for processes that make it at the same time.
    """
    core = cache_root() / "platformio"
    package = core / "packages" / "tool-scons"
    try:
        for name in _FOLDERS:
            (core / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_made(core, error) from error
    if not (package / ".piopm").is_file():
        _install_scons(package)
    return core


def _install_scons(package: Path) -> None:
    files = {
        "package.json": json.dumps(
            {
                "name": "tool-scons",
                "version": SCONS_PACKAGE_VERSION,
                "description": "SCons as installed for npubench",
            }
        ),
        "scons.py": _SCONS_SCRIPT,
        ".piopm": json.dumps(
            {
                "type": "tool",
                "name": "tool-scons",
                "version": SCONS_PACKAGE_VERSION,
                "spec": {
                    "owner": "platformio",
                    "id": None,
                    "name": "tool-scons",
                    "requirements": None,
                    "uri": None,
                },
            }
        ),
    }
    try:
        made = Path(tempfile.mkdtemp(dir=package.parent.parent))
        for name, text in files.items():
            (made / name).write_text(text, encoding="utf-8")
        try:
            made.rename(package)
        except OSError:
            shutil.rmtree(made)
            if not (package / ".piopm").is_file():
                raise
    except OSError as error:
        raise _not_made(package.parent, error) from error


def _not_made(folder: Path, error: OSError) -> ToolError:
    return ToolError(
        f"PlatformIO's folder cannot be made in {folder}: {error.strerror}",
        hint="set NPUBENCH_CACHE to a folder that can be written",
    )
