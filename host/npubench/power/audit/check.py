"""What is wrong with published results, each with the rule it breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import ResultError, UsageError
from npubench.power.audit.eembc import read_eembc
from npubench.power.audit.mlcommons import read_mlcommons
from npubench.power.audit.result import AuditResult

MODES = ("performance", "energy", "accuracy")
MIN_WINDOW_S = 10.0
MIN_INFERENCES = 10
WINDOWS = 5
ENERGY_TOLERANCE_RATIO = 0.002
THROUGHPUT_TOLERANCE_RATIO = 0.002
MODES_TOLERANCE_RATIO = 0.01
# A window of inferences alone ends with the host's line, give or take; an upload takes seconds.
HOST_TOLERANCE_S = 1.0
RAW_FILES = ("log.txt", "results.json", "trace1-energy.bin", "trace1-timestamps.json")

RULES = {
    "marks-do-not-pair": "a window does not have exactly two marks",
    "window-too-short": "a window lasts less than 10 s or holds fewer than 10 inferences",
    "window-count": "there are not five windows",
    "upload-in-window": "a published window holds time outside the inferences, such as an upload",
    "energy-differs": "the published energy is not that of the raw trace (0.2 %)",
    "throughput-differs": "the published throughput is not that of the raw laps (0.2 %)",
    "modes-disagree": "energy and performance runs differ in throughput by more than 1 %",
    "results-repeated": "a raw file is the same, byte by byte, as that of another result",
    "errors-in-log": "the device answered with errors",
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


def audit(roots: Sequence[Path]) -> Audit:
    """Read every result folder below ``roots`` and check it. Raises UsageError for none at all."""
    results: list[AuditResult] = []
    findings: list[Finding] = []
    for folder, mode in find_results(roots):
        digests = _digests(folder)
        try:
            if "results.json" in digests:
                results.append(read_mlcommons(folder, mode, digests))
            else:
                results.append(read_eembc(folder, mode, digests))
        except ResultError as error:
            findings.append(
                Finding(rule="raw-data-damaged", folder=str(folder), detail=error.message)
            )
    for result in results:
        if result.mode != "accuracy":
            findings += check_result(result)
    findings += check_modes(results)
    findings += check_repeats(results)
    return Audit(results=tuple(results), findings=tuple(findings))


def find_results(roots: Sequence[Path]) -> list[tuple[Path, str]]:
    """Folders that hold results, with their mode: their own name, else that of a folder above."""
    found: dict[Path, str] = {}
    for root in roots:
        if not root.is_dir():
            raise UsageError(f"{root} is no folder", hint="name a folder of results")
        for path in sorted(root.rglob("*")):
            is_result = path.name in ("log.txt", "results.txt", "results.json")
            if not is_result or path.parent in found:
                continue
            names = [path.parent.name.lower(), path.parent.parent.name.lower()]
            mode = next((mode for name in names for mode in MODES if mode in name), "")
            if not mode:
                has_trace = any(path.parent.glob("trace*-energy.bin"))
                mode = "energy" if has_trace else "performance"
            found[path.parent] = mode
    if not found:
        raise UsageError(
            f"there are no results below {', '.join(map(str, roots))}",
            hint="a result folder holds log.txt and results.txt, or results.json",
        )
    return sorted(found.items())


def check_result(result: AuditResult) -> list[Finding]:
    """What one folder shows by itself."""
    findings: list[Finding] = []

    def find(rule: str, detail: str) -> None:
        findings.append(Finding(rule=rule, folder=result.folder, detail=detail))

    for problem in result.problems:
        find("raw-data-damaged", problem)
    if result.errors:
        find("errors-in-log", f"{len(result.errors)}, first {result.errors[0]!r}")
    if result.windows and len(result.windows) != WINDOWS and not _is_streaming(result):
        find("window-count", f"{len(result.windows)} windows")
    expected = 1 + 2 * len(result.windows)
    if result.runner == "eembc" and result.marks_count not in (None, expected):
        find(
            "marks-do-not-pair",
            f"{result.marks_count} marks, {expected} are due for {len(result.windows)} windows",
        )
    for window in result.windows:
        if window.marks != 2:
            find("marks-do-not-pair", f"window {window.number} has {window.marks} marks")
        if window.seconds is None:
            continue
        if window.seconds < MIN_WINDOW_S or 0 < window.inferences < MIN_INFERENCES:
            find(
                "window-too-short",
                f"window {window.number}: {window.inferences} inferences in {window.seconds:.3f} s",
            )
        if window.host_s is not None and window.seconds > window.host_s + HOST_TOLERANCE_S:
            find(
                "upload-in-window",
                f"window {window.number} lasts {window.seconds:.3f} s, its inferences "
                f"{window.host_s:.3f} s by the host",
            )
    findings += _published_windows(result)
    _compare(
        find, "energy-differs", "uJ", result.published_uj, result.energy_uj, ENERGY_TOLERANCE_RATIO
    )
    if result.mode == "performance":
        _compare(
            find,
            "throughput-differs",
            "per second",
            result.published_ips,
            result.ips,
            THROUGHPUT_TOLERANCE_RATIO,
        )
    if result.mode == "energy" and result.voltage_mv is None:
        find("voltage-unknown", "neither read back nor configured")
    return findings


def _is_streaming(result: AuditResult) -> bool:
    """The streaming test runs over one long file instead of five windows."""
    return any(part.lower() in ("sww", "strww", "sww01") for part in Path(result.folder).parts)


def _published_windows(result: AuditResult) -> list[Finding]:
    """Windows as printed against the inferences as they happened."""
    findings = []
    for published, window in zip(result.published_windows, result.windows, strict=False):
        if published.seconds is None or window.host_s is None:
            continue
        if published.seconds > window.host_s + HOST_TOLERANCE_S:
            findings.append(
                Finding(
                    rule="upload-in-window",
                    folder=result.folder,
                    detail=f"the published window {window.number} lasts "
                    f"{published.seconds:.2f} s, its inferences {window.host_s:.2f} s by the host",
                )
            )
    return findings


def check_modes(results: Sequence[AuditResult]) -> list[Finding]:
    """Energy and performance runs of the same benchmark must show the same throughput."""
    by_parent: dict[str, dict[str, AuditResult]] = {}
    for result in results:
        by_parent.setdefault(str(Path(result.folder).parent), {})[result.mode] = result
    findings = []
    for modes in by_parent.values():
        energy, performance = modes.get("energy"), modes.get("performance")
        if energy is None or performance is None:
            continue
        a, b = energy.ips, performance.ips or performance.published_ips
        if a and b and abs(a / b - 1) > MODES_TOLERANCE_RATIO:
            findings.append(
                Finding(
                    rule="modes-disagree",
                    folder=energy.folder,
                    detail=f"{a:.3f} inferences per second by the monitor, {b:.3f} by the device",
                )
            )
    return findings


def check_repeats(results: Sequence[AuditResult]) -> list[Finding]:
    """Raw files that are the same in two places."""
    first: dict[str, tuple[str, str]] = {}
    findings = []
    for result in results:
        for name, digest in result.digests.items():
            if digest in first and first[digest][0] != result.folder:
                findings.append(
                    Finding(
                        rule="results-repeated",
                        folder=result.folder,
                        detail=f"{name} is that of {first[digest][0]}",
                    )
                )
            first.setdefault(digest, (result.folder, name))
    return findings


def _compare(
    find: object, rule: str, unit: str, published: float | None, raw: float | None, limit: float
) -> None:
    if published and raw and abs(raw / published - 1) > limit and callable(find):
        find(
            rule,
            f"published {published:.3f} {unit}, from the raw data {raw:.3f} "
            f"({100 * (raw / published - 1):+.2f} %)",
        )


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for name in RAW_FILES:
        path = folder / name
        if path.is_file() and path.stat().st_size:
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests
