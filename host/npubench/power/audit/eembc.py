"""Folders of EEMBC's EnergyRunner: log.txt, results.txt, trace*-energy.bin, trace*-timestamps.json.

A trace is 0xF1, a little-endian float32 sample rate, then float32 microjoules per sample; the
timestamps are seconds in it. The log has what was asked of the device and when, by the host,
so that a mark belongs to the inference during which it fell, not to the next one in a list.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import ResultError
from npubench.power.audit.result import AuditResult, AuditWindow, PublishedWindow

TRACE_MAGIC = 0xF1
# Between a print on the device and its line in the log.
HOST_SLACK_S = 0.35
LINE = re.compile(r"^(\d+\.\d+)\s+([^:]+):\s?(.*)$")
WRAP_US = 1 << 32


@dataclass(slots=True, kw_only=True)
class LoggedWindow:
    """An ``infer`` in the log: inferences, host times of start and done, laps in microseconds."""

    inferences: int
    start_s: float
    done_s: float | None = None
    laps_us: list[int] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Log:
    """What a log holds: the last session, if there are several."""

    windows: list[LoggedWindow] = field(default_factory=list)
    trace_on_s: float | None = None
    voltage_mv: float | None = None
    errors: list[str] = field(default_factory=list)


def read_log(path: Path) -> Log:
    """Read log.txt. Lines that are not the runner's are passed over."""
    log = Log()
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror}") from error
    for line in text.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        at_s, words = float(match.group(1)), match.group(3)
        if "m-session-start-id" in words:
            log = Log()
        elif found := re.search(r"m-infer-start-(\d+)", words):
            log.windows.append(LoggedWindow(inferences=int(found.group(1)), start_s=at_s))
        elif "m-infer-done" in words and log.windows:
            log.windows[-1].done_s = at_s
        elif found := re.search(r"m-lap-us-(\d+)", words):
            if log.windows and log.windows[-1].done_s is None:
                log.windows[-1].laps_us.append(int(found.group(1)))
        elif "m-trace[on]" in words:
            log.trace_on_s = at_s
        elif found := re.search(r"m-voltage-mv\[(\d+)\]", words):
            log.voltage_mv = float(found.group(1))
        elif found := re.search(r"\be-\[(.*?)\]?$", words):
            log.errors.append(found.group(1).rstrip("]"))
    return log


def read_trace(path: Path) -> tuple[float, NDArray[np.float64]]:
    """Sample rate in hertz and microjoules per sample. Raises ResultError."""
    data = path.read_bytes()
    if len(data) < 9 or data[0] != TRACE_MAGIC:
        raise ResultError(f"{path} is no energy trace of EEMBC's runner")
    rate_hz = float(np.frombuffer(data, "<f4", 1, 1)[0])
    if not 0 < rate_hz < 1e7:
        raise ResultError(f"{path}: a sample rate of {rate_hz} Hz cannot be")
    count = (len(data) - 5) // 4
    return rate_hz, np.frombuffer(data, "<f4", count, 5).astype(np.float64)


def read_published(path: Path) -> tuple[list[PublishedWindow], float | None, float | None]:
    """Windows, median throughput and median energy of results.txt; the last ones count."""
    if not path.exists():
        return [], None, None
    windows: list[PublishedWindow] = []
    ips = energy = None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if found := re.search(
            r"Energy data for window \d+ at time ([\d.]+) for ([\d.]+) sec", line
        ):
            windows.append(
                PublishedWindow(
                    begin_s=float(found.group(1)), seconds=float(found.group(2)), energy_uj=None
                )
            )
        elif found := re.search(r"Energy/Inf\.?\s*:\s*([\d.]+)\s*uJ/inf", line):
            if windows and windows[-1].energy_uj is None:
                last = windows.pop()
                windows.append(
                    PublishedWindow(
                        begin_s=last.begin_s,
                        seconds=last.seconds,
                        energy_uj=float(found.group(1)),
                    )
                )
            else:
                windows.append(
                    PublishedWindow(begin_s=None, seconds=None, energy_uj=float(found.group(1)))
                )
        elif found := re.search(r"Median throughput is\s+([\d.]+)", line):
            ips = float(found.group(1))
        elif found := re.search(r"Median energy cost is\s+([\d.]+)", line):
            energy = float(found.group(1))
    return windows, ips, energy


