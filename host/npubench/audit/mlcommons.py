"""Folders of MLCommons' runner: results.json with, per file, laps or energy samples and marks.

Energy samples are joules per millisecond; a mark is ``[counter, index of the sample]``.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from npubench.audit.accuracy import Answer, score
from npubench.audit.eembc import WRAP_US
from npubench.audit.folders import ResultFolder
from npubench.audit.identity import identify
from npubench.audit.labels import Labels
from npubench.audit.mc_log import McLog, read_mc_log
from npubench.audit.printed import Published
from npubench.audit.published import read_published
from npubench.audit.result import CLOCK, AuditResult, AuditWindow
from npubench.audit.streaming import StreamingRun, duty
from npubench.audit.textfile import AbsentError, read_text
from npubench.core.errors import ResultError

RATE_HZ = 1000.0
MAX_INFERENCES = 10**12
# How far the first window's time for an inference may be off the others'.
BOOT_TOLERANCE_RATIO = 0.01
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
    answers: list[Answer] = field(default_factory=list)
    streaming_run: StreamingRun | None = None
    errors: list[str] = field(default_factory=list)


# What the runner writes as an entry of its own, beside those of the windows (script.py).
RUNNER_ERRORS = {
    "error 1": "the runner: the loop was not exactly 5",
    "error 2": "the runner: the loop ended before 10 s",
}


def read_mlcommons(result: ResultFolder, mode: str, labels: Labels) -> AuditResult:
    """Everything of one folder; ``mode`` may be empty, the entries then say it. Where results.json
    was not submitted the log serves for what it has."""
    absent: list[str] = []
    read = _Read()
    entries: list[dict[str, Any]] = []
    try:
        if result.document is None:
            absent.append("results.json")
        else:
            entries = _entries(result.document)
    except AbsentError as error:
        absent.append(error.message)
    except ResultError as error:
        read.problems.append(error.message)
    letter = next((entry["mode"] for entry in entries if isinstance(entry.get("mode"), str)), "")
    mode = mode or MODE_LETTERS.get(letter, "performance")
    published = Published()
    try:
        if result.published is None:
            absent.append("results.txt")
        else:
            published = read_published(result.published)
    except AbsentError as error:
        absent.append(error.message)
    except ResultError as error:
        read.problems.append(error.message)
    log = McLog()
    if result.log is not None:
        with suppress(ResultError):  # its lines are a second witness at most
            log = read_mc_log(result.log)
    identity = identify(result.path, has_own_mode=bool(result.own_mode), model=log.model)
    streaming = identity.benchmark == "sww"
    for number, entry in enumerate(entries):
        infer = entry.get("infer")
        told = entry.get("error")
        if infer is None and isinstance(told, str):
            read.errors.append(RUNNER_ERRORS.get(told, f"the runner: {told[:80]}"))
            continue
        if not isinstance(infer, dict):
            if mode != "accuracy":
                read.problems.append(f"entry {number} of results.json has no infer")
            continue
        streaming = streaming or "wav_file" in infer
        try:
            if mode == "accuracy":
                _read_answer(entry, infer, read)
            elif mode == "energy":
                _read_energy(number, infer, entry.get("power"), read)
            elif "start_time" in infer and "end_time" in infer:
                _read_laps(number, infer, read)
            if "wav_file" in infer:
                read.streaming_run = _read_streaming(infer, entry.get("dutycycle"))
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            read.problems.append(f"entry {number} of results.json cannot be read: {error}")
    if len(log.spans_s) == len(read.windows):
        read.windows = [
            replace(window, host_s=span_s if math.isfinite(span_s) else None)
            for window, span_s in zip(read.windows, log.spans_s, strict=True)
        ]
    _forgive_boot_mark(read)
    digests = result.digests()
    if len(read.clock_us) >= 4:
        digests[CLOCK] = ResultFolder.digest(json.dumps(read.clock_us).encode())
    answers = (read.answers or log.answers) if mode == "accuracy" else []
    return AuditResult(
        folder=str(result.path),
        mode=mode,
        runner="mlcommons",
        windows=tuple(read.windows),
        published_windows=tuple(published.windows(mode)),
        published_ips=published.ips,
        published_uj=published.energy_uj if mode == "energy" else None,
        printed=published,
        identity=identity,
        accuracy=score(identity.benchmark, answers, labels),
        streaming_run=read.streaming_run or log.streaming_run,
        voltage_mv=read.voltage_mv,
        voltage_due=bool(entries),
        marks_count=read.marks_count if mode == "energy" else None,
        streaming=streaming,
        absent=tuple(absent),
        problems=tuple(read.problems),
        errors=tuple(read.errors),
        unpaired=tuple(read.unpaired),
        digests=digests,
    )


def _forgive_boot_mark(read: _Read) -> None:
    """The device marks its start too. In the first window such a mark may stand before the
    inference's two: it does when these last as long as in the other windows."""
    if not read.windows or read.windows[0].marks != 3 or read.unpaired:
        return
    first, others = read.windows[0], read.windows[1:]
    each_s = [
        window.seconds / window.inferences
        for window in others
        if window.seconds and window.inferences and window.marks == 2
    ]
    if not each_s or not first.seconds or not first.inferences:
        return
    if abs(first.seconds / first.inferences / median(each_s) - 1) <= BOOT_TOLERANCE_RATIO:
        read.windows[0] = replace(first, marks=2)


def _read_answer(entry: dict[str, Any], infer: dict[str, Any], read: _Read) -> None:
    scores = tuple(float(value) for value in infer["results"])
    if not scores or not all(map(math.isfinite, scores)):
        raise ValueError("its answer is no list of numbers")
    label = entry.get("class")
    read.answers.append(
        Answer(
            name=str(entry.get("file", "")),
            scores=scores,
            label=None if label is None else int(label),
        )
    )


def _read_streaming(infer: dict[str, Any], frames: Any) -> StreamingRun:
    times = duty(frames["start_times_s"], frames["stop_times_s"]) if frames else None
    return StreamingRun(
        detections_ms=tuple(int(value) for value in infer.get("detections", ())),
        words_s=tuple(
            (float(begin), float(end)) for begin, end in infer.get("detection_windows", ())
        ),
        duty_ratio=times[0] if times else None,
        period_s=times[1] if times else None,
        length_s=float(infer["length_sec"]) if "length_sec" in infer else None,
    )


def _entries(path: Path) -> list[dict[str, Any]]:
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
