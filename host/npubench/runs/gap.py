"""Where the difference between two runs of one network comes from, in order of weight.

The difference of one inference (load + infer + unload + post) is split into parts that add up to
it: the clock first, where times were measured with two; then stage by stage, `infer` operator by
operator. Each part has a cause and its evidence; what has none is called unexplained.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from npubench.core.format import quantity
from npubench.core.stages import Stage
from npubench.runs.schema import LayerRecord, Number, RunRecord

_PARTS = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)
_MOVES = frozenset(
    (
        "RESHAPE", "PAD", "PADV2", "MIRROR_PAD", "CONCATENATION", "TRANSPOSE", "SLICE",
        "STRIDED_SLICE", "SPLIT", "SPLIT_V", "PACK", "UNPACK", "GATHER", "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "SQUEEZE", "EXPAND_DIMS",
        "BROADCAST_TO", "REVERSE_V2", "READ_VARIABLE", "ASSIGN_VARIABLE",
    )
)  # fmt: skip
_RESCALES = frozenset(("QUANTIZE", "DEQUANTIZE"))
_COMPILERS = ("gcc", "clang")


class Cause(StrEnum):
    """What a part of a gap comes from."""

    CLOCK = "clock"
    FALLBACK = "NPU or CPU"
    WORK = "work left out"
    KERNEL = "choice of kernel"
    COMPILER = "compiler and flags"
    CORE = "core and its memories"
    MOVEMENT = "copies and padding"
    REQUANTIZATION = "requantization"
    DISPATCH = "calls between operators"
    STAGES = "load, unload and post"
    UNEXPLAINED = "unexplained"


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


def explain_gap(a: RunRecord, b: RunRecord) -> Gap | None:
    """The gap between two runs that were compared; None where either has no stages in one unit."""
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
    found += _infer(left, right, unit)
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
        beside=tuple(_beside(a, b)),
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


def _infer(a: _Side, b: _Side, unit: str) -> Iterator[GapPart]:
    """The operators, those of one cause and pair of kernels together, and what lies between."""
    left, right = a.stages[Stage.INFER], b.stages[Stage.INFER]
    values: list[tuple[float, float, LayerRecord, LayerRecord]] = []
    for index, first in a.layers.items():
        second = b.layers.get(index)
        x, y = _value(first, left, a), None if second is None else _value(second, right, b)
        if second is None or x is None or y is None:
            return
        values.append((x, y, first, second))
    if not values:
        return
    groups: dict[tuple[Cause, str, str, str], list[tuple[float, float, LayerRecord]]] = {}
    for x, y, first, second in values:
        cause = _cause(a.record, b.record, first, second)
        if cause is not None:
            key = (cause, first.op, _kernel(first), _kernel(second))
            groups.setdefault(key, []).append((x, y, first))
    for (cause, op, kernel_a, kernel_b), members in groups.items():
        one = sum(item[0] for item in members)
        other = sum(item[1] for item in members)
        many = f" ×{len(members)}" if len(members) > 1 else ""
        yield _part(
            cause,
            f"{op}{many}: {kernel_a} → {kernel_b}" if kernel_a != kernel_b else f"{op}{many}",
            other - one,
            _counts(one, other, unit, macs=sum(item[2].macs for item in members)),
            tuple(item[2].index for item in members),
        )
    between = [
        left - sum(value[0] for value in values),
        right - sum(value[1] for value in values),
    ]
    if a.record.backend != b.record.backend:
        yield _part(
            Cause.DISPATCH,
            "what infer takes beside its operators",
            between[1] - between[0],
            _counts(between[0], between[1], unit),
        )


def _value(layer: LayerRecord, infer: float, side: _Side) -> float | None:
    """An operator's cost in the unit of the stages; what runs nothing costs nothing."""
    if layer.value is None:
        return 0.0 if layer.engine == "none" else None
    if layer.unit == "cycles":
        stage = side.record.stages[Stage.INFER]
        if stage.unit == "us" and stage.cycles_median:
            return float(layer.value) * infer / float(stage.cycles_median)
    return float(layer.value) if layer.unit == side.record.stages[Stage.INFER].unit else None


def _kernel(layer: LayerRecord) -> str:
    return layer.kernel or layer.engine


def _cause(a: RunRecord, b: RunRecord, first: LayerRecord, second: LayerRecord) -> Cause | None:
    """Why one operator differs; None where nothing known does."""
    if first.engine != second.engine and "npu" in (first.engine, second.engine):
        return Cause.FALLBACK
    if first.op in _MOVES:
        return Cause.MOVEMENT
    if first.op in _RESCALES:
        return Cause.REQUANTIZATION
    if (first.executed_macs or first.macs) != (second.executed_macs or second.macs):
        return Cause.WORK
    if _kernel(first) != _kernel(second):
        return Cause.KERNEL
    if _core(a) != _core(b):
        return Cause.CORE
    if _compiler(a) != _compiler(b):
        return Cause.COMPILER
    return None if a.backend == b.backend and a.options == b.options else Cause.KERNEL


def _core(record: RunRecord) -> tuple[str, ...]:
    return (record.board, *record.environment.flags)


def _compiler(record: RunRecord) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(
            (name, version)
            for name, version in record.environment.tools.items()
            if any(word in name for word in _COMPILERS)
        )
    )


def _counts(a: float, b: float, unit: str, *, macs: int = 0) -> str:
    text = f"{quantity(_whole(a), unit)} and {quantity(_whole(b), unit)}"
    if macs:
        text += f"; {a / macs:.3g} and {b / macs:.3g} per multiply-accumulate"
    return text


def _whole(value: float) -> Number:
    return int(value) if value == int(value) else value


def _beside(a: RunRecord, b: RunRecord) -> Iterator[str]:
    """What differs and may be in every part above."""
    pairs: Sequence[tuple[str, object, object]] = (
        ("board", a.board, b.board),
        ("flags", " ".join(a.environment.flags), " ".join(b.environment.flags)),
        ("compiler", _words(_compiler(a)), _words(_compiler(b))),
        ("npubench", a.environment.npubench, b.environment.npubench),
        ("placement", _placement(a), _placement(b)),
    )
    for what, left, right in pairs:
        if left != right:
            yield f"{what}: {left or 'none'} and {right or 'none'}"


def _words(pairs: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(version for _, version in pairs)


def _placement(record: RunRecord) -> str:
    return "" if record.memory is None else ", ".join(record.memory.regions)
