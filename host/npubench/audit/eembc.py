"""Folders of EEMBC's EnergyRunner: log.txt, results.txt, trace*-energy.bin, trace*-timestamps.json.

A trace is 0xF1, a little-endian float32 sample rate, then float32 microjoules per sample; the
timestamps are seconds in it. The log has what was asked of the device and when, by the host,
so that a mark belongs to the inference during which it fell, not to the next one in a list.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npubench.audit.accuracy import score
from npubench.audit.clock import TraceClock, fit_clock
from npubench.audit.folders import ResultFolder
from npubench.audit.identity import identify
from npubench.audit.labels import Labels
from npubench.audit.log import Log, LoggedWindow, read_log
from npubench.audit.printed import Published, PublishedWindow
from npubench.audit.published import read_published
from npubench.audit.result import CLOCK, AuditResult, AuditWindow
from npubench.audit.textfile import AbsentError, read_bytes, read_text
from npubench.core.errors import ResultError

TRACE_MAGIC = 0xF1
# Between a print on the device and its line in the log.
HOST_SLACK_S = 0.35
# Below this part of starts and ends that meet a mark, the log's times are another clock's.
MIN_FIT_RATIO = 0.5
WRAP_US = 1 << 32


@dataclass(slots=True, kw_only=True)
class _Energy:
    windows: list[AuditWindow] = field(default_factory=list)
    uploads_s: list[tuple[float, float]] = field(default_factory=list)
    marks_count: int | None = None
    problems: list[str] = field(default_factory=list)


def read_trace(path: Path) -> tuple[float, NDArray[np.float64]]:
    """Sample rate in hertz and microjoules per sample. Raises ResultError."""
    data = read_bytes(path)
    if len(data) < 9 or data[0] != TRACE_MAGIC:
        raise ResultError(f"{path} is no energy trace of EEMBC's runner")
    rate_hz = float(np.frombuffer(data, "<f4", 1, 1)[0])
    if not 0 < rate_hz < 1e7:
        raise ResultError(f"{path}: a sample rate of {rate_hz} Hz cannot be")
    count = (len(data) - 5) // 4
    with np.errstate(invalid="ignore"):  # what is no number is said where it is summed
        return rate_hz, np.frombuffer(data, "<f4", count, 5).astype(np.float64)


def read_stamps(path: Path) -> NDArray[np.float64]:
    """Times of the marks in seconds of the trace. Raises ResultError."""
    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, list) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
        for value in values
    ):
        raise ResultError(f"{path} is no list of times in seconds")
    return np.array(values, np.float64)


def read_eembc(result: ResultFolder, mode: str, labels: Labels) -> AuditResult:
    """Everything of one folder. Missing files are ``absent``, damaged ones ``problems``."""
    absent: list[str] = []
    problems: list[str] = []
    log, published = Log(), Published()
    try:
        if result.log is None:
            absent.append("log.txt")
        else:
            log = read_log(result.log)
            if not (log.windows or log.answers):
                problems.append(f"{result.log.name} holds no inference")
    except AbsentError as error:
        absent.append(error.message)
    except ResultError as error:
        problems.append(error.message)
    try:
        if result.published is None:
            absent.append("results.txt")
        else:
            published = read_published(result.published)
    except AbsentError as error:
        absent.append(error.message)
    except ResultError as error:
        problems.append(error.message)
    energy = _Energy()
    if mode == "energy":
        try:
            energy = _read_energy(result, log, published.windows(mode))
        except AbsentError as error:
            absent.append(error.message)
        except ResultError as error:
            problems.append(error.message)
        problems += energy.problems
    if mode == "performance" or (mode == "energy" and not energy.windows):
        energy.windows = [
            _lap_window(number, item, mode) for number, item in enumerate(log.windows)
        ]
    dropped, of_packets = log.dropped
    identity = identify(result.path, has_own_mode=bool(result.own_mode), model=log.model)
    answers = log.answers if mode == "accuracy" else []
    return AuditResult(
        folder=str(result.path),
        mode=mode,
        runner=log.runner,
        windows=tuple(energy.windows),
        published_windows=tuple(published.windows(mode)),
        published_ips=published.ips,
        published_uj=published.energy_uj if mode == "energy" else None,
        printed=published,
        identity=identity,
        accuracy=score(identity.benchmark, answers, labels),
        voltage_mv=log.voltage_mv,
        voltage_due=bool(log.windows),
        marks_count=energy.marks_count,
        streaming=identity.benchmark == "sww",
        dropped_ratio=dropped / of_packets if of_packets else None,
        uploads_s=tuple(energy.uploads_s),
        errors=tuple(log.errors),
        absent=tuple(absent),
        problems=tuple(problems),
        digests={**result.digests(), **_lap_digest(log)},
    )


def _lap_digest(log: Log) -> dict[str, str]:
    """The device's own clock readings: two runs never share them."""
    laps = [lap for window in log.windows for lap in window.laps_us]
    return {CLOCK: ResultFolder.digest(json.dumps(laps).encode())} if len(laps) >= 4 else {}


def _lap_window(number: int, logged: LoggedWindow, mode: str) -> AuditWindow:
    """A window by the device's laps; of an energy run without a trace only the host's time is
    left, as the device then prints none."""
    laps = logged.laps_us
    seconds = None
    if len(laps) >= 2:
        seconds = ((laps[-1] - laps[0]) % WRAP_US) * 1e-6
    return AuditWindow(
        number=number,
        inferences=logged.inferences,
        seconds=seconds,
        host_s=None if logged.done_s is None else logged.done_s - logged.start_s,
        marks=len(laps) if mode == "performance" else 2,
    )


