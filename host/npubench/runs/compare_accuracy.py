"""Whether one run answers worse than the other: a faster one that does is no winner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from npubench.runs.schema import AccuracyRecord, RunRecord

HIGHER_IS_BETTER = {"top1": True, "auc": True, "map": True, "perplexity": False}
Verdict = Literal["equal", "a answers worse", "b answers worse", "not shown to differ", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyComparison:
    """The targets' own accuracy, b against a. ``verdict`` ``unknown``: not both were asked the same
    samples; ``reason`` says so, or on what it rests."""

    metric: str | None
    a: AccuracyRecord | None
    b: AccuracyRecord | None
    verdict: Verdict
    reason: str


def compare_accuracy(a: RunRecord, b: RunRecord) -> AccuracyComparison | None:
    """Set the targets' answers on one test set against each other.

    None where nothing is known of either and both run one artifact whose answer was the golden
    one: then they answer alike as far as was seen. A difference is claimed where the intervals do
    not overlap; that is stricter than 95 %.
    """
    left, right = target_accuracy(a), target_accuracy(b)
    if left is None and right is None:
        if a.model.artifact_sha256 == b.model.artifact_sha256 or _alike(a, b):
            return None
        return _unknown(left, right, "how well either answers was not asked: npubench accuracy")
    if left is None or right is None:
        side = "a" if left is None else "b"
        return _unknown(left, right, f"how well run {side} answers was not asked")
    if (left.metric, left.data_sha256, left.samples) != (
        right.metric,
        right.data_sha256,
        right.samples,
    ):
        return _unknown(
            left,
            right,
            f"other samples: {left.metric} on {left.samples} of {left.data}, {right.metric} on "
            f"{right.samples} of {right.data}",
        )
    return AccuracyComparison(
        metric=left.metric, a=left, b=right, verdict=_verdict(left, right), reason=_words(left)
    )


def target_accuracy(record: RunRecord) -> AccuracyRecord | None:
    """What the target itself answered, of a run that counts."""
    if not record.valid:
        return None
    return next((item for item in record.accuracy if item.form == "target"), None)


def answers_worse(a: AccuracyRecord, b: AccuracyRecord) -> bool:
    """Whether b is worse than a at all, shown or not."""
    return b.value < a.value if HIGHER_IS_BETTER.get(a.metric, True) else b.value > a.value


def _alike(a: RunRecord, b: RunRecord) -> bool:
    """Both gave TFLM's answer to the network as brought, whatever the NPU's compiler made of it."""
    return (
        a.golden.status == b.golden.status == "match"
        and a.golden.reference == b.golden.reference == "tflm"
        and _quantized(a) == _quantized(b)
    )


def _quantized(record: RunRecord) -> str:
    """The int8 network that was compiled."""
    steps = record.import_steps
    return steps[-1].output_sha256 if steps else record.model.network_sha256


def _verdict(a: AccuracyRecord, b: AccuracyRecord) -> Verdict:
    if a.value == b.value:
        return "equal"
    worse: Verdict = "b answers worse" if answers_worse(a, b) else "a answers worse"
    bounds = (a.low, a.high, b.low, b.high)
    if any(bound is None for bound in bounds):
        return worse
    assert a.low is not None
    assert a.high is not None
    assert b.low is not None
    assert b.high is not None
    return worse if a.high < b.low or b.high < a.low else "not shown to differ"


def _words(record: AccuracyRecord) -> str:
    return f"{record.metric} on {record.samples} samples of {record.data}, {record.interval}"


def _unknown(a: AccuracyRecord | None, b: AccuracyRecord | None, reason: str) -> AccuracyComparison:
    known = a or b
    return AccuracyComparison(
        metric=None if known is None else known.metric, a=a, b=b, verdict="unknown", reason=reason
    )
