"""The command line's entry: one place that turns errors into words, JSON and exit codes."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence

from npubench.core.errors import NpubenchError, StorageError, ToolError, UsageError

INTERRUPTED = 130
OWN_BUG = 70

_DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})

_ended_by: list[int] = []


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A folder above us may have a name that is not UTF-8: it is shown escaped, in JSON as well.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _watch_signals()
    code = run(words)
    if _ended_by and code == INTERRUPTED:
        code = 128 + _ended_by[0]
    _flush()
    sys.exit(code)


def _watch_signals() -> None:
    """Let SIGTERM and a closed terminal end the command as Ctrl-C does: emulators and compilers
    are ended, half-written runs removed. What the caller chose to ignore (nohup) stays ignored."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, frame: object) -> None:
    del frame
    if not _ended_by:  # once: cleaning up is not interrupted
        _ended_by.append(number)
        raise KeyboardInterrupt


def run(words: list[str]) -> int:
    """Run one command; every error becomes a message and an exit code."""
    as_json = "--json" in words
    if words[:1] == ["__complete"]:
        return _complete(words[1:])
    try:
        _check_words(words)
        from npubench.cli.app import run_words

        return run_words(words)
    except KeyboardInterrupt:
        return _interrupted(as_json=as_json)
    except NpubenchError as error:
        detail = f"\n{error.tail.rstrip()}" if isinstance(error, ToolError) and error.tail else ""
        _tell(error.message + detail, hint=error.hint, as_json=as_json, kind=error.kind)
        return error.exit_code
    except SystemExit as leave:
        if isinstance(leave.__context__, BrokenPipeError):  # Rich's way, in --help
            return 0
        raise
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
            place = f"{error.filename}: " if error.filename else "the output or a file "
            _tell(
                f"{place}cannot be written: {error.strerror}",
                hint="free some space, or choose another place (--runs-dir, NPUBENCH_CACHE)",
                as_json=as_json,
                kind=StorageError.__name__,
            )
            return StorageError.exit_code
        if _ended_by:  # an import that is interrupted fails with an error of its own
            return _interrupted(as_json=as_json)
        _tell(
            f"internal error: {type(error).__name__}: {error}",
            hint=f"please report it with this file: {_save_traceback()}",
            as_json=as_json,
            kind="InternalError",
        )
        return OWN_BUG


def _check_words(words: list[str]) -> None:
    """Refuse what no record or report could hold: a path that is not UTF-8 would run for minutes
    and then be lost. Raises UsageError."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = word.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            raise UsageError(
                f"the argument '{shown}' is not UTF-8",
                hint="rename the file or folder, or go there and name it by a relative path",
            ) from None


def _complete(words: list[str]) -> int:
    """Answer the shell, which waits: what goes wrong is no completion, and nothing is said."""
    from npubench.cli.app import app
    from npubench.cli.completion import candidates

    with contextlib.suppress(Exception):
        sys.stdout.write("".join(f"{word}\n" for word in candidates(app, words)))
    return 0


def _interrupted(*, as_json: bool) -> int:
    _tell("interrupted: nothing half-written was left behind", as_json=as_json, kind="Interrupted")
    return INTERRUPTED


def _tell(message: str, *, kind: str, as_json: bool, hint: str = "") -> None:
    """Say on stderr what happened; with --json also as the document on stdout."""
    from npubench.core.paths import located

    hint = located(hint)
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"npubench: {message}\n")
        if hint:
            sys.stderr.write(f"  hint: {hint}\n")
    if as_json:
        document = {"runs": [], "error": {"kind": kind, "message": message, "hint": hint}}
        with contextlib.suppress(OSError):
            sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _save_traceback() -> str:
    """Keep the traceback for a bug report; returns where, or the traceback when it cannot."""
    from npubench.core.paths import cache_root

    text = traceback.format_exc()
    path = cache_root() / "last-internal-error.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError:
        return "\n" + text
    return str(path)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError):  # nor may the interpreter stumble over it at its end
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
