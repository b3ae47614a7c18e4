"""One verdict for each result: what was computed again, whether it agrees, what could not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from npubench.audit.figures import Figure, figures
from npubench.audit.result import AuditResult
from npubench.audit.rules import Effect, Finding


class Verdict(StrEnum):
    """From the worst on. A contradiction outweighs a broken rule, either what was not checked."""

    CONTRADICTED = "contradicted"
    RULE_BROKEN = "rule broken"
    NOT_CHECKABLE = "not checkable"
    PARTLY_CHECKED = "partly checked"
    CONFIRMED = "confirmed"


MEANING = {
    Verdict.CONTRADICTED: "the raw data give another figure than the published one",
    Verdict.RULE_BROKEN: "a rule of the benchmark is broken",
    Verdict.NOT_CHECKABLE: "no published figure could be computed again",
    Verdict.PARTLY_CHECKED: "what could be computed agrees; something could not",
    Verdict.CONFIRMED: "every published figure was computed again and agrees",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A result with its figures, findings and verdict; ``why``: the reasons in words, of which
    ``open_reasons`` say what could not be computed."""

    result: AuditResult
    figures: tuple[Figure, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    why: tuple[str, ...]
    open_reasons: tuple[str, ...]

    @property
    def moves_pct(self) -> float:
        """By how much its worst finding moves a published number, 0 where none says it."""
        return max((item.moves_pct or 0.0 for item in self.findings), default=0.0)


def judge(result: AuditResult, findings: Sequence[Finding]) -> Judged:
    """The verdict by what the findings do and which published figures were computed again."""
    claimed = figures(result)
    published = [figure for figure in claimed if figure.published is not None]
    checked = [figure for figure in published if figure.agrees is not None]
    effects = {finding.effect for finding in findings}
    if Effect.CONTRADICTS in effects:
        verdict = Verdict.CONTRADICTED
    elif Effect.BREAKS in effects:
        verdict = Verdict.RULE_BROKEN
    elif not checked:
        verdict = Verdict.NOT_CHECKABLE
    elif len(checked) < len(published) or Effect.WEAKENS in effects:
        verdict = Verdict.PARTLY_CHECKED
    else:
        verdict = Verdict.CONFIRMED
    open_reasons = _open_reasons(published)
    return Judged(
        result=result,
        figures=claimed,
        findings=tuple(findings),
        verdict=verdict,
        why=(*_why(verdict, claimed, findings), *open_reasons),
        open_reasons=open_reasons,
    )


def _open_reasons(published: Sequence[Figure]) -> tuple[str, ...]:
    """What was published and could not be computed, one line for a reason."""
    if not published:
        return ("nothing published to compare with",)
    by_reason: dict[str, list[str]] = {}
    for figure in published:
        if figure.agrees is None:
            by_reason.setdefault(figure.why_not, []).append(figure.name)
    return tuple(
        f"{', '.join(names)} not computed: {reason}" for reason, names in by_reason.items()
    )


def _why(verdict: Verdict, claimed: Sequence[Figure], findings: Sequence[Finding]) -> list[str]:
    if verdict is Verdict.CONFIRMED:
        return [f"{figure.name} from {figure.basis}" for figure in claimed if figure.agrees]
    effects = {
        Verdict.CONTRADICTED: (Effect.CONTRADICTS, Effect.BREAKS),
        Verdict.RULE_BROKEN: (Effect.BREAKS,),
    }.get(verdict, (Effect.WEAKENS,))
    return [f"{item.rule}: {item.detail}" for item in findings if item.effect in effects]
