"""Modelled time and energy of two runs side by side: by ranges, a difference only where it holds.

Two parts, or two models: a difference holds where their ranges do not overlap. One part by one
model: what the model has wrong of both cancels for the most part, so that their ratio has an error
of its own, which held-out images of one benchmark gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from npubench.core.stages import Stage
from npubench.runs.schema import RangeRecord, RunRecord, StageRecord
from npubench.stats.compare import Verdict

STAGES = (Stage.INFER, Stage.END_TO_END)
LENT = "; lent to "
"""What follows in the name of a model is the board to which the part was lent."""
OVERLAP = "the modelled ranges overlap"
APART = "the modelled ranges do not overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartComparison:
    """Run b against run a in modelled time (us) or energy (uJ) of a part. ``ratio_*`` is b / a;
    ``cancels``: both are one part's, by one model, and the ratio has an error of its own."""

    stage: str
    quantity: Literal["time_us", "energy_uj"]
    a: RangeRecord
    b: RangeRecord
    ratio_low: float
    ratio_mid: float
    ratio_high: float
    cancels: bool
    verdict: Verdict
    reason: str


def compare_parts(a: RunRecord, b: RunRecord) -> tuple[PartComparison, ...]:
    """Every stage that has modelled time in both runs, and energy where both have it of one kind:
    gross or net, and of one supply."""
    return tuple(_compare(a, b))


def _compare(a: RunRecord, b: RunRecord) -> Iterator[PartComparison]:
    for stage in STAGES:
        left, right = a.stages.get(stage), b.stages.get(stage)
        if left is None or right is None:
            continue
        if left.time_us is not None and right.time_us is not None:
            yield _quantity(stage, "time_us", left, right, left.time_us, right.time_us)
        if (
            left.energy_uj is not None
            and right.energy_uj is not None
            and left.energy_uj.kind == right.energy_uj.kind
        ):
            yield _quantity(stage, "energy_uj", left, right, left.energy_uj, right.energy_uj)


def _quantity(
    stage: str,
    quantity: Literal["time_us", "energy_uj"],
    left: StageRecord,
    right: StageRecord,
    a: RangeRecord,
    b: RangeRecord,
) -> PartComparison:
    own = None
    if _same_model(a, b):  # energy: its own error comes on top of the cycles'
        own = _own_ratio(left, right, (a.ratio_pct or 0) if quantity == "energy_uj" else 0)
    low, mid, high = own if own is not None else _ratio(a, b)
    verdict, reason = Verdict.UNDECIDED, OVERLAP
    if own is not None:
        reason = f"one part, one model: their ratio is {low:.3g} to {high:.3g}"
        if low == high == 1:
            verdict, reason = Verdict.EQUAL, "one part, one model, the same cycles"
        elif low > 1 or high < 1:
            verdict = Verdict.MODELLED
    elif a.high < b.low or b.high < a.low:
        verdict, reason = Verdict.MODELLED, APART
    return PartComparison(
        stage=stage,
        quantity=quantity,
        a=a,
        b=b,
        ratio_low=low,
        ratio_mid=mid,
        ratio_high=high,
        cancels=own is not None,
        verdict=verdict,
        reason=reason,
    )


def _own_ratio(
    left: StageRecord, right: StageRecord, more_pct: float
) -> tuple[float, float, float] | None:
    """The ratio of cycles by each model that the images cannot tell apart, widened by the error
    that ratios of held-out images had, and by ``more_pct``; None where the runs do not keep what
    that takes."""
    a, b = left.cycles, right.cycles
    if a is None or b is None or not _same_model(a, b) or a.ratio_pct is None:
        return None
    if not a.by_model or len(a.by_model) != len(b.by_model) or min(a.by_model) <= 0:
        return None
    ratios = [theirs / ours for ours, theirs in zip(a.by_model, b.by_model, strict=True)]
    if all(ratio == 1 for ratio in ratios):
        return 1.0, 1.0, 1.0
    margin = (1 + a.ratio_pct / 100) * (1 + more_pct / 100)
    return min(ratios) / margin, ratios[0], max(ratios) * margin


def _same_model(a: RangeRecord, b: RangeRecord) -> bool:
    """Whether both are one part's, by one model, on whatever board it ran."""
    return a.model.partition(LENT)[0] == b.model.partition(LENT)[0]


def _ratio(a: RangeRecord, b: RangeRecord) -> tuple[float, float, float]:
    """The ratio of two ranges that share nothing."""
    if a.low <= 0 or a.mid <= 0:
        return 0.0, 0.0, 0.0
    return b.low / a.high, b.mid / a.mid, b.high / a.low
