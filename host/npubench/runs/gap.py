"""Where the difference between two runs of one network comes from, in order of weight.

The difference of one inference (load + infer + unload + post) is split into parts that add up to
it: the clock first, where times were measured with two; then stage by stage, `infer` operator by
operator. Each part has a cause and its evidence; what has none is called unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from npubench.core.format import quantity
from npubench.core.stages import Stage
from npubench.runs.gap_cause import (
    Cause,
    Changed,
    kernel_of,
    what_differs,
    why_between,
    why_operator,
)
from npubench.runs.schema import LayerRecord, Number, RunRecord

__all__ = ["Cause", "Gap", "GapPart", "explain_gap"]

_PARTS = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapPart:
    """One part of a gap: ``amount`` in the gap's unit, above zero where b takes more;
    ``share_ratio`` is amount / gap. ``operators`` are those that it stands for."""

    cause: Cause
    what: str
    amount: float
    share_ratio: float
    evidence: str
    operators: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The difference of one inference of b from a's, and its parts by weight, ``unexplained`` last.

    ``unit`` is that of the stages. ``explained_ratio``: how much of the difference has a cause,
    None where there is no difference. ``setup_a`` and ``setup_b``: what making the engine ready
    takes, once, outside of the gap. ``beside``: what else differs and has no share of its own.
    """

    unit: str
    a: float
    b: float
    parts: tuple[GapPart, ...]
    explained_ratio: float | None
    setup_a: Number | None
    setup_b: Number | None
    beside: tuple[str, ...] = ()

    @property
    def amount(self) -> float:
        """b - a."""
        return self.b - self.a

    def document(self) -> dict[str, Any]:
        """The gap as JSON values."""
        return asdict(self) | {"amount": self.amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One run in the unit of the comparison."""

    record: RunRecord
    stages: dict[str, float]
    layers: dict[int, LayerRecord]


def explain_gap(a: RunRecord, b: RunRecord, *, changed: Changed | None = None) -> Gap | None:
    """The gap between two runs that were compared; None where either has no stages in one unit.

    ``changed`` tells of a kernel what differs in its sources; without it versions alone tell.
    """
    units = {
        run.stages[stage].unit
        for run in (a, b)
        for stage in _PARTS
        if stage in run.stages and run.stages[stage].median is not None
    }
    if len(units) != 1:
        return None
    (unit,) = units
    left, right = _side(a), _side(b)
    if left is None or right is None:
        return None
    total_a, total_b = (sum(side.stages.values()) for side in (left, right))
    found = list(_clock(left, right, unit))
    scale = 1.0
    if found:
        # What is left is the difference at a's clock.
        scale = (total_b - found[0].amount) / total_b
        right = _Side(
            record=b,
            stages={name: value * scale for name, value in right.stages.items()},
            layers=right.layers,
        )
    found += _stages(left, right, unit)
    found += _infer(left, right, unit, changed)
    gap = total_b - total_a
    parts = _ordered(found, gap)
    rest = gap - sum(part.amount for part in parts)
    parts += (
        GapPart(
            cause=Cause.UNEXPLAINED,
            what="the rest",
            amount=rest,
            share_ratio=rest / gap if gap else 0.0,
            evidence="",
        ),
    )
    return Gap(
        unit=unit,
        a=total_a,
        b=total_b,
        parts=parts,
        explained_ratio=None if gap == 0 else max(0.0, 1.0 - abs(rest / gap)),
        setup_a=_median(a, Stage.INIT_COLD),
        setup_b=_median(b, Stage.INIT_COLD),
        beside=tuple(what_differs(a, b)),
    )


def _side(record: RunRecord) -> _Side | None:
    stages = {}
    for stage in _PARTS:
        value = _median(record, stage)
        if value is None:
            return None
        stages[str(stage)] = float(value)
    return _Side(
        record=record,
        stages=stages,
        layers={layer.index: layer for layer in record.layers},
    )


def _median(record: RunRecord, stage: str) -> Number | None:
    found = record.stages.get(stage)
    return None if found is None else found.median


def _ordered(found: Iterable[GapPart], gap: float) -> tuple[GapPart, ...]:
    """The parts that are not nothing, the heaviest first, with their shares."""
    parts = [part for part in found if part.amount != 0]
    parts.sort(key=lambda part: -abs(part.amount))
    return tuple(
        GapPart(
            cause=part.cause,
            what=part.what,
            amount=part.amount,
            share_ratio=part.amount / gap if gap else 0.0,
            evidence=part.evidence,
            operators=part.operators,
        )
        for part in parts
    )


def _part(
    cause: Cause, what: str, amount: float, evidence: str, operators: tuple[int, ...] = ()
) -> GapPart:
    return GapPart(
        cause=cause, what=what, amount=amount, share_ratio=0.0, evidence=evidence,
        operators=operators,
    )  # fmt: skip


def _clock(a: _Side, b: _Side, unit: str) -> Iterator[GapPart]:
    """What the same cycles take at another clock: only of times that were measured with one."""
    clocks = [_hz(side.record) for side in (a, b)]
    if unit != "us" or clocks[0] is None or clocks[1] is None or clocks[0] == clocks[1]:
        return
    total = sum(b.stages.values())
    at_a = total * clocks[1] / clocks[0]
    yield _part(
        Cause.CLOCK,
        "the same cycles at another clock",
        total - at_a,
        f"{clocks[0] / 1e6:.4g} MHz and {clocks[1] / 1e6:.4g} MHz, measured",
    )


def _hz(record: RunRecord) -> float | None:
    return None if record.clock is None else record.clock.measured_hz


def _stages(a: _Side, b: _Side, unit: str) -> Iterator[GapPart]:
    for stage in _PARTS:
        if stage is Stage.INFER:
            continue
        left, right = a.stages[stage], b.stages[stage]
        yield _part(Cause.STAGES, str(stage), right - left, _counts(left, right, unit))


@dataclass(slots=True, kw_only=True)
class _Segment:
    """Operators whose cost is known together: one, or those of an NPU's job. Costs of a and b."""

    a: float = 0.0
    b: float = 0.0
    first: list[LayerRecord] = field(default_factory=list)
    second: list[LayerRecord] = field(default_factory=list)

    @property
    def kinds(self) -> str:
        ops = [layer.op for layer in self.first]
        return ops[0] if len(ops) == 1 else f"{len(ops)} operators, {ops[0]} to {ops[-1]}"

    @property
    def kernels(self) -> tuple[str, str]:
        """By what a and b run it: a kernel, a job; of several kernels their engine."""
        left, right = ({kernel_of(layer) for layer in side} for side in (self.first, self.second))
        return (
            left.pop() if len(left) == 1 else self.first[-1].engine,
            right.pop() if len(right) == 1 else self.second[-1].engine,
        )


def _segments(a: _Side, b: _Side) -> list[_Segment] | None:
    """The operators in order; None where a cost is not known, or an operator is in one run alone.
    What is inside a job of the NPU has no cost of its own: it goes with the job's."""
    if set(a.layers) != set(b.layers):
        return None
    segments: list[_Segment] = []
    open_ = _Segment()
    for index in sorted(a.layers):
        first, second = a.layers[index], b.layers[index]
        open_.first.append(first)
        open_.second.append(second)
        left, right = _value(first, a), _value(second, b)
        if (left is None and first.engine != "npu") or (right is None and second.engine != "npu"):
            return None
        open_.a += left or 0.0
        open_.b += right or 0.0
        if left is not None and right is not None:
            segments.append(open_)
            open_ = _Segment()
    return None if open_.first else segments


def _infer(a: _Side, b: _Side, unit: str, changed: Changed | None) -> Iterator[GapPart]:
    """The operators, those of one cause and pair of kernels together, and what lies between."""
    segments = _segments(a, b)
    if not segments:
        return
    groups: dict[tuple[Cause, str, str, str], list[_Segment]] = {}
    seen: dict[tuple[Cause, str, str, str], str] = {}
    for segment in segments:
        first, second = segment.first[-1], segment.second[-1]
        why = why_operator(a.record, b.record, first, second, changed)
        if why is not None:
            key = (why.cause, segment.kinds, *segment.kernels)
            groups.setdefault(key, []).append(segment)
            seen[key] = why.seen
    for key, members in groups.items():
        cause, kinds, kernel_a, kernel_b = key
        one, other = sum(item.a for item in members), sum(item.b for item in members)
        many = f" ×{len(members)}" if len(members) > 1 else ""
        layers = [layer for item in members for layer in item.first]
        counts = _counts(one, other, unit, macs=sum(layer.macs for layer in layers))
        yield _part(
            cause,
            f"{kinds}{many}: {kernel_a} → {kernel_b}" if kernel_a != kernel_b else f"{kinds}{many}",
            other - one,
            f"{seen[key]}; {counts}" if seen[key] else counts,
            tuple(layer.index for layer in layers),
        )
    if why_between(a.record, b.record):
        left, right = a.stages[Stage.INFER], b.stages[Stage.INFER]
        between = [
            left - sum(item.a for item in segments),
            right - sum(item.b for item in segments),
        ]
        yield _part(
            Cause.DISPATCH,
            "infer less its operators counted one by one",
            between[1] - between[0],
            _counts(between[0], between[1], unit),
        )


def _value(layer: LayerRecord, side: _Side) -> float | None:
    """An operator's cost in the unit of the stages; what runs nothing costs nothing."""
    if layer.value is None:
        return 0.0 if layer.engine == "none" else None
    stage = side.record.stages[Stage.INFER]
    if layer.unit == "cycles" and stage.unit == "us" and stage.cycles_median:
        return float(layer.value) * side.stages[Stage.INFER] / float(stage.cycles_median)
    return float(layer.value) if layer.unit == stage.unit else None


def _counts(a: float, b: float, unit: str, *, macs: int = 0) -> str:
    text = f"{quantity(_whole(a), unit)} and {quantity(_whole(b), unit)}"
    if macs:
        factor, each = (1e3, " ns") if unit in ("us", "us_modelled") else (1, "")
        first, second = (f"{value * factor / macs:.3g}{each}" for value in (a, b))
        text += f"; {first} and {second} per multiply-accumulate"
    return text


def _whole(value: float) -> Number:
    return int(value) if value == int(value) else value