def read_eembc(folder: Path, mode: str, digests: dict[str, str]) -> AuditResult:
    """Everything of one folder. Damaged raw files become ``problems``."""
    log_path = folder / "log.txt"
    log = read_log(log_path) if log_path.exists() else Log()
    published, ips, energy = read_published(folder / "results.txt")
    problems: list[str] = [] if log_path.exists() else ["log.txt is missing"]
    windows: list[AuditWindow] = []
    marks_count: int | None = None
    if mode == "energy":
        try:
            windows, marks_count = _energy_windows(folder, log)
        except (ResultError, OSError, ValueError) as error:
            problems.append(str(error))
    else:
        windows = [_lap_window(number, item) for number, item in enumerate(log.windows)]
    return AuditResult(
        folder=str(folder),
        mode=mode,
        runner="eembc",
        windows=tuple(windows),
        published_windows=tuple(published),
        published_ips=ips,
        published_uj=energy,
        voltage_mv=log.voltage_mv,
        marks_count=marks_count,
        errors=tuple(log.errors),
        problems=tuple(problems),
        digests=digests,
    )


def _lap_window(number: int, logged: LoggedWindow) -> AuditWindow:
    laps = logged.laps_us
    seconds = None
    if len(laps) >= 2:
        seconds = ((laps[-1] - laps[0]) % WRAP_US) * 1e-6
    return AuditWindow(
        number=number,
        inferences=logged.inferences,
        seconds=seconds,
        host_s=None if logged.done_s is None else logged.done_s - logged.start_s,
        marks=len(laps),
    )


def _energy_windows(folder: Path, log: Log) -> tuple[list[AuditWindow], int]:
    """Each inference with the marks that fell while it ran."""
    traces = sorted(folder.glob("trace*-energy.bin"))
    stamps = sorted(folder.glob("trace*-timestamps.json"))
    if not traces or not stamps:
        raise ResultError("the energy trace or its timestamps are missing")
    rate_hz, samples = read_trace(traces[-1])
    times = np.array([float(value) for value in json.loads(stamps[-1].read_text())])
    if not log.windows:
        # Without a log only the order is left: a mark to begin with, then two for each inference.
        pairs = [(times[at], times[at + 1]) for at in range(1, len(times) - 1, 2)]
        return [
            _energy_window(number, 0, begin, end, rate_hz, samples, 2, None)
            for number, (begin, end) in enumerate(pairs)
        ], len(times)
    origin_s = _origin(log, times)
    windows = []
    for number, logged in enumerate(log.windows):
        done_s = logged.done_s if logged.done_s is not None else logged.start_s
        low = logged.start_s - origin_s - HOST_SLACK_S
        high = done_s - origin_s + HOST_SLACK_S
        inside = times[(times >= low) & (times <= high)]
        host_s = done_s - logged.start_s
        if len(inside) >= 2:
            windows.append(
                _energy_window(
                    number,
                    logged.inferences,
                    float(inside[0]),
                    float(inside[-1]),
                    rate_hz,
                    samples,
                    len(inside),
                    host_s,
                )
            )
        else:
            windows.append(
                AuditWindow(
                    number=number,
                    inferences=logged.inferences,
                    seconds=None,
                    host_s=host_s,
                    marks=len(inside),
                )
            )
    return windows, len(times)


def _origin(log: Log, times: NDArray[np.float64]) -> float:
    """The host time of the trace's second 0: from when it was switched on, refined by the marks."""
    starts = np.array([window.start_s for window in log.windows])
    guess = log.trace_on_s if log.trace_on_s is not None else float(starts[0] - times[0])
    candidates = (starts[:, None] - times[None, :]).reshape(-1)
    if log.trace_on_s is not None:
        candidates = candidates[np.abs(candidates - guess) < 1.5]
    if not len(candidates):
        return guess
    near = np.abs(candidates[:, None] - candidates[None, :]) < 0.05
    best = int(np.argmax(near.sum(axis=1)))
    return float(candidates[near[best]].mean())


def _energy_window(
    number: int,
    inferences: int,
    begin_s: float,
    end_s: float,
    rate_hz: float,
    samples: NDArray[np.float64],
    marks: int,
    host_s: float | None,
) -> AuditWindow:
    first, last = round(begin_s * rate_hz), round(end_s * rate_hz)
    if last > len(samples):
        raise ResultError(
            f"the trace ends at {len(samples) / rate_hz:.3f} s, before a mark at {end_s:.3f} s"
        )
    return AuditWindow(
        number=number,
        inferences=inferences,
        seconds=end_s - begin_s,
        host_s=host_s,
        energy_uj=float(samples[first:last].sum()),
        marks=marks,
    )
