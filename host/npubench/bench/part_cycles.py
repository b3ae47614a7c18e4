"""Modelled cycles, time and energy of a part, from what its board model executed in each window.

The model writes down what ran between any two reads of the cycle counter; the firmware says how
many instructions each of its windows counted, in the same order. Here the two meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from npubench.bench.session import Session
from npubench.boards import Board
from npubench.core.stages import Stage
from npubench.cycles.weights import PartWeights, Range, cycles_range, sentence, weights_of
from npubench.runs.schema import LayerRecord, RangeRecord, StageRecord

Counts = Mapping[str, float]
TIMED = (Stage.INIT_WARM, Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)
END_TO_END = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelled:
    """Cycles, time in microseconds and, where the part has it, energy in microjoules."""

    cycles: RangeRecord
    time_us: RangeRecord
    energy_uj: RangeRecord | None


class Windows:
    """The windows of a session, found one after the other by their instructions."""

    def __init__(self, windows: Sequence[tuple[int, Counts]]) -> None:
        self._windows = windows
        self._next = 0

    def find(self, instructions: int) -> Counts | None:
        """The next window of exactly so many instructions, None when there is none."""
        for number in range(self._next, len(self._windows)):
            if self._windows[number][0] == instructions:
                self._next = number + 1
                return self._windows[number][1]
        return None


def part_weights(board: Board) -> PartWeights | None:
    """The weights with which a board's model tells cycles, None where there are none."""
    return weights_of(board.part) if board.is_model and board.part else None


def modelled(weights: PartWeights, counts: Counts, *, share: float = 1.0) -> Modelled:
    """What a tally means for a part. ``share``: of it that counts, without the window's cost."""
    name = sentence(weights)
    cycles = cycles_range(weights, counts).times(share)
    energy = None
    if weights.energy:
        best = weights.energy[0]
        energy = _record(
            cycles.times(
                best.nj_per_cycle / 1e3, over_pct=best.error_pct, under_pct=best.error_pct
            ),
            f"{best.nj_per_cycle:.3f} nJ a cycle, {best.submitter} {best.configuration}, "
            f"leave-one-benchmark-out {best.error_pct:.1f} %",
        )
    return Modelled(
        cycles=_record(cycles, name),
        time_us=_record(cycles.times(1e6 / weights.hz), f"{name}; {weights.hz / 1e6:g} MHz"),
        energy_uj=energy,
    )


def _record(value: Range, model: str) -> RangeRecord:
    return RangeRecord(
        low=round(value.low, 3), mid=round(value.mid, 3), high=round(value.high, 3), model=model
    )


def part_stages(
    stages: Mapping[str, StageRecord], session: Session, windows: Windows, weights: PartWeights
) -> dict[str, StageRecord]:
    """Stages with their modelled cycles: of the last repetition, as all are alike here."""
    bench = session.bench
    if bench is None:
        return dict(stages)
    found: dict[Stage, Counts] = {}
    for rep in bench.reps:
        raw = (rep.init, rep.load, rep.infer, rep.unload, rep.post)
        for stage, instructions in zip(TIMED, raw, strict=True):
            counts = windows.find(instructions)
            if counts is not None:
                found[stage] = counts
    whole: dict[str, float] = {}
    for stage in END_TO_END:
        for name, count in found.get(stage, {}).items():
            whole[name] = whole.get(name, 0) + count
    records = dict(stages)
    if whole and Stage.INFER in found:
        found[Stage.END_TO_END] = whole
    for stage, counts in found.items():
        record = records.get(stage.value)
        if record is not None and record.median:
            records[stage.value] = record.model_copy(update=_fields(weights, counts, record.median))
    return records


def part_layers(
    layers: Sequence[LayerRecord], session: Session, windows: Windows, weights: PartWeights
) -> tuple[LayerRecord, ...]:
    """Operators with their modelled cycles."""
    found: dict[int, Counts] = {}
    if session.layers is not None:
        for op in session.layers.counts:
            counts = windows.find(op.count)
            if counts is not None:
                found[op.op] = counts
    return tuple(
        layer.model_copy(update=_fields(weights, found[layer.index], layer.value))
        if layer.index in found and layer.value
        else layer
        for layer in layers
    )


def _fields(weights: PartWeights, counts: Counts, net: float) -> dict[str, RangeRecord | None]:
    from npubench.cycles.terms import instructions

    value = modelled(weights, counts, share=min(1.0, net / instructions(counts)))
    return {"cycles": value.cycles, "time_us": value.time_us, "energy_uj": value.energy_uj}
