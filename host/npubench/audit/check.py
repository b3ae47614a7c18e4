"""What is wrong with published results, each with the rule it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.audit.eembc import read_eembc
from npubench.audit.folders import ResultFolder, find_results
from npubench.audit.log import read_log
from npubench.audit.mlcommons import read_mlcommons
from npubench.audit.result import CLOCK, AuditResult, AuditWindow
from npubench.core.errors import ResultError
from npubench.core.progress import Event, Reporter, Silent

MIN_WINDOW_S = 10.0
MIN_INFERENCES = 10
WINDOWS = 5
ENERGY_TOLERANCE_RATIO = 0.002
THROUGHPUT_TOLERANCE_RATIO = 0.002
MODES_TOLERANCE_RATIO = 0.01
# A window of inferences alone begins and ends with the host's lines, give or take. The second
# figure is for the device's own clock, which may be off.
HOST_TOLERANCE_S = 0.5
CLOCK_TOLERANCE_RATIO = 0.05
UPLOAD_TOLERANCE_S = 0.1
# In the streaming test a stop before the start may leave a mark of its own.
STREAMING_MARKS = (2, 3)
PROGRESS_EVERY = 100

RULES = {
    "marks-do-not-pair": "the marks are not one to begin with and exactly two a window",
    "window-too-short": "a window lasts less than 10 s or holds fewer than 10 inferences",
    "window-count": "there are not five windows",
    "upload-in-window": "a published window holds time outside the inferences, such as an upload",
    "energy-differs": "the published energy is not that of the raw trace (0.2 %)",
    "throughput-differs": "the published throughput is not that of the raw laps (0.2 %)",
    "modes-disagree": "energy and performance runs differ in throughput by more than 1 %",
    "results-repeated": "a raw file, or the readings of the device's clock, are those of another "
    "result",
    "errors-in-log": "the device answered with errors",
    "samples-lost": "the power monitor dropped samples",
    "voltage-unknown": "no voltage was read back or configured",
    "raw-data-damaged": "raw files are missing, cut off or inconsistent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. ``rule`` is a key of RULES."""

    rule: str
    folder: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All results that were found, and what is wrong with them."""

    results: tuple[AuditResult, ...]
    findings: tuple[Finding, ...]


def audit(roots: Sequence[Path], reporter: Reporter | None = None) -> Audit:
    """Read every result folder below ``roots`` and check it. Raises UsageError for none at all."""
    reporter = reporter or Silent()
    results: list[AuditResult] = []
    folders, closed = find_results(roots)
    findings = [
        Finding(
            rule="raw-data-damaged",
            folder=str(error.filename),
            detail=f"the folder cannot be looked into: {error.strerror}",
        )
        for error in closed
    ]
    long_work = len(folders) > PROGRESS_EVERY
    if long_work:
        reporter.event(Event(job="audit", step="read", state="start"))
    for number, folder in enumerate(folders):
        if number and number % PROGRESS_EVERY == 0:
            done = f"{number} of {len(folders)} results"
            reporter.event(Event(job="audit", step="read", state="note", detail=done))
        try:
            results.append(read_result(folder))
        except ResultError as error:
            findings.append(
                Finding(rule="raw-data-damaged", folder=str(folder.path), detail=error.message)
            )
    if long_work:
        reporter.event(Event(job="audit", step="read", state="done"))
    for result in results:
        if result.mode != "accuracy":
            findings += check_result(result)
    findings += check_modes(results)
    findings += check_repeats(results)
    return Audit(results=tuple(results), findings=tuple(findings))


def read_result(folder: ResultFolder) -> AuditResult:
    """One folder, by whichever runner wrote it. Raises ResultError."""
    if folder.document is not None:
        return read_mlcommons(folder, folder.own_mode)
    mode = folder.own_mode or ("energy" if folder.has_trace else "")
    if not mode and folder.log is not None:
        mode = read_log(folder.log).mode
    return read_eembc(folder, mode or folder.outer_mode or "performance")


def check_result(result: AuditResult) -> list[Finding]:
    """What one folder shows by itself."""
    found: list[tuple[str, str]] = [("raw-data-damaged", item) for item in result.problems]
    found += [("marks-do-not-pair", item) for item in result.unpaired]
    if not result.windows and not result.problems and not result.streaming:
        found.append(("raw-data-damaged", "no timed inference: nothing to compute from"))
    if result.errors:
        found.append(("errors-in-log", f"{len(result.errors)}, first {result.errors[0]!r}"))
    if result.dropped_ratio:
        found.append(("samples-lost", f"{100 * result.dropped_ratio:.3f} % of the packets"))
    if result.windows and len(result.windows) != WINDOWS and not result.streaming:
        found.append(("window-count", f"{len(result.windows)} windows"))
    expected = 1 + 2 * len(result.windows)
    if result.runner == "eembc" and result.marks_count not in (None, expected):
        found.append(
            (
                "marks-do-not-pair",
                f"{result.marks_count} marks, {expected} are due for {len(result.windows)} windows",
            )
        )
    for window in result.windows:
        found += _check_window(result, window)
    found += _published_windows(result)
    found += _compare(
        "energy-differs", "uJ", result.published_uj, result.energy_uj, ENERGY_TOLERANCE_RATIO
    )
    found += _compare(
        "throughput-differs",
        "per second",
        result.published_ips,
        result.ips,
        THROUGHPUT_TOLERANCE_RATIO,
    )
    if result.mode == "energy" and result.voltage_mv is None:
        found.append(("voltage-unknown", "neither read back nor configured"))
    return [Finding(rule=rule, folder=result.folder, detail=detail) for rule, detail in found]


def _check_window(result: AuditResult, window: AuditWindow) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if window.marks not in (STREAMING_MARKS if result.streaming else (2,)):
        found.append(("marks-do-not-pair", f"window {window.number} has {window.marks} marks"))
    if window.seconds is None:
        return found
    few = 0 < window.inferences < MIN_INFERENCES and not result.streaming
    if window.seconds < MIN_WINDOW_S or few:
        found.append(
            (
                "window-too-short",
                f"window {window.number}: {window.inferences} inferences in {window.seconds:.3f} s",
            )
        )
    if _is_longer(window.seconds, window.host_s):
        found.append(
            (
                "upload-in-window",
                f"window {window.number} lasts {window.seconds:.3f} s, its inferences "
                f"{window.host_s:.3f} s by the host",
            )
        )
    return found


def _is_longer(seconds: float, host_s: float | None) -> bool:
    if host_s is None:
        return False
    return seconds > host_s + max(HOST_TOLERANCE_S, CLOCK_TOLERANCE_RATIO * host_s)


def _published_windows(result: AuditResult) -> list[tuple[str, str]]:
    """Windows as printed against the inferences and the uploads as they happened."""
    found: list[tuple[str, str]] = []
    inferences = [
        (window.infer_begin_s, window.infer_begin_s + window.host_s)
        for window in result.windows
        if window.infer_begin_s is not None and window.host_s is not None
    ]
    for number, published in enumerate(result.published_windows):
        if published.seconds is None:
            continue
        if published.begin_s is not None and inferences:
            end_s = published.begin_s + published.seconds
            outside = published.seconds - _overlap(published.begin_s, end_s, inferences)
            upload = _overlap(published.begin_s, end_s, result.uploads_s)
            if outside > HOST_TOLERANCE_S or upload > UPLOAD_TOLERANCE_S:
                found.append(
                    (
                        "upload-in-window",
                        f"the published window {number} of {published.seconds:.2f} s at "
                        f"{published.begin_s:.2f} s holds {max(outside, 0.0):.2f} s outside the "
                        f"inferences, {upload:.2f} s of them uploads",
                    )
                )
        elif number < len(result.windows):
            host_s = result.windows[number].host_s
            if _is_longer(published.seconds, host_s):
                found.append(
                    (
                        "upload-in-window",
                        f"the published window {number} lasts {published.seconds:.2f} s, its "
                        f"inferences {host_s:.2f} s by the host",
                    )
                )
    return found


def _overlap(begin_s: float, end_s: float, spans_s: Sequence[tuple[float, float]]) -> float:
    return sum(max(0.0, min(end_s, end) - max(begin_s, begin)) for begin, end in spans_s)


def check_modes(results: Sequence[AuditResult]) -> list[Finding]:
    """Energy and performance runs of the same benchmark must show the same throughput."""
    by_parent: dict[Path, dict[str, AuditResult]] = {}
    for result in results:
        by_parent.setdefault(Path(result.folder).resolve().parent, {})[result.mode] = result
    findings = []
    for modes in by_parent.values():
        energy, performance = modes.get("energy"), modes.get("performance")
        if energy is None or performance is None:
            continue
        a, b = energy.ips or energy.published_ips, performance.ips or performance.published_ips
        if a and b and abs(a / b - 1) > MODES_TOLERANCE_RATIO:
            findings.append(
                Finding(
                    rule="modes-disagree",
                    folder=energy.folder,
                    detail=f"{a:.3f} inferences per second by the monitor, {b:.3f} by the device "
                    f"({100 * (a / b - 1):+.2f} %)",
                )
            )
    return findings


def check_repeats(results: Sequence[AuditResult]) -> list[Finding]:
    """Raw files that are the same in two places. Where none is, the readings of the device's clock
    tell it. Times of marks alone do not: they are few and in milliseconds."""
    first: dict[str, str] = {}
    findings = []
    for result in results:
        same = {
            name: first[digest]
            for name, digest in result.digests.items()
            if digest in first and first[digest] != result.folder
        }
        if len(same) > 1:
            same.pop(CLOCK, None)
        if all(name.endswith("-timestamps.json") for name in same):
            same = {}
        for name, other in same.items():
            what = "the device's clock readings are those" if name == CLOCK else f"{name} is that"
            findings.append(
                Finding(rule="results-repeated", folder=result.folder, detail=f"{what} of {other}")
            )
        for digest in result.digests.values():
            first.setdefault(digest, result.folder)
    return findings


def _compare(
    rule: str, unit: str, published: float | None, raw: float | None, limit: float
) -> list[tuple[str, str]]:
    if not published or not raw or abs(raw / published - 1) <= limit:
        return []
    return [
        (
            rule,
            f"published {published:.3f} {unit}, from the raw data {raw:.3f} "
            f"({100 * (raw / published - 1):+.2f} %)",
        )
    ]
