"""Folders of MLCommons' runner: results.json with, per file, laps or energy samples and marks.

Energy samples are joules per millisecond; a mark is ``[counter, index of the sample]``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from npubench.core.errors import ResultError
from npubench.power.audit.eembc import WRAP_US, read_published
from npubench.power.audit.result import AuditResult, AuditWindow

RATE_HZ = 1000.0


def read_mlcommons(folder: Path, mode: str, digests: dict[str, str]) -> AuditResult:
    """Everything of one folder. Raises ResultError when results.json is no such file."""
    path = folder / "results.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResultError(f"{path} cannot be read: {error}") from error
    published, ips, energy = read_published(folder / "results.txt")
    windows: list[AuditWindow] = []
    problems: list[str] = []
    marks_count = 0
    voltage_mv: float | None = None
    last_counter: int | None = None
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
        if not isinstance(entry, dict) or "infer" not in entry:
            continue
        infer = entry["infer"] or {}
        power = entry.get("power") or {}
        if mode == "energy" and power:
            marks = [(str(mark[0]), int(mark[1])) for mark in power.get("timestamps", [])]
            marks_count += len(marks)
            if power.get("voltage") is not None:
                voltage_mv = float(power["voltage"]) * 1000.0
            last_counter = _check_counters(number, marks, last_counter, problems)
            windows.append(_energy_window(number, infer, power, marks, problems))
        elif mode != "energy" and "start_time" in infer and "end_time" in infer:
            microseconds = (int(infer["end_time"]) - int(infer["start_time"])) % WRAP_US
            windows.append(
                AuditWindow(
                    number=number,
                    inferences=int(infer.get("iterations", 0)),
                    seconds=microseconds * 1e-6,
                )
            )
    return AuditResult(
        folder=str(folder),
        mode=mode,
        runner="mlcommons",
        windows=tuple(windows),
        published_windows=tuple(published),
        published_ips=ips,
        published_uj=energy,
        voltage_mv=voltage_mv,
        marks_count=marks_count if mode == "energy" else None,
        problems=tuple(problems),
        digests=digests,
    )


def _check_counters(
    number: int, marks: list[tuple[str, int]], last: int | None, problems: list[str]
) -> int | None:
    """Marks are counted by the monitor; a number that is left out is a mark that was lost."""
    for text, _ in marks:
        values = [int(text, 16)] + ([int(text)] if text.isdigit() else [])
        if last is not None and all(
            (value - last) % 256 != 1 and (value - last) % 100 != 1 for value in values
        ):
            problems.append(f"window {number}: mark {text} does not follow the one before")
        last = values[-1]
    return last


def _energy_window(
    number: int,
    infer: dict[str, Any],
    power: dict[str, Any],
    marks: list[tuple[str, int]],
    problems: list[str],
) -> AuditWindow:
    inferences = int(infer.get("iterations", 0))
    samples = power.get("samples", [])
    if len(marks) < 2:
        return AuditWindow(number=number, inferences=inferences, seconds=None, marks=len(marks))
    begin, end = marks[-2][1], marks[-1][1]
    if end > len(samples):
        problems.append(f"window {number}: {len(samples)} samples, but a mark at {end}")
    return AuditWindow(
        number=number,
        inferences=inferences,
        seconds=(end - begin) / RATE_HZ,
        energy_uj=float(sum(samples[begin:end])) * 1e6,
        marks=len(marks),
    )
