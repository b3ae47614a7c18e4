"""The command line's entry: one place that turns errors into words, JSON and exit codes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence

from npubench.core.errors import NpubenchError, ToolError

INTERRUPTED = 130
OWN_BUG = 70


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    code = run(words)
    _flush()
    sys.exit(code)


def run(words: list[str]) -> int:
    """Run one command; every error becomes a message and an exit code."""
    from npubench.cli.app import run_words

    as_json = "--json" in words
    try:
        return run_words(words)
    except KeyboardInterrupt:
        _tell(
            "interrupted: nothing half-written was left behind", as_json=as_json, kind="Interrupted"
        )
        return INTERRUPTED
    except NpubenchError as error:
        detail = f"\n{error.tail.rstrip()}" if isinstance(error, ToolError) and error.tail else ""
        _tell(error.message + detail, hint=error.hint, as_json=as_json, kind=error.kind)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        _tell(
            f"internal error: {type(error).__name__}: {error}",
            hint=f"please report it with this file: {_save_traceback()}",
            as_json=as_json,
            kind="InternalError",
        )
        return OWN_BUG


def _tell(message: str, *, kind: str, as_json: bool, hint: str = "") -> None:
    """Say on stderr what happened; with --json also as the document on stdout."""
    sys.stderr.write(f"npubench: {message}\n")
    if hint:
        sys.stderr.write(f"  hint: {hint}\n")
    if as_json:
        document = {"runs": [], "error": {"kind": kind, "message": message, "hint": hint}}
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
        except (BrokenPipeError, ValueError):
            continue
