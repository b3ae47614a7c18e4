"""One way to run an external program: its output kept, its absence explained, no orphan left."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ToolError, ToolMissing

log = logging.getLogger(__name__)

TAIL_CHARS = 4000

_live: set[subprocess.Popen[str]] = set()
_live_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a program printed (stdout and stderr, decoded) and returned."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


def find_tool(name: str, *, package: str) -> Path:
    """The program's path. Raises ToolMissing, naming ``package``, when it is not on PATH."""
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(
            f"{name} is not installed", argv=(name,), hint=f"install it: apt-get install {package}"
        )
    return Path(found)


def run_tool(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600.0,
    check: bool = True,
) -> ToolResult:
    """Run a program to its end in a session of its own and return what it printed.

    On a time-out, or when the caller is interrupted, its whole process group is ended.
    Raises ToolMissing when it cannot be started, ToolError when it fails (if ``check``) or
    does not end within ``timeout_s`` seconds.
    """
    words = tuple(os.fspath(word) for word in argv)
    log.debug("run %s", " ".join(words))
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ToolMissing(f"{words[0]} cannot be started: not found", argv=words) from error
    with _live_lock:
        _live.add(process)
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        _end_group(process)
        raise ToolError(
            f"{words[0]} did not end within {timeout_s:g} s",
            argv=words,
            hint="see whether it waits for input or for a device",
        ) from error
    except BaseException:
        _end_group(process)
        raise
    finally:
        with _live_lock:
            _live.discard(process)
    result = ToolResult(argv=words, code=process.returncode, stdout=stdout, stderr=stderr)
    if check and result.code != 0:
        tail = (stdout + stderr)[-TAIL_CHARS:]
        raise ToolError(
            f"{Path(words[0]).name} ended with exit code {result.code}",
            argv=words,
            code=result.code,
            tail=tail,
        )
    return result


def end_running_tools() -> None:
    """End every program that run_tool has under way, in any thread: for Ctrl-C."""
    with _live_lock:
        running = tuple(_live)
    for process in running:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _end_group(process: subprocess.Popen[str]) -> None:
    """Kill the process group of a program that we started, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
