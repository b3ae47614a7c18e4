"""The check that a repository's CI runs: every result is what it says, and may stand there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from npubench.bench.verify import verify_run
from npubench.core.errors import NpubenchError
from npubench.results.privacy import private_parts
from npubench.results.repository import About, archive_name, archives, read_about
from npubench.runs.archive import unpack
from npubench.runs.store import StoredRun, read_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Something that keeps a result out."""

    archive: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryCheck:
    """All of a repository. ``partial``: results of which something could not be derived here."""

    count: int
    mistakes: tuple[Mistake, ...]
    partial: tuple[Mistake, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.mistakes

    def document(self) -> dict[str, Any]:
        """The check as JSON values."""
        return {
            "ok": self.ok,
            "results": self.count,
            "mistakes": [asdict(item) for item in self.mistakes],
            "partial": [asdict(item) for item in self.partial],
        }


def check_repository(folder: Path) -> RepositoryCheck:
    """Check every archive. Raises ConfigError when the folder is no repository."""
    about = read_about(folder)
    mistakes: list[Mistake] = []
    partial: list[Mistake] = []
    seen: dict[str, str] = {}
    count = 0
    for archive in archives(folder):
        count += 1
        name = archive.relative_to(folder).as_posix()
        with tempfile.TemporaryDirectory(prefix="npubench-results-") as scratch:
            try:
                folders = unpack(archive, Path(scratch))
                if len(folders) != 1:
                    mistakes.append(Mistake(archive=name, what="it holds more than one run"))
                    continue
                run = read_run(folders[0])
                mistakes += [
                    Mistake(archive=name, what=what) for what in _wrong(about, run, name, seen)
                ]
                outcome = verify_run(run)
            except NpubenchError as error:
                mistakes.append(Mistake(archive=name, what=error.message))
                continue
        for check in outcome.checks:
            text = f"{check.what}: {check.found}, by the bytes {check.expected}"
            if check.status == "differs":
                mistakes.append(Mistake(archive=name, what=text))
            elif check.status == "unknown":
                partial.append(Mistake(archive=name, what=text))
    return RepositoryCheck(count=count, mistakes=tuple(mistakes), partial=tuple(partial))


def _wrong(about: About, run: StoredRun, name: str, seen: dict[str, str]) -> Iterator[str]:
    record = run.record
    if name != archive_name(record):
        yield f"it belongs at {archive_name(record)}"
    if record.status != "ok":
        yield f"the run is {record.status}"
    if record.model.network_sha256 not in about.models:
        yield (
            f"no licence is given for the network {record.model.name}: "
            f"[models.{record.model.network_sha256}]"
        )
    if record.run_id in seen:
        yield f"the run stands in {seen[record.run_id]}, too"
    seen[record.run_id] = name
    for what in private_parts(run.path):
        yield f"private: {what}"