def _read_energy(result: ResultFolder, log: Log, published: Sequence[PublishedWindow]) -> _Energy:
    trace_path = _registered(result.path, log.trace_name, "*-energy.bin")
    stamps_path = _registered(result.path, log.stamps_name, "*-timestamps.json")
    missing = [
        name
        for name, path in (
            ("trace*-energy.bin", trace_path),
            ("trace*-timestamps.json", stamps_path),
        )
        if path is None
    ]
    if trace_path is None or stamps_path is None:
        raise AbsentError(" and ".join(missing))
    energy = _Energy()
    rate_hz, samples = read_trace(trace_path)
    if (trace_path.stat().st_size - 5) % 4:
        energy.problems.append(f"{trace_path.name} ends within a sample")
    times = read_stamps(stamps_path)
    if np.any(np.diff(times) < 0):
        energy.problems.append(f"{stamps_path.name}: the marks are not in order of time")
        times = np.sort(times)
    energy.marks_count = len(times)
    trace = _Trace(rate_hz=rate_hz, samples=samples, problems=energy.problems)
    by_order = [(float(times[at]), float(times[at + 1])) for at in range(1, len(times) - 1, 2)]
    clock = fit_clock(log, times)
    if log.windows and clock.fit_ratio < MIN_FIT_RATIO and len(times) == 1 + 2 * len(log.windows):
        energy.problems.append(
            "the log's times do not fit the marks of the trace: windows are taken by their order"
        )
        for number, (logged, (begin, end)) in enumerate(zip(log.windows, by_order, strict=True)):
            energy.windows.append(
                AuditWindow(
                    number=number,
                    inferences=logged.inferences,
                    seconds=end - begin,
                    host_s=None if logged.done_s is None else logged.done_s - logged.start_s,
                    energy_uj=trace.energy_uj(number, begin, end),
                )
            )
    elif log.windows:
        energy.uploads_s = [
            (clock.trace_s(begin), clock.trace_s(end)) for begin, end in log.uploads_s
        ]
        begins_s = [window.start_s for window in log.windows]
        for number, logged in enumerate(log.windows):
            next_s = begins_s[number + 1] if number + 1 < len(begins_s) else math.inf
            energy.windows.append(_by_log(number, logged, next_s, clock, times, trace))
    else:
        # Without a log only the order is left: a mark to begin with, then two for each inference.
        for number, (begin, end) in enumerate(by_order):
            inferences = published[number].inferences if number < len(published) else None
            energy.windows.append(
                AuditWindow(
                    number=number,
                    inferences=inferences or 0,
                    seconds=end - begin,
                    energy_uj=trace.energy_uj(number, begin, end),
                )
            )
    return energy


@dataclass(slots=True, kw_only=True)
class _Trace:
    rate_hz: float
    samples: NDArray[np.float64]
    problems: list[str]

    def energy_uj(self, number: int, begin_s: float, end_s: float) -> float | None:
        """Energy between two marks; None, and a problem, where the trace does not hold it."""
        first, last = round(begin_s * self.rate_hz), round(end_s * self.rate_hz)
        if first < 0 or last > len(self.samples):
            self.problems.append(
                f"window {number}: the trace ends at {len(self.samples) / self.rate_hz:.3f} s, "
                f"a mark is at {end_s:.3f} s"
            )
            return None
        with np.errstate(invalid="ignore"):
            energy = float(self.samples[first:last].sum())
        if not math.isfinite(energy):
            self.problems.append(f"window {number}: samples are not finite")
            return None
        return energy


def _by_log(
    number: int,
    logged: LoggedWindow,
    next_s: float,
    clock: TraceClock,
    times: NDArray[np.float64],
    trace: _Trace,
) -> AuditWindow:
    """An inference with the marks that fell while it ran, or until the next where the log has not
    its end."""
    low = clock.trace_s(logged.start_s) - HOST_SLACK_S
    high = clock.trace_s(next_s) - HOST_SLACK_S
    if logged.done_s is not None:
        high = clock.trace_s(logged.done_s) + HOST_SLACK_S
    inside = times[(times >= low) & (times <= high)]
    seconds = energy = None
    if len(inside) >= 2:
        begin, end = float(inside[0]), float(inside[-1])
        seconds, energy = end - begin, trace.energy_uj(number, begin, end)
    return AuditWindow(
        number=number,
        inferences=logged.inferences,
        seconds=seconds,
        host_s=None if logged.done_s is None else logged.done_s - logged.start_s,
        energy_uj=energy,
        marks=len(inside),
        infer_begin_s=clock.trace_s(logged.start_s),
    )


def _registered(folder: Path, name: str, pattern: str) -> Path | None:
    """The file that the log names, else the last one by number."""
    if name and (folder / name).is_file():
        return folder / name
    found = [path for path in folder.glob(pattern) if path.is_file()]
    return max(found, key=lambda path: _by_number(path.name), default=None)


def _by_number(name: str) -> tuple[int, str]:
    digits = re.search(r"\d{1,9}", name)
    return (int(digits.group()) if digits else -1, name)
