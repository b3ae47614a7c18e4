"""Folders of MLCommons' runner: results.json with, per file, laps or energy samples and marks.

Energy samples are joules per millisecond; a mark is ``[counter, index of the sample]``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

from npubench.audit.eembc import WRAP_US
from npubench.audit.folders import ResultFolder
from npubench.audit.published import Published, read_published
from npubench.audit.result import CLOCK, AuditResult, AuditWindow
from npubench.audit.textfile import read_text
from npubench.core.errors import ResultError

RATE_HZ = 1000.0
MAX_INFERENCES = 10**12
DAY_S = 86_400
# A line of the log: month and day, then the time of day in whole seconds.
STEP = re.compile(
    r"^\d{4}\.(\d{2})(\d{2})(\d{2}) ulp-mlperf: (Loading file|Load complete|Performance results)",
    re.MULTILINE,
)
MODE_LETTERS = {"p": "performance", "e": "energy", "a": "accuracy"}
Mark = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class _Read:
    windows: list[AuditWindow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unpaired: list[str] = field(default_factory=list)
    marks_count: int = 0
    voltage_mv: float | None = None
    last_counter: str | None = None
    clock_us: list[int] = field(default_factory=list)


def read_mlcommons(result: ResultFolder, mode: str) -> AuditResult:
    """Everything of one folder; ``mode`` may be empty, the entries then say it. Raises ResultError
    when results.json is no such file."""
    entries = _entries(result)
    letter = next((entry["mode"] for entry in entries if isinstance(entry.get("mode"), str)), "")
    mode = mode or MODE_LETTERS.get(letter, "performance")
    read = _Read()
    published = Published()
    if result.published is None:
        read.problems.append("results.txt is missing: nothing published to compare with")
    else:
        published = read_published(result.published)
    streaming = result.is_streaming
    for number, entry in enumerate(entries):
        infer = entry.get("infer")
        if not isinstance(infer, dict):
            if mode != "accuracy":
                read.problems.append(f"entry {number} of results.json has no infer")
            continue
        streaming = streaming or "wav_file" in infer
        try:
            if mode == "energy":
                _read_energy(number, infer, entry.get("power"), read)
            elif "start_time" in infer and "end_time" in infer:
                _read_laps(number, infer, read)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            read.problems.append(f"entry {number} of results.json cannot be read: {error}")
    spans_s = _spans(result)
    if len(spans_s) == len(read.windows):
        read.windows = [
            replace(window, host_s=span_s if math.isfinite(span_s) else None)
            for window, span_s in zip(read.windows, spans_s, strict=True)
        ]
    digests = result.digests()
    if len(read.clock_us) >= 4:
        digests[CLOCK] = ResultFolder.digest(json.dumps(read.clock_us).encode())
    return AuditResult(
        folder=str(result.path),
        mode=mode,
        runner="mlcommons",
        windows=tuple(read.windows),
        published_windows=tuple(published.windows(mode)),
        published_ips=published.ips,
        published_uj=published.energy_uj if mode == "energy" else None,
        voltage_mv=read.voltage_mv,
        marks_count=read.marks_count if mode == "energy" else None,
        streaming=streaming,
        problems=tuple(read.problems),
        unpaired=tuple(read.unpaired),
        digests=digests,
    )


def _spans(result: ResultFolder) -> list[float]:
    """How long each inference took at most by the log: from the end of a load to the step after
    it, and the second to which both are rounded down. The last of an energy run has no step
    after it."""
    try:
        text = read_text(result.log) if result.log is not None else ""
    except ResultError:
        return []
    steps = [
        (3600 * int(hour) + 60 * int(minute) + int(second), what)
        for hour, minute, second, what in STEP.findall(text)
    ]
    return [
        float((steps[at + 1][0] - begin_s) % DAY_S + 1) if at + 1 < len(steps) else math.inf
        for at, (begin_s, what) in enumerate(steps)
        if what == "Load complete"
    ]


def _entries(result: ResultFolder) -> list[dict[str, Any]]:
    path = result.document
    if path is None:
        raise ResultError(f"{result.path}: results.json is missing")
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path} is no JSON: {error}") from error
    entries = document if isinstance(document, list) else [document]
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ResultError(f"{path} is no list of inferences as MLCommons' runner writes it")
    return entries


def _read_laps(number: int, infer: dict[str, Any], read: _Read) -> None:
    begin_us, end_us = int(infer["start_time"]), int(infer["end_time"])
    read.clock_us += [begin_us, end_us]
    read.windows.append(
        AuditWindow(
            number=number,
            inferences=_count(infer.get("iterations", 0)),
            seconds=((end_us - begin_us) % WRAP_US) * 1e-6,
        )
    )


def _read_energy(number: int, infer: dict[str, Any], power: Any, read: _Read) -> None:
    if not isinstance(power, dict):
        read.problems.append(f"window {number}: results.json holds no power samples")
        return
    marks: list[Mark] = [(str(mark[0]), int(mark[1])) for mark in power.get("timestamps") or []]
    read.marks_count += len(marks)
    if power.get("voltage") is not None:
        voltage_mv = float(power["voltage"]) * 1000.0
        if not 0 < voltage_mv < 1e6:
            raise ValueError(f"a voltage of {voltage_mv} mV cannot be")
        read.voltage_mv = voltage_mv
    for at, (text, _) in enumerate(marks):
        restarts = at == 0 and not text.strip("0")  # the monitor, for each window
        if read.last_counter and not restarts and not _follows(read.last_counter, text):
            read.unpaired.append(
                f"window {number}: mark {text[:20]!r} does not follow {read.last_counter[:20]!r}"
            )
        read.last_counter = text
    seconds = energy_uj = None
    if len(marks) >= 2:
        samples = power.get("samples") or []
        begin, end = marks[-2][1], marks[-1][1]
        seconds = (end - begin) / RATE_HZ
        if not 0 <= begin < end <= len(samples):
            read.problems.append(
                f"window {number}: {len(samples)} samples, but marks at {begin} and {end}"
            )
            seconds = None
        else:
            energy_uj = float(sum(samples[begin:end])) * 1e6
            if not math.isfinite(energy_uj):
                read.problems.append(f"window {number}: samples are not finite")
                energy_uj = None
    read.windows.append(
        AuditWindow(
            number=number,
            inferences=_count(infer.get("iterations", 0)),
            seconds=seconds,
            energy_uj=energy_uj,
            marks=len(marks),
        )
    )


def _count(value: Any) -> int:
    count = int(value)
    if not 0 <= count < MAX_INFERENCES:
        raise ValueError("its iterations cannot be")
    return count


def _follows(last: str, text: str) -> bool:
    """Marks are counted by the monitor, in two digits, decimal or hexadecimal. A number left out
    is a mark that was lost. What is no number says nothing."""
    for base, size in ((16, 256), (10, 100)):
        try:
            if (int(text, base) - int(last, base)) % size == 1:
                return True
        except ValueError:
            if base == 16:
                return True
    return False
