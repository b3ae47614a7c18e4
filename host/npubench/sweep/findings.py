"""What a sweep may find."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

STEP: Final = Finding(
    id="sweep.step",
    severity=Severity.REMARK,
    meaning="cost leaves the law of growth between two neighbouring points of a sweep",
    remedy="look at the layer that is named; where a memory is the cause, more of it or a smaller "
    "layer moves the step",
    spoils=Spoils.NOTHING,
    text="{axis} {before} to {after}: {change_pct:+.1f} % against the law; {place}: {cause}",
    values={
        "axis": str,
        "before": str,
        "after": str,
        "change_pct": float,
        "place": str,
        "cause": str,
    },
)
NO_LAW: Final = Finding(
    id="sweep.no-law",
    severity=Severity.WARNING,
    meaning="too few points of a series have a cost, so that no law is fitted",
    remedy="vary more finely, or see why points failed",
    spoils=Spoils.NOTHING,
    text="{series}: {known} points have a cost, a law needs {needed}",
    values={"series": str, "known": int, "needed": int},
)
