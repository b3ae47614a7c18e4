"""The energy of one repetition of a stage: the mean over its windows, differences and sums of
stages, with what makes each uncertain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npubench.power.energy.term import Term, mean

# How the source of error is called that a window's neighbours may share in an unknown way.
SLOW = "noise, slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnergy:
    """One repetition of a stage, in microjoules. ``net`` is None without an idle window.

    ``repeats``: repetitions in a window; ``windows``: how many; ``samples``: in all of them.
    """

    gross: Term
    net: Term | None
    repeats: int
    windows: int
    samples: int
    duration_us: float
    mean_uw: float
    peak_uw: float
    charge_uc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """One repetition, from one window or the mean of several."""

    gross: Term
    net: Term | None
    repeats: int
    windows: int
    samples: int
    seconds: float
    peak_uw: float
    charge_uc: float


def mean_each(each: Sequence[Each]) -> Each:
    nets = [item.net for item in each if item.net is not None]
    count = len(each)
    return Each(
        gross=_together(mean(item.gross for item in each)),
        net=_together(mean(nets)) if len(nets) == count else None,
        repeats=each[0].repeats,
        windows=count,
        samples=sum(item.samples for item in each),
        seconds=sum(item.seconds for item in each) / count,
        peak_uw=max(item.peak_uw for item in each),
        charge_uc=sum(item.charge_uc for item in each) / count,
    )


def _together(term: Term) -> Term:
    """The slow noise of all windows as one source that adds up: the windows may lie alike in it."""
    slow = {source: part for source, part in term.parts.items() if source.startswith(SLOW)}
    if len(slow) < 2:
        return term
    parts = {source: part for source, part in term.parts.items() if source not in slow}
    parts[min(slow)] = sum(abs(part) for part in slow.values())
    return Term(value=term.value, parts=parts)


def loop_share(each: Each, counted_us: float | None) -> float:
    """Which share of a repetition is the stage itself: the rest is the loop around it."""
    if counted_us is None or each.seconds <= 0:
        return 1.0
    return min(1.0, counted_us * 1e-6 / each.seconds)


def stage_of(each: Each, share: float) -> StageEnergy:
    return StageEnergy(
        gross=each.gross.times(share),
        net=None if each.net is None else each.net.times(share),
        repeats=each.repeats,
        windows=each.windows,
        samples=each.samples,
        duration_us=each.seconds * share * 1e6,
        mean_uw=each.gross.value / each.seconds if each.seconds else 0.0,
        peak_uw=each.peak_uw,
        charge_uc=each.charge_uc * share,
    )


def difference(infer: Each, load: Each) -> StageEnergy:
    """``infer`` alone: what load and infer took together, less a load with its loop."""
    seconds = infer.seconds - load.seconds
    gross = infer.gross - load.gross
    return StageEnergy(
        gross=gross,
        net=None if infer.net is None or load.net is None else infer.net - load.net,
        repeats=infer.repeats,
        windows=infer.windows,
        samples=infer.samples,
        duration_us=seconds * 1e6,
        mean_uw=gross.value / seconds if seconds > 0 else 0.0,
        peak_uw=infer.peak_uw,
        charge_uc=infer.charge_uc - load.charge_uc,
    )


def sum_of(stages: Sequence[StageEnergy]) -> StageEnergy:
    gross, net = stages[0].gross, stages[0].net
    for stage in stages[1:]:
        gross = gross + stage.gross
        net = None if net is None or stage.net is None else net + stage.net
    microseconds = sum(stage.duration_us for stage in stages)
    return StageEnergy(
        gross=gross,
        net=net,
        repeats=min(stage.repeats for stage in stages),
        windows=min(stage.windows for stage in stages),
        samples=sum(stage.samples for stage in stages),
        duration_us=microseconds,
        mean_uw=gross.value * 1e6 / microseconds if microseconds else 0.0,
        peak_uw=max(stage.peak_uw for stage in stages),
        charge_uc=sum(stage.charge_uc for stage in stages),
    )
