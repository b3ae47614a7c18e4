"""Whether two samples differ, by how much, and whether that may be claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from npubench.stats.summary import Number, summarize

ALPHA = 0.05
MIN_RELATIVE_DIFFERENCE = 0.01
MIN_CLIFFS_DELTA = 0.33
MIN_SESSIONS = 3
MIN_VALUES = 4
"""Below four against four the exact Mann-Whitney test cannot reach p < 0.05 at all."""


class Nature(StrEnum):
    """Where values come from: what a repetition of them can show."""

    COUNTED = "counted"
    MEASURED = "measured"
    MODELLED = "modelled"


class Verdict(StrEnum):
    """What may be said of a difference."""

    EQUAL = "equal"
    DETERMINISTIC = "deterministic difference"
    MODELLED = "modelled difference"
    DIFFERENT = "difference"
    NEGLIGIBLE = "negligible difference"
    NOT_SHOWN = "no difference shown"
    TOO_FEW = "too few repetitions to claim"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleComparison:
    """Sample b against sample a.

    ``ratio`` is median b / median a (None when a's is zero); ``relative_difference`` is ratio - 1;
    ``cliffs_delta`` in [-1, 1] is how much more often a value of b is above one of a than below;
    ``p_value`` is the two-sided Mann-Whitney U test's, None where the test does not apply.
    ``reason`` says in words what the verdict rests on.
    """

    median_a: Number
    median_b: Number
    ratio: float | None
    relative_difference: float | None
    cliffs_delta: float
    p_value: float | None
    verdict: Verdict
    reason: str


def compare_samples(
    a: Sequence[Number],
    b: Sequence[Number],
    *,
    nature: Nature,
    sessions_a: int = 1,
    sessions_b: int = 1,
) -> SampleComparison:
    """Compare two samples of one or more values in the same unit.

    ``sessions_*``: from how many boots the values come; measured values of fewer than three boots
    each show what happened in these sessions and cannot carry a claim beyond them.
    """
    summary_a, summary_b = summarize(a), summarize(b)
    ratio = summary_b.median / summary_a.median if summary_a.median else None
    relative = None if ratio is None else ratio - 1
    delta = cliffs_delta(a, b)
    spread = summary_a.min != summary_a.max or summary_b.min != summary_b.max
    p_value = mann_whitney_p(a, b) if spread and min(len(a), len(b)) >= MIN_VALUES else None
    verdict, reason = _judge(
        nature=nature,
        spread=spread,
        equal=summary_a.median == summary_b.median,
        counts=(len(a), len(b)),
        sessions=(sessions_a, sessions_b),
        relative=relative,
        delta=delta,
        p_value=p_value,
    )
    return SampleComparison(
        median_a=summary_a.median,
        median_b=summary_b.median,
        ratio=ratio,
        relative_difference=relative,
        cliffs_delta=delta,
        p_value=p_value,
        verdict=verdict,
        reason=reason,
    )


def _judge(
    *,
    nature: Nature,
    spread: bool,
    equal: bool,
    counts: tuple[int, int],
    sessions: tuple[int, int],
    relative: float | None,
    delta: float,
    p_value: float | None,
) -> tuple[Verdict, str]:
    if nature is not Nature.MEASURED and not spread:
        return _judge_exact(nature, equal=equal, counts=counts)
    if nature is Nature.MEASURED and min(sessions) < MIN_SESSIONS:
        return Verdict.TOO_FEW, (
            f"{sessions[0]} and {sessions[1]} boots; a claim between sessions needs "
            f"{MIN_SESSIONS} each. {_within(spread=spread, equal=equal, p_value=p_value)}"
        )
    if not spread:
        if equal:
            return Verdict.EQUAL, "every repetition on both sides gave the same value"
        return Verdict.DIFFERENT, "no spread on either side, over several boots"
    if p_value is None:
        return Verdict.TOO_FEW, (
            f"{counts[0]} and {counts[1]} repetitions that disagree; {MIN_VALUES} each are needed"
        )
    if p_value >= ALPHA:
        return Verdict.NOT_SHOWN, f"Mann-Whitney p = {p_value:.3g}"
    large = (relative is None or abs(relative) >= MIN_RELATIVE_DIFFERENCE) and (
        abs(delta) >= MIN_CLIFFS_DELTA
    )
    effect = f"Mann-Whitney p = {p_value:.2g}, Cliff's delta = {delta:+.2f}"
    if not large:
        return Verdict.NEGLIGIBLE, (
            f"{effect}, but below {MIN_RELATIVE_DIFFERENCE:.0%} of the median or a delta of "
            f"{MIN_CLIFFS_DELTA}"
        )
    return Verdict.DIFFERENT, effect


def _judge_exact(nature: Nature, *, equal: bool, counts: tuple[int, int]) -> tuple[Verdict, str]:
    once = min(counts) < 2
    caveat = "; a single repetition has not shown that it repeats" if once else ""
    if equal:
        return Verdict.EQUAL, f"the same value on both sides{caveat}"
    if nature is Nature.MODELLED:
        return Verdict.MODELLED, "the model gives these values; nothing was observed"
    if once:
        return Verdict.TOO_FEW, f"counted once{caveat}"
    return Verdict.DETERMINISTIC, "every repetition of each side gave one value"


def _within(*, spread: bool, equal: bool, p_value: float | None) -> str:
    if not spread:
        return "Within them every repetition gave one value" + (", the same." if equal else ".")
    if p_value is None:
        return "Within them there are too few values to test."
    return f"Within them Mann-Whitney p = {p_value:.2g}."


def cliffs_delta(a: Sequence[Number], b: Sequence[Number]) -> float:
    """P(b > a) - P(b < a) over all pairs (Cliff 1993), by sorting: n log n."""
    import numpy as np

    ordered = np.sort(np.asarray(a, dtype=np.float64))
    other = np.asarray(b, dtype=np.float64)
    below = np.searchsorted(ordered, other, side="left").sum()
    above = (len(ordered) - np.searchsorted(ordered, other, side="right")).sum()
    return float(below - above) / (len(ordered) * len(other))


def mann_whitney_p(a: Sequence[Number], b: Sequence[Number]) -> float:
    """The two-sided p-value of the Mann-Whitney U test (scipy picks exact or normal)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(a, b, alternative="two-sided").pvalue)
