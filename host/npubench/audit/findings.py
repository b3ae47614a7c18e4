"""The audit's rules as findings: ids, words and what each takes from a published result."""

from __future__ import annotations

from typing import Final

from npubench.audit.rules import RULES, Effect
from npubench.core.finding import Finding, Severity, Spoils

_SEVERITY: Final = {
    Effect.CONTRADICTS: Severity.REFUSAL,
    Effect.BREAKS: Severity.REFUSAL,
    Effect.WEAKENS: Severity.WARNING,
    Effect.REMARK: Severity.REMARK,
}


def _spoils(rule: str, effect: Effect) -> Spoils:
    if effect is Effect.REMARK:
        return Spoils.NOTHING
    for word, what in (
        ("energy", Spoils.ENERGY),
        ("accuracy", Spoils.ANSWER),
        ("throughput", Spoils.TIME),
        ("window", Spoils.TIME),
    ):
        if rule.startswith(word):
            return what
    return Spoils.RUN


ALL: Final = tuple(
    Finding(
        id=f"audit.{name}",
        severity=_SEVERITY[rule.effect],
        meaning=rule.meaning,
        remedy="ask who submitted it, or recompute it: npubench audit says from which files",
        spoils=_spoils(name, rule.effect),
        text="{detail}",
        values={"detail": str},
        aliases=(),
    )
    for name, rule in RULES.items()
)
