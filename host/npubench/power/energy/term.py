"""A number with what makes it uncertain, by source: linear propagation that keeps correlations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

COVERAGE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """``value``, and for each independent source of error what one standard deviation of that
    source adds to it (signed). Two terms that share a source are correlated through it."""

    value: float
    parts: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: Term) -> Term:
        parts = dict(self.parts)
        for source, part in other.parts.items():
            parts[source] = parts.get(source, 0.0) + part
        return Term(value=self.value + other.value, parts=parts)

    def __sub__(self, other: Term) -> Term:
        return self + other.times(-1.0)

    def times(self, factor: float) -> Term:
        """The term multiplied by an exact factor."""
        return Term(
            value=self.value * factor,
            parts={source: part * factor for source, part in self.parts.items()},
        )

    @property
    def sigma(self) -> float:
        """The standard uncertainty."""
        return float(sum(part * part for part in self.parts.values()) ** 0.5)

    @property
    def low(self) -> float:
        """The lower end of the interval (k = 2)."""
        return self.value - COVERAGE * self.sigma

    @property
    def high(self) -> float:
        """The upper end of the interval (k = 2)."""
        return self.value + COVERAGE * self.sigma


def mean(terms: Iterable[Term]) -> Term:
    """The mean of terms, at least one."""
    listed = list(terms)
    total = listed[0]
    for term in listed[1:]:
        total = total + term
    return total.times(1.0 / len(listed))
