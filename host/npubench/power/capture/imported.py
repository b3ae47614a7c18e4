"""A file of another program as a capture in a folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import MonitorError, StorageError
from npubench.power.capture.free import Totals, doubts, totals
from npubench.power.parts import Capture, PartsWriter, read_capture
from npubench.power.registry import load_driver
from npubench.power.source.driver import Options
from npubench.power.source.failure import RecordingEnded, understood
from npubench.power.source.interface import Setup

# How files begin that are known, but not read here: with what to do.
FOREIGN = (
    (b"\x1f\x8b", "compressed (gzip)", "unpack it first"),
    (b"SQLite", "a database", "export it as CSV in the program that wrote it"),
    (b"<SALEAE>", "a binary export of Saleae Logic", "export it as CSV"),
    (b"PAR1", "a Parquet file", "export it as CSV"),
)
DRIVERS = ((b"PK\x03\x04", "ppk2_file"), (b"jlsfmt", "jls_file"))
# Below this nothing was measured that a board draws: the unit is probably another one.
FAINT_UA = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import gave. ``findings``: what is to be known about it, each with its name."""

    capture: Capture
    totals: Totals
    findings: tuple[str, ...]


def import_file(path: Path, folder: Path, options: Options, *, voltage_mv: float) -> Imported:
    """Read ``path`` into a capture in ``folder``, which must be new.

    ``voltage_mv``: the supply's, where the file has none. Raises MonitorError for a file that
    cannot be read for sure, StorageError; nothing is left in ``folder`` then.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StorageError(f"{folder} is not empty", hint="choose a new folder")
    fresh = not folder.exists()
    driver = load_driver(_driver_of(path))
    try:
        with understood(str(path)), driver.open(str(path), options) as source:
            identity = source.describe()
            traits = source.configure(Setup(voltage_mv=voltage_mv))
            source.start()
            with PartsWriter(folder, identity=identity, traits=traits) as writer:
                try:
                    while True:
                        block = source.read(0.0)
                        if block is not None:
                            writer.add(block)
                except RecordingEnded:
                    writer.finish(source.loss())
        capture = read_capture(folder)
        found = totals(capture)
        if found.samples == found.lost:
            raise MonitorError(f"{path} holds no sample that can be read")
    except BaseException:
        if folder.exists():
            for part in folder.iterdir():
                part.unlink()
            if fresh:
                shutil.rmtree(folder)
        raise
    return Imported(capture=capture, totals=found, findings=_findings(capture, found))


def _driver_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise MonitorError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise MonitorError(f"{path} is empty")
    for mark, what, hint in FOREIGN:
        if head.startswith(mark):
            raise MonitorError(f"{path} is {what}, which is not read here", hint=hint)
    return next((name for mark, name in DRIVERS if head.startswith(mark)), "csv")


def _findings(capture: Capture, found: Totals) -> tuple[str, ...]:
    findings = [str(reason) for reason in doubts(capture, found)]
    notes = () if capture.loss is None else capture.loss.notes
    findings += [f"rows-unread: {note}" for note in notes]
    if found.mean_ua < 0:
        findings.append(
            f"negative-mean: the mean current is {found.mean_ua:.3g} uA; were the leads exchanged?"
        )
    if max(abs(found.low_ua), abs(found.high_ua)) < FAINT_UA:
        findings.append(
            f"faint: no sample is beyond {FAINT_UA:g} uA; is the unit of the current right?"
        )
    return tuple(findings)
