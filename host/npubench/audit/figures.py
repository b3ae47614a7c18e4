"""What a result claims, figure by figure, beside what its raw data give, or why they do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from npubench.audit.accuracy import TARGETS
from npubench.audit.labels import LABELS_HINT, OLDER_HINT
from npubench.audit.result import AuditResult
from npubench.audit.streaming import AS_COUNTED_S, Detections

ENERGY_TOLERANCE_RATIO = 0.002
THROUGHPUT_TOLERANCE_RATIO = 0.002
# A window of inferences alone begins and ends with the host's lines, give or take. The second
# figure is for the device's own clock, which may be off.
HOST_TOLERANCE_S = 0.5
CLOCK_TOLERANCE_RATIO = 0.05
DUTY_DIGITS_RATIO = 0.0005
"""Duty cycle and throughput of a streaming run are printed with five digits, the latter of the
former's unrounded factors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``published`` or ``computed`` is None for what is not published or cannot be computed;
    ``why_not`` says why, ``basis`` from what it is computed. ``low`` and ``high``: between what it
    lies, where the raw data leave it open. ``rule``: what is found where the published figure is
    outside them by more than ``tolerance``, in the figure's unit."""

    name: str
    unit: str
    rule: str
    published: float | None
    computed: float | None = None
    low: float | None = None
    high: float | None = None
    tolerance: float = 0.0
    why_not: str = ""
    basis: str = ""

    @property
    def span(self) -> tuple[float, float] | None:
        """Least and most that it can be; None where it is not computed."""
        if self.computed is None:
            return None
        low = self.computed if self.low is None else self.low
        return low, self.computed if self.high is None else self.high

    @property
    def agrees(self) -> bool | None:
        """None where one of the two is missing."""
        if self.published is None or self.span is None:
            return None
        low, high = self.span
        tolerance = self.tolerance + 1e-9 * abs(self.published)
        return low - tolerance <= self.published <= high + tolerance

    @property
    def difference_pct(self) -> float | None:
        """Computed against published."""
        if self.computed is None or not self.published:
            return None
        return 100.0 * (self.computed / self.published - 1.0)


def figures(result: AuditResult) -> tuple[Figure, ...]:
    """All that a run of this kind claims, published or not."""
    if result.mode == "accuracy":
        return (_accuracy(result),)
    found = [_throughput(result)]
    if result.mode == "energy":
        found += _energy(result)
    if result.streaming:
        found += _streaming(result)
    return tuple(found)


def _ratio(
    result: AuditResult,
    *,
    name: str,
    unit: str,
    rule: str,
    published: float | None,
    raw: float | None,
    ratio: float,
    basis: str,
) -> Figure:
    return Figure(
        name=name,
        unit=unit,
        rule=rule,
        published=published,
        computed=raw,
        tolerance=ratio * abs(published or 0.0),
        why_not="" if raw is not None else _why_not(result),
        basis=basis if raw is not None else "",
    )


def _throughput(result: AuditResult) -> Figure:
    ratio, basis = THROUGHPUT_TOLERANCE_RATIO, "the device's laps"
    if result.mode == "energy":
        basis = "the marks of the trace"
    run = result.streaming_run
    if result.streaming:
        basis = "the frames' times"
        ratio = DUTY_DIGITS_RATIO
        if run is not None and run.rounding_ratio:
            basis, ratio = "the log's rounded duty cycle", DUTY_DIGITS_RATIO + run.rounding_ratio
    if result.ips is None and (by_host := _by_host(result)) is not None:
        return by_host
    return _ratio(
        result,
        name="throughput",
        unit="inf./s",
        rule="throughput-differs",
        published=result.published_ips,
        raw=result.ips,
        ratio=ratio,
        basis=basis,
    )


