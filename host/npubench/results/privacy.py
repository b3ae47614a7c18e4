"""What in a run tells of the person or the machine that made it, and must not be published."""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
from pathlib import Path

TEXTS = (".json", ".jsonl", ".toml", ".ini", ".md", ".txt", ".bin")
_PATTERNS = {
    "a path of a home folder": re.compile(rb"(?:/home/|/Users/|[A-Za-z]:\\+Users\\+)[\w.-]+"),
    "a path of the super-user": re.compile(rb"(?<![\w.])/root/[\w.-]+"),
    "an e-mail address": re.compile(rb"[\w.+-]{2,64}@[\w-]{2,64}\.[a-z]{2,10}\b"),
}
_MIN_NAME = 4
_COMMON = {"root", "user", "admin", "runner", "ubuntu", "debian", "localhost", "test", "build"}


def private_parts(folder: Path) -> tuple[str, ...]:
    """What is private in a run's own files (the emitted project is npubench's text, and left out),
    each as ``file: what``."""
    found = []
    names = [name.encode() for name in _names()]
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or inside.parts[0] == "project" or path.suffix not in TEXTS:
            continue
        data = path.read_bytes()
        found += [
            f"{inside}: {what}" for what, pattern in _PATTERNS.items() if pattern.search(data)
        ]
        found += [
            f"{inside}: the name of this user or machine"
            for name in names
            if re.search(rb"(?<![\w-])" + re.escape(name) + rb"(?![\w-])", data)
        ]
    return tuple(dict.fromkeys(found))


def _names() -> set[str]:
    """Names of user and machine that are long enough to mean somebody."""
    names = {socket.gethostname().partition(".")[0]}
    with contextlib.suppress(KeyError, OSError):
        names.add(getpass.getuser())
    return {name for name in names if len(name) >= _MIN_NAME and name.lower() not in _COMMON}
