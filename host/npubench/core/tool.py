"""One way to run an external program: its output kept, its absence explained, no orphan left."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ToolError, ToolMissing

log = logging.getLogger(__name__)

TAIL_CHARS = 4000

_INHERITED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LANGUAGE", "TZ",
        "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SSH_AUTH_SOCK", "VIRTUAL_ENV",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "http_proxy", "https_proxy", "no_proxy", "all_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    }
)  # fmt: skip
_INHERITED_PREFIXES = ("LC_", "XDG_", "NPUBENCH_")

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


def tool_environment(
    extra: Mapping[str, str] | None = None, *, keep: Sequence[str] = ()
) -> dict[str, str]:
    """The environment of every program that we start: who the user is, where programs and
    temporary files are, language, proxies, our own variables; then ``extra``.

    Anything else (``CPATH``, ``GCC_EXEC_PREFIX``, ``LD_PRELOAD``, ``PLATFORMIO_*``, ``GIT_DIR``)
    could change what a tool makes without a trace in any record, so it is not handed on. ``keep``
    names further variables that one tool is known to need.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name in keep or name.startswith(_INHERITED_PREFIXES)
    }
    return kept | dict(extra or {})


def own_python(module: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """How to run a module of ours in a process of its own: its first words, and what to add to the
    environment so that it finds what we find."""
    places = os.pathsep.join(str(Path(part).resolve()) for part in sys.path if part)
    return (sys.executable, "-P", "-m", module), {"PYTHONPATH": places}


def run_tool(
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    timeout_s: float = 600.0,
    check: bool = True,
    heard: Callable[[str], None] | None = None,
) -> ToolResult:
    """Run a program to its end in a session of its own and return what it printed.

    ``env`` is added to what ``tool_environment`` hands on; ``keep`` names further variables.
    ``heard`` gets each line of its stdout when it comes, in a thread of its own.
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
            env=tool_environment(env, keep=keep),
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
        stdout, stderr = (
            process.communicate(timeout=timeout_s)
            if heard is None
            else _communicate(process, heard, timeout_s)
        )
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


def _communicate(
    process: subprocess.Popen[str], heard: Callable[[str], None], timeout_s: float
) -> tuple[str, str]:
    """As Popen.communicate, with every line of stdout told as it comes."""
    out: list[str] = []
    err: list[str] = []

    def listen() -> None:
        for line in process.stdout or ():
            out.append(line)
            heard(line.rstrip("\n"))

    threads = (
        threading.Thread(target=listen, daemon=True),
        threading.Thread(target=lambda: err.extend(process.stderr or ()), daemon=True),
    )
    for thread in threads:
        thread.start()
    try:
        process.wait(timeout=timeout_s)
    except BaseException:
        _kill_group(process)
        raise
    finally:
        for thread in threads:
            thread.join()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return "".join(out), "".join(err)


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
    _kill_group(process)
    if process.stdout is None or process.stdout.closed:
        process.wait()
    else:
        process.communicate()


def _kill_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