def _by_host(result: AuditResult) -> Figure | None:
    """Throughput as the host saw it, where nothing else times the inferences: a range, as lines of
    the log come late."""
    timed = [
        (window.inferences, window.host_s)
        for window in result.windows
        if window.inferences and window.host_s and window.host_s > 2 * HOST_TOLERANCE_S
    ]
    if result.runner != "eembc" or not timed:
        return None
    slacks_s = [max(HOST_TOLERANCE_S, CLOCK_TOLERANCE_RATIO * host_s) for _, host_s in timed]
    pairs = list(zip(timed, slacks_s, strict=True))
    return Figure(
        name="throughput",
        unit="inf./s",
        rule="throughput-differs",
        published=result.published_ips,
        computed=median(count / host_s for count, host_s in timed),
        low=median(count / (host_s + slack_s) for (count, host_s), slack_s in pairs),
        high=median(count / (host_s - slack_s) for (count, host_s), slack_s in pairs),
        basis="the host's times",
    )


def _energy(result: AuditResult) -> Iterator[Figure]:
    yield _ratio(
        result,
        name="energy of the run" if result.streaming else "energy",
        unit="uJ" if result.streaming else "uJ per inference",
        rule="energy-differs",
        published=result.published_uj,
        raw=result.energy_uj,
        ratio=ENERGY_TOLERANCE_RATIO,
        basis="the samples of the trace",
    )
    if result.streaming:
        window = next((item for item in result.windows if item.seconds and item.energy_uj), None)
        yield _ratio(
            result,
            name="power",
            unit="mW",
            rule="energy-differs",
            published=result.printed.power_mw,
            raw=window.energy_uj / window.seconds / 1000.0
            if window and window.energy_uj and window.seconds
            else None,
            ratio=ENERGY_TOLERANCE_RATIO,
            basis="the samples of the trace",
        )


def _streaming(result: AuditResult) -> Iterator[Figure]:
    run, printed = result.streaming_run, result.printed
    yield _ratio(
        result,
        name="duty cycle",
        unit="",
        rule="throughput-differs",
        published=printed.duty_ratio,
        raw=run.duty_ratio if run else None,
        ratio=DUTY_DIGITS_RATIO + (run.rounding_ratio if run else 0.0),
        basis="the log's rounded duty cycle" if run and run.rounding_ratio else "the frames' times",
    )
    scored = run.detections(AS_COUNTED_S) if run else None
    for name in ("true_positives", "false_negatives", "false_positives"):
        raw = _count(scored, name)
        yield Figure(
            name=name.replace("_", " "),
            unit="",
            rule="accuracy-differs",
            published=_count(printed.detections, name),
            computed=raw,
            why_not="" if raw is not None else _why_not(result),
            basis="the recorded detections" if raw is not None else "",
        )


def _count(scored: Detections | None, name: str) -> float | None:
    return None if scored is None else float(getattr(scored, name))


def _accuracy(result: AuditResult) -> Figure:
    scored, printed = result.accuracy, result.printed
    is_ad = result.identity.benchmark == "ad"
    shown = printed.auc if is_ad else printed.top_1_pct
    if result.identity.benchmark not in TARGETS:
        why_not = "nothing says which benchmark this is, so that its labels are not known"
    elif scored is not None and scored.low is None and scored.unlabelled:
        why_not = f"the class of {scored.unlabelled} of {scored.files} files is not known"
        if scored.benchmark in ("ic", "ic02", "vww"):
            some = scored.unlabelled < scored.files
            why_not += f" ({OLDER_HINT if some else LABELS_HINT})"
    elif scored is not None and scored.low is None:
        why_not = "files of one class alone"
    else:
        why_not = _why_not(result)
    counted = scored.counted if scored else None
    return Figure(
        name="AUC" if is_ad else "Top-1",
        unit="" if is_ad else "%",
        rule="accuracy-differs",
        published=shown.value if shown else None,
        computed=counted,
        low=scored.low if scored else None,
        high=scored.high if scored else None,
        tolerance=shown.half_unit if shown else 0.0,
        why_not="" if counted is not None else why_not,
        basis=f"{scored.inferences} answers to {scored.files} files"
        if scored and counted is not None
        else "",
    )


def _why_not(result: AuditResult) -> str:
    raw = [name for name in result.absent if not name.startswith("results.txt")]
    if raw:
        return f"absent: {', '.join(raw)}"
    if result.problems:
        return result.problems[0]
    return "the raw files hold nothing to compute it from"
