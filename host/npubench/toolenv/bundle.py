"""One archive for a bug report: what this machine has, the last internal error, the newest run's
record. Paths, names and serial numbers are taken out first; images and samples stay home."""

from __future__ import annotations

import contextlib
import getpass
import importlib.metadata
import io
import json
import platform
import re
import socket
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from npubench.core.errors import StorageError
from npubench.core.paths import cache_root, data_root
from npubench.core.version import VERSION, git_state

MAX_TEXT_BYTES = 1_000_000
_SERIAL_KEYS = re.compile(r'("(?:board_)?serial(?:_number)?"\s*:\s*)"[^"]+"')
_BY_ID = re.compile(r"/dev/serial/by-id/\S+")
_SERIAL_WORDS = re.compile(r"(SER=|serial number )\S+")
_ADDRESS = re.compile(r"\bssh://\S+|\b(?:\d{1,3}\.){3}\d{1,3}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The archive, and the names of what it holds."""

    path: Path
    files: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As JSON values."""
        return asdict(self) | {"path": str(self.path)}


def write_bundle(path: Path, runs_dir: Path) -> Bundle:
    """Write the archive. Raises StorageError when it cannot be written."""
    names = []
    try:
        with tarfile.open(path, "w:gz") as archive:
            for name, text in _texts(runs_dir):
                data = redact(text).encode()
                entry = tarfile.TarInfo(f"npubench-report/{name}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
                names.append(name)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {error.strerror}", hint="choose another place"
        ) from error
    return Bundle(path=path, files=tuple(names))


def redact(text: str) -> str:
    """The text without what tells who and where: folders, user, host, addresses, serial numbers."""
    for place, word in _places():
        text = text.replace(place, word)
    text = _SERIAL_KEYS.sub(r'\1"(serial)"', text)
    text = _BY_ID.sub("/dev/serial/by-id/(serial)", text)
    text = _SERIAL_WORDS.sub(r"\1(serial)", text)
    text = _ADDRESS.sub("(address)", text)
    for name, word in _names():
        text = re.sub(rf"\b{re.escape(name)}\b", word, text)
    return text


def _places() -> list[tuple[str, str]]:
    """Folders, the longest first."""
    found = {
        str(data_root()): "(npubench)",
        str(cache_root()): "(cache)",
        str(Path.cwd()): "(folder)",
        str(Path.home()): "(home)",
    }
    return sorted(
        ((place, word) for place, word in found.items() if len(place) > 1),
        key=lambda pair: -len(pair[0]),
    )


def _names() -> Iterator[tuple[str, str]]:
    """User and host."""
    with contextlib.suppress(KeyError, OSError):
        yield getpass.getuser(), "(user)"
    host = socket.gethostname()
    if host and host != "localhost":
        yield host, "(host)"


def _texts(runs_dir: Path) -> Iterator[tuple[str, str]]:
    from npubench.toolenv.doctor import examine
    from npubench.toolenv.environment import states

    about = {
        "npubench": VERSION,
        "git": git_state(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "checks": [check.document() for check in examine()],
        "tools": [state.document() for state in states()],
    }
    yield "doctor.json", json.dumps(about, indent=2) + "\n"
    packages = sorted(
        f"{item.metadata['Name']}=={item.version}" for item in importlib.metadata.distributions()
    )
    yield "packages.txt", "\n".join(packages) + "\n"
    files = {"last-internal-error.txt": cache_root() / "last-internal-error.txt"}
    newest = max(runs_dir.glob("*/run.json"), default=None)
    if newest is not None:
        files |= {name: newest.parent / name for name in ("run.json", "events.jsonl")}
    for name, path in files.items():
        if path.is_file():
            yield name, path.read_text(encoding="utf-8", errors="replace")[:MAX_TEXT_BYTES]
