"""Energy of two runs side by side: by stage, and what it means at a rate of inferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.power.energy.duty import break_even_per_second, duty_power_uw
from npubench.runs.energy_record import EnergyRecord, EnergyStageRecord
from npubench.stats.compare import Verdict

RATES_PER_SECOND = (0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyStageComparison:
    """One stage's energy in microjoules, gross and net of idle; ``ratio`` is gross b / a.

    The verdict rests on the gross intervals (k = 2): a difference is named only where they do not
    overlap. Two captures of one instrument share its gain error, so this is on the safe side.
    """

    stage: str
    gross_a_uj: float
    gross_b_uj: float
    net_a_uj: float | None
    net_b_uj: float | None
    ratio: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyComparison:
    """Mean power at a rate of inferences with idle between them; None where they do not fit."""

    per_second: float
    a_uw: float | None
    b_uw: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyComparison:
    """Energy of run b against run a. ``break_even_per_second``: the rate at which both take the
    same mean power; None, with the reason in ``break_even``, where there is no such rate."""

    idle_a_uw: float | None
    idle_b_uw: float | None
    stages: tuple[EnergyStageComparison, ...]
    break_even_per_second: float | None
    break_even: str
    duty: tuple[DutyComparison, ...]


def compare_energy(
    a: EnergyRecord | None,
    b: EnergyRecord | None,
    *,
    rates_per_second: Sequence[float] = RATES_PER_SECOND,
) -> EnergyComparison | None:
    """None where a run has no energy."""
    if a is None or b is None:
        return None
    names = [name for name in a.stages if name in b.stages]
    rate, words = break_even(a, b)
    return EnergyComparison(
        idle_a_uw=a.idle_uw,
        idle_b_uw=b.idle_uw,
        stages=tuple(_stage(name, a, b) for name in names),
        break_even_per_second=rate,
        break_even=words,
        duty=tuple(
            DutyComparison(per_second=each, a_uw=duty_uw(a, each), b_uw=duty_uw(b, each))
            for each in rates_per_second
        ),
    )


def _stage(name: str, a: EnergyRecord, b: EnergyRecord) -> EnergyStageComparison:
    left, right = a.stages[name], b.stages[name]
    verdict, reason = _verdict(left, right, a.evidence, b.evidence)
    return EnergyStageComparison(
        stage=name,
        gross_a_uj=left.gross_uj,
        gross_b_uj=right.gross_uj,
        net_a_uj=left.net_uj,
        net_b_uj=right.net_uj,
        ratio=right.gross_uj / left.gross_uj if left.gross_uj else None,
        verdict=verdict,
        reason=reason,
    )


def _verdict(
    left: EnergyStageRecord, right: EnergyStageRecord, a: Evidence, b: Evidence
) -> tuple[Verdict, str]:
    if a is not b:
        return Verdict.UNDECIDED, "different evidence: no claim is made"
    ends = (left.gross_low_uj, left.gross_high_uj, right.gross_low_uj, right.gross_high_uj)
    a_low, a_high, b_low, b_high = ends
    if a_low is None or a_high is None or b_low is None or b_high is None:
        return Verdict.UNDECIDED, "without a sourced accuracy there is no interval"
    if a_high < b_low or b_high < a_low:
        if a is Evidence.MEASURED:
            return Verdict.DIFFERENT, "the intervals (k = 2) do not overlap"
        return Verdict.MODELLED, "the intervals (k = 2) do not overlap; nothing was observed"
    return Verdict.UNDECIDED, "the intervals (k = 2) overlap"


def duty_uw(energy: EnergyRecord, per_second: float) -> float | None:
    """Mean power at a rate of inferences with idle between them; None where they do not fit, or
    where there is no energy end to end, net of idle."""
    whole = energy.stages.get(Stage.END_TO_END)
    if whole is None or whole.net_uj is None or energy.idle_uw is None:
        return None
    return duty_power_uw(
        idle_uw=energy.idle_uw,
        net_uj=whole.net_uj,
        duration_us=whole.duration_us,
        per_second=per_second,
    )


def break_even(a: EnergyRecord, b: EnergyRecord) -> tuple[float | None, str]:
    """Inferences per second at which both take the same mean power, else None and the reason."""
    left, right = a.stages.get(Stage.END_TO_END), b.stages.get(Stage.END_TO_END)
    if left is None or right is None or left.net_uj is None or right.net_uj is None:
        return None, "no energy end to end, net of idle"
    if a.idle_uw is None or b.idle_uw is None:
        return None, "idle was not captured"
    if a.evidence is not b.evidence:
        return None, "different evidence"
    rate = break_even_per_second(
        idle_uw=a.idle_uw,
        net_uj=left.net_uj,
        other_idle_uw=b.idle_uw,
        other_net_uj=right.net_uj,
    )
    if rate is None:
        return None, "one takes less power at every rate"
    if rate * max(left.duration_us, right.duration_us) > 1e6:
        return None, "one takes less power at every rate that both can keep up with"
    return rate, ""
