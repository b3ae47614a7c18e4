"""Where results lie: a repository, a submitter, a system or one folder of a run.

MLCommons' layout is closed/SUBMITTER/results/SYSTEM/BENCHMARK/MODE/. Some submitters put a level
of their own between, call energy "power", or name the files performance_log.txt and the like.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.audit.textfile import read_bytes, read_text
from npubench.core.errors import ResultError, UsageError

MODES = ("performance", "energy", "accuracy")
MODE_WORDS = {**{mode: mode for mode in MODES}, "power": "energy"}
PREFIX = r"(?:(?:performance|energy|power|accuracy)[_-])?"
LOG_NAME = re.compile(rf"{PREFIX}log\.txt", re.IGNORECASE)
PUBLISHED_NAME = re.compile(rf"{PREFIX}results?\.txt", re.IGNORECASE)
JSON_NAME = re.compile(rf"{PREFIX}results\.json", re.IGNORECASE)
RAW_NAME = re.compile(
    rf"(?:{PREFIX}log\.txt|{PREFIX}results\.json|.*-energy\.bin|.*-timestamps\.json)", re.IGNORECASE
)
# How a runner's file begins or what it has in it, to tell it from others of the same name.
OF_A_RUNNER = re.compile(
    r"m-session-start-id|m-infer-start-|Logging initialized\. Writing output to"
    r"|Median (?:throughput|energy)|Energy data for (?:window|trial)|Performance results for window"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFolder:
    """One run's folder and its files. ``own_mode`` is what its name says, ``outer_mode`` what the
    name of a folder above it says, up to the one that was asked for; else they are empty."""

    path: Path
    names: tuple[str, ...]
    own_mode: str
    outer_mode: str

    @property
    def log(self) -> Path | None:
        return self._first(LOG_NAME)

    @property
    def published(self) -> Path | None:
        return self._first(PUBLISHED_NAME)

    @property
    def document(self) -> Path | None:
        """results.json of MLCommons' runner."""
        return self._first(JSON_NAME)

    @property
    def has_trace(self) -> bool:
        return any(name.endswith(("-energy.bin", "-timestamps.json")) for name in self.names)

    def _first(self, pattern: re.Pattern[str]) -> Path | None:
        names = [name for name in self.names if pattern.fullmatch(name)]
        return self.path / min(names, key=len) if names else None

    def digests(self) -> dict[str, str]:
        """SHA-256 of each raw file, of text without its kind of line end."""
        found = {}
        for name in self.names:
            if not RAW_NAME.fullmatch(name):
                continue
            try:
                data = read_bytes(self.path / name)
            except ResultError:
                continue  # said where the file is read
            if not name.endswith(".bin"):
                data = data.replace(b"\r\n", b"\n").strip()
            if data:
                found[name] = self.digest(data)
        return found

    @staticmethod
    def digest(data: bytes) -> str:
        return hashlib.sha256(data).hexdigest()


def find_results(roots: Sequence[Path]) -> tuple[list[ResultFolder], list[OSError]]:
    """Every folder with results below ``roots``, each once, and what could not be looked into.
    Raises UsageError for no result at all."""
    found: dict[Path, ResultFolder] = {}
    closed: list[OSError] = []
    for root in roots:
        if not root.is_dir():
            raise UsageError(
                f"{root} is no folder", hint="name a folder of results, or one above it"
            )
        for path, names in _walk(root, closed):
            result = _result(root, path, names)
            if result is not None:
                found.setdefault(path.resolve(), result)
    if not found:
        words = f"there are no results below {', '.join(map(str, roots))}"
        if closed:
            words += f" ({closed[0].filename}: {closed[0].strerror})"
        raise UsageError(
            words,
            hint="a result folder holds log.txt and results.txt, or results.json",
        )
    return [found[key] for key in sorted(found)], closed


def _walk(root: Path, closed: list[OSError]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for directory, below, names in os.walk(root, onerror=closed.append):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(directory), tuple(sorted(names))


def _result(root: Path, path: Path, names: tuple[str, ...]) -> ResultFolder | None:
    patterns = (LOG_NAME, PUBLISHED_NAME, JSON_NAME)
    has_trace = any(name.endswith("-energy.bin") for name in names)
    texts = [name for name in names if any(item.fullmatch(name) for item in patterns)]
    if not texts and not has_trace:
        return None
    own = _mode_in(path.resolve().name)
    above = path.relative_to(root).parts[:-1]
    outer = next((mode for part in reversed(above) if (mode := _mode_in(part))), "")
    result = ResultFolder(path=path, names=names, own_mode=own, outer_mode=outer)
    if own or has_trace or path == root or any(_is_of_a_runner(path / name) for name in texts):
        return result
    return None


def _mode_in(name: str) -> str:
    lower = name.lower()
    if lower in MODE_WORDS:
        return MODE_WORDS[lower]
    words = re.split(r"[^a-z]+", lower)
    return next((MODE_WORDS[word] for word in words if word in MODE_WORDS), "")


def _is_of_a_runner(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            text = read_text(path)
            return text.lstrip().startswith("[") and '"infer"' in text
        return OF_A_RUNNER.search(read_text(path)) is not None
    except ResultError:
        return False
