"""The rules of the audit: one table, and what a finding by one of them is.

Names are kept: people filter by them. What a rule does to a result's verdict is its ``effect``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """What a finding does to the verdict of its result."""

    CONTRADICTS = "contradicts"
    BREAKS = "breaks"
    WEAKENS = "weakens"
    REMARK = "remark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a rule does to the verdict, and when it is found."""

    effect: Effect
    meaning: str


RULES = {
    "energy-differs": Rule(
        effect=Effect.CONTRADICTS,
        meaning="the published energy or power is not that of the raw trace (0.2 %)",
    ),
    "throughput-differs": Rule(
        effect=Effect.CONTRADICTS,
        meaning="the published throughput or duty cycle is not that of the raw times (0.2 %)",
    ),
    "accuracy-differs": Rule(
        effect=Effect.CONTRADICTS,
        meaning="the published Top-1, AUC or count of detections is not that of the raw answers",
    ),
    "published-inconsistent": Rule(
        effect=Effect.CONTRADICTS,
        meaning="a published median is not that of the windows published beside it (0.2 %)",
    ),
    "upload-in-window": Rule(
        effect=Effect.CONTRADICTS,
        meaning="a published window holds time outside the inferences, such as an upload",
    ),
    "accuracy-below-target": Rule(
        effect=Effect.BREAKS,
        meaning="the accuracy misses the target of the closed division",
    ),
    "accuracy-files": Rule(
        effect=Effect.BREAKS,
        meaning="the files of the accuracy run are not those of the benchmark, each once",
    ),
    "window-too-short": Rule(
        effect=Effect.BREAKS,
        meaning="a window lasts less than 10 s or holds fewer than 10 inferences, or a streaming "
        "run is shorter than its file",
    ),
    "window-count": Rule(effect=Effect.BREAKS, meaning="there are not five windows"),
    "marks-do-not-pair": Rule(
        effect=Effect.WEAKENS,
        meaning="the marks are not one to begin with and exactly two a window",
    ),
    "raw-data-damaged": Rule(
        effect=Effect.WEAKENS,
        meaning="a raw file is cut off, inconsistent or not what the runner writes",
    ),
    "raw-data-absent": Rule(
        effect=Effect.WEAKENS,
        meaning="a file of the run, or a part of the run in it, is not there",
    ),
    "modes-disagree": Rule(
        effect=Effect.REMARK,
        meaning="energy and performance runs differ in throughput by more than 1 %",
    ),
    "results-repeated": Rule(
        effect=Effect.REMARK,
        meaning="a raw file, or the readings of the device's clock, are those of another result",
    ),
    "samples-lost": Rule(effect=Effect.REMARK, meaning="the power monitor dropped samples"),
    "errors-in-log": Rule(
        effect=Effect.REMARK, meaning="the device, or its runner, told of errors"
    ),
    "voltage-unknown": Rule(
        effect=Effect.REMARK,
        meaning="the run's log or results.json holds no voltage, read back or configured",
    ),
    "detections-late": Rule(
        effect=Effect.REMARK,
        meaning="the target is met only as the runner counts, two seconds after a word; with the "
        "documented one second it is missed",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule in one result. ``rule`` is a key of RULES; ``count``: how many windows, files or
    lines it was found in; ``moves_pct``: by how much the published number is off, where that
    can be said."""

    rule: str
    folder: str
    detail: str
    count: int = 1
    moves_pct: float | None = None

    @property
    def effect(self) -> Effect:
        """What it does to the result's verdict."""
        return RULES[self.rule].effect


def one_per_rule(findings: list[Finding]) -> list[Finding]:
    """Findings of one rule in one folder joined: the first that moves the number most, the largest
    move, and how many more there are."""
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for item in findings:
        grouped.setdefault((item.rule, item.folder), []).append(item)
    joined = []
    for (rule, folder), items in grouped.items():
        worst = max(items, key=lambda item: item.moves_pct or 0.0)
        more = sum(item.count for item in items) - worst.count
        joined.append(
            Finding(
                rule=rule,
                folder=folder,
                detail=worst.detail + (f" (and {more} more)" if more else ""),
                count=worst.count + more,
                moves_pct=worst.moves_pct,
            )
        )
    return joined


def ranked(findings: list[Finding]) -> list[Finding]:
    """What moves a number most comes first; what does not say by how much follows, by effect."""
    order = list(Effect)
    return sorted(
        findings,
        key=lambda item: (
            -(item.moves_pct or 0.0),
            order.index(item.effect),
            item.rule,
            item.folder,
        ),
    )
