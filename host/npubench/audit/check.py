"""Published results checked: each gets its findings, one for a rule, and one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from npubench.audit.accuracy import TARGETS
from npubench.audit.consistency import check_consistency
from npubench.audit.eembc import read_eembc
from npubench.audit.figures import figures
from npubench.audit.folders import ResultFolder, find_results
from npubench.audit.labels import FILE_COUNTS, Labels, read_labels
from npubench.audit.log import Log, read_log
from npubench.audit.mlcommons import read_mlcommons
from npubench.audit.published import is_of_mlcommons
from npubench.audit.result import CLOCK, AuditResult
from npubench.audit.rules import Finding, one_per_rule, ranked
from npubench.audit.streaming import AS_DOCUMENTED_S
from npubench.audit.verdict import Judged, Verdict, judge
from npubench.audit.windows import check_windows
from npubench.core.errors import ResultError
from npubench.core.progress import Event, Reporter, Silent

MODES_TOLERANCE_RATIO = 0.01
PROGRESS_EVERY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """All results that were found, each judged, and what is wrong with them: the findings that
    move a published number most come first."""

    judged: tuple[Judged, ...]
    findings: tuple[Finding, ...]

    @property
    def results(self) -> tuple[AuditResult, ...]:
        """What was read, without the verdicts."""
        return tuple(item.result for item in self.judged)

    @property
    def elsewhere(self) -> tuple[Finding, ...]:
        """Findings in folders that hold no result that was read."""
        known = {item.result.folder for item in self.judged}
        return tuple(item for item in self.findings if item.folder not in known)

    @property
    def passes(self) -> bool:
        """Whether every result is confirmed or partly checked and every folder was looked into."""
        good = (Verdict.CONFIRMED, Verdict.PARTLY_CHECKED)
        return not self.elsewhere and all(item.verdict in good for item in self.judged)


def audit(
    roots: Sequence[Path], reporter: Reporter | None = None, *, labels: Sequence[Path] = ()
) -> Audit:
    """Read every result folder below ``roots`` and check it; ``labels``: files or folders of
    y_labels.csv, which count before those that are known. Raises UsageError for no result."""
    reporter = reporter or Silent()
    known = read_labels(labels)
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
        results.append(read_result(folder, known))
    if long_work:
        reporter.event(Event(job="audit", step="read", state="done"))
    for result in results:
        findings += check_result(result)
    findings += check_modes(results)
    findings += check_repeats(results)
    findings = ranked(one_per_rule(findings))
    by_folder: dict[str, list[Finding]] = {}
    for finding in findings:
        by_folder.setdefault(finding.folder, []).append(finding)
    return Audit(
        judged=tuple(judge(result, by_folder.get(result.folder, [])) for result in results),
        findings=tuple(findings),
    )


def read_result(folder: ResultFolder, labels: Labels) -> AuditResult:
    """One folder, by whichever runner wrote it."""
    log = Log()
    if folder.document is None and folder.log is not None:
        with suppress(ResultError):  # said where the folder is read
            log = read_log(folder.log)
    is_mlcommons = log.runner == "mlcommons" or _is_printed_by_mlcommons(folder)
    if folder.document is not None or is_mlcommons:
        return read_mlcommons(folder, folder.own_mode, labels)
    mode = folder.own_mode or ("energy" if folder.has_trace else "") or log.mode
    return read_eembc(folder, mode or folder.outer_mode or "performance", labels)


def _is_printed_by_mlcommons(folder: ResultFolder) -> bool:
    if folder.published is None or folder.log is not None:
        return False
    try:
        return is_of_mlcommons(folder.published)
    except ResultError:
        return False


def check_result(result: AuditResult) -> list[Finding]:
    """What one folder shows by itself."""
    found: list[tuple[str, str]] = [("raw-data-damaged", item) for item in result.problems]
    found += [("raw-data-absent", f"absent: {item}") for item in result.absent]
    said = result.windows or result.accuracy or result.streaming_run
    if not (said or result.problems or result.absent):
        found.append(("raw-data-damaged", "no inference in the raw files: nothing to compute from"))
    if result.errors:
        found.append(("errors-in-log", f"{len(result.errors)}, first {result.errors[0]!r}"))
    if result.mode == "energy" and result.voltage_mv is None and result.voltage_due:
        found.append(("voltage-unknown", "neither read back nor configured"))
    findings = [Finding(rule=rule, folder=result.folder, detail=detail) for rule, detail in found]
    if result.dropped_ratio:
        dropped_pct = 100 * result.dropped_ratio
        findings.append(
            Finding(
                rule="samples-lost",
                folder=result.folder,
                detail=f"{dropped_pct:.3f} % of the packets",
                moves_pct=dropped_pct,
            )
        )
    if result.mode != "accuracy":
        findings += check_windows(result)
    findings += check_consistency(result)
    findings += _differences(result)
    findings += _accuracy(result)
    findings += _detections(result)
    return findings


def _differences(result: AuditResult) -> Iterator[Finding]:
    for figure in figures(result):
        if figure.agrees is not False or figure.published is None or figure.computed is None:
            continue
        off_pct = figure.difference_pct
        unit = f" {figure.unit}" if figure.unit else ""
        said = f" ({off_pct:+.2f} %)" if off_pct is not None else ""
        yield Finding(
            rule=figure.rule,
            folder=result.folder,
            detail=f"{figure.name}: published {figure.published:.6g}{unit}, "
            f"{figure.computed:.6g} from {figure.basis}{said}",
            moves_pct=abs(off_pct) if off_pct is not None else 100.0,
        )


def _accuracy(result: AuditResult) -> Iterator[Finding]:
    scored, benchmark = result.accuracy, result.identity.benchmark
    if result.mode != "accuracy":
        return
    if scored is not None:
        for detail in _wrong_files(result):
            yield Finding(rule="accuracy-files", folder=result.folder, detail=detail)
    target = TARGETS.get(benchmark)
    if target is None or result.identity.division == "open":
        return
    (figure,) = figures(result)
    low, most = figure.published, None
    whose = "published"
    if (low is None or low >= target) and scored and scored.right_count_of_files:
        low, most, whose = scored.counted, scored.high, "from the raw answers"
    least = low if most is None else most  # a tie may have been right on the device
    if low is not None and least is not None and least < target:
        at_most = f" (at most {least:.4g})" if least != low else ""
        yield Finding(
            rule="accuracy-below-target",
            folder=result.folder,
            detail=f"{figure.name} {low:.4g} {whose}{at_most}, {target:.4g} is due",
        )


def _wrong_files(result: AuditResult) -> Iterator[str]:
    scored = result.accuracy
    if scored is None:
        return
    if not scored.right_count_of_files:
        due = " or ".join(map(str, FILE_COUNTS[scored.benchmark]))
        yield f"answers to {scored.files} files, {due} belong to the benchmark"
    if scored.repeated:
        yield f"{scored.repeated} files were answered more than once"
    if scored.relabelled:
        yield f"the runner had another class for {scored.relabelled} files than the benchmark has"


def _detections(result: AuditResult) -> Iterator[Finding]:
    if not result.streaming or result.identity.division == "open":
        return
    run, printed = result.streaming_run, result.printed.detections
    scored = run.detections() if run else None
    for counted, whose in ((printed, "published"), (scored, "from the recorded detections")):
        if counted is not None and not counted.meets_target:
            yield Finding(
                rule="accuracy-below-target",
                folder=result.folder,
                detail=f"{counted.false_negatives} words missed, {counted.false_positives} false "
                f"alarms {whose}, 8 of each are allowed",
            )
    strict = run.detections(AS_DOCUMENTED_S) if run else None
    if scored and strict and scored.meets_target and not strict.meets_target:
        yield Finding(
            rule="detections-late",
            folder=result.folder,
            detail=f"within one second {strict.false_negatives} words missed, "
            f"{strict.false_positives} false alarms",
        )


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
                    detail=f"{a:.3f} inferences per second in the energy run, {b:.3f} in the "
                    f"performance run "
                    f"({100 * (a / b - 1):+.2f} %)",
                    moves_pct=100 * abs(a / b - 1),
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
