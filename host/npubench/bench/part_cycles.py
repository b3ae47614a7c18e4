"""Modelled cycles, time and energy of a part, from what was executed in each window.

A board's model, or QEMU with its tally, writes down what ran between any two reads of the cycle
counter; the firmware says how much each of its windows counted, in the same order. Here the two
meet. An emulated board has no part of its own: another board's may be lent to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from npubench.bench.counts import Scale
from npubench.bench.job import Job, Settings
from npubench.bench.part_energy import has_modelled_npu, lent_part
from npubench.bench.session import Session
from npubench.boards import Board, board_ids, load_board
from npubench.core.errors import UsageError
from npubench.core.stages import Stage
from npubench.cycles.weights import (
    PartWeights,
    Range,
    cycles_by_model,
    cycles_range,
    load_cores,
    sentence,
    weights_of,
)
from npubench.runs.compare_parts import LENT
from npubench.runs.schema import LayerRecord, RangeRecord, StageRecord

Counts = Mapping[str, float]
TIMED = (Stage.INIT_WARM, Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)
END_TO_END = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST)
SLACK = 1
"""On QEMU a count of ticks may be an instruction off: talk on the console moves them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelled:
    """Cycles, time in microseconds and, where the part has it, energy in microjoules."""

    cycles: RangeRecord
    time_us: RangeRecord
    energy_uj: RangeRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOf:
    """The weights by which a run is told in cycles. ``lent_to``: the board that is not the part's,
    None on the part's own model."""

    weights: PartWeights
    lent_to: str | None = None

    def words(self, clock: str = "") -> str:
        """Where the values come from, in a line."""
        lent = "" if self.lent_to is None else f"{LENT}{self.lent_to}, its code region as flash"
        return sentence(self.weights) + clock + lent


class Windows:
    """The windows of a session, found one after the other by what they counted."""

    def __init__(self, windows: Sequence[tuple[int, Counts]], scale: Scale) -> None:
        self._windows = windows
        self._scale = scale
        self._slack = 0 if scale.per_count == 1 else SLACK
        self._next = 0

    def find(self, count: int) -> Counts | None:
        """The next window of so many counts of the board's counter, None when there is none."""
        instructions = self._scale.raw(count)
        for number in range(self._next, len(self._windows)):
            if abs(self._windows[number][0] - instructions) <= self._slack:
                self._next = number + 1
                return self._windows[number][1]
        return None


def part_of(job: Job, settings: Settings) -> PartOf | None:
    """The part whose cycles a job's run is told in, None where there is none. A board with a
    modelled NPU has clocks and a range of cycles instead; a part may lend it its own (part_energy).

    What is lent is a board's part or, of a part without images, its core at the part's clock.
    Raises UsageError for what cannot be lent to the job's board.
    """
    board = job.board
    if has_modelled_npu(board):
        if settings.as_board is not None and settings.as_board != board.id:
            lent_part(board, settings.as_board)
        return None
    if settings.as_board is None:
        weights = weights_of(board.part) if board.is_model and board.part else None
        return None if weights is None else PartOf(weights=weights)
    weights = _lent(settings.as_board, board)
    if weights.core != board.cpu.core:
        raise UsageError(
            f"{board.id} is a {board.cpu.core}, {settings.as_board} a {weights.core}: none is lent",
            hint="lend a part to a board of its own core",
        )
    if not board.is_model and board.counter.address is None:
        raise UsageError(
            f"--as needs an emulator that tells what ran, and {board.id} is {board.kind}",
            hint="use a QEMU board, or a physical one with --on-model",
        )
    if not weights.hz:
        raise UsageError(
            f"{board.id} has no clock, and a core's weights have none: there is no time",
            hint="lend it a part: --as with a board's id",
        )
    own = board.is_model and bool(board.part) and weights_of(board.part) == weights
    return PartOf(weights=weights, lent_to=None if own else board.id)


def _lent(name: str, board: Board) -> PartWeights:
    """The weights of a board's part, or, where it has none, of its core at the part's clock; of a
    core that is named, at the clock of ``board``."""
    core = load_cores().get(name)
    if core is not None:
        return core.model_copy(update={"hz": board.cpu.hz or 0})
    lender = load_board(name)
    weights = weights_of(lender.part) if lender.part else None
    if weights is not None:
        return weights
    core = load_cores().get(lender.cpu.core)
    if core is not None and lender.kind == "physical" and lender.cpu.hz:
        return core.model_copy(update={"hz": lender.cpu.hz})
    raise UsageError(
        f"{lender.id} has no weights for cycles ({lender.part or 'no part is named'}), and its "
        f"core, a {lender.cpu.core}, has none either",
        hint=f"{lender.id} runs by itself: --board {lender.id} --on-model"
        if lender.stand_in is not None
        else f"these boards' parts have: {', '.join(_lenders())}; other boards with one of these "
        f"cores borrow its weights: {', '.join(load_cores())}",
    )


def _lenders() -> tuple[str, ...]:
    """Boards whose part has weights of its own."""
    boards = (load_board(name) for name in board_ids())
    return tuple(board.id for board in boards if board.part and weights_of(board.part) is not None)


def modelled(part: PartOf, counts: Counts, *, share: float = 1.0) -> Modelled:
    """What a tally means for a part. ``share``: of it that counts, without the window's cost."""
    weights = part.weights
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
        ).model_copy(update={"ratio_pct": best.error_pct})
    by_model = tuple(round(share * value, 3) for value in cycles_by_model(weights, counts))
    return Modelled(
        cycles=_record(cycles, part.words()).model_copy(
            update={"by_model": by_model, "ratio_pct": weights.ratio_pct}
        ),
        time_us=_record(cycles.times(1e6 / weights.hz), part.words(f"; {weights.hz / 1e6:g} MHz")),
        energy_uj=energy,
    )


def _record(value: Range, model: str) -> RangeRecord:
    return RangeRecord(
        low=round(value.low, 3), mid=round(value.mid, 3), high=round(value.high, 3), model=model
    )


def part_stages(
    stages: Mapping[str, StageRecord], session: Session, windows: Windows, part: PartOf
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
        if record is not None and record.median and not record.npu_cycles:
            net = record.cpu_instructions or record.median
            records[stage.value] = record.model_copy(update=_fields(part, counts, net))
    return records


def part_layers(
    layers: Sequence[LayerRecord], session: Session, windows: Windows, part: PartOf
) -> tuple[LayerRecord, ...]:
    """Operators with their modelled cycles."""
    found: dict[int, Counts] = {}
    if session.layers is not None:
        for op in session.layers.counts:
            counts = windows.find(op.count)
            if counts is not None:
                found[op.op] = counts
    return tuple(
        layer.model_copy(
            update=_fields(part, found[layer.index], layer.cpu_instructions or layer.value)
        )
        if layer.index in found and layer.value and not layer.npu_cycles
        else layer
        for layer in layers
    )


def _fields(part: PartOf, counts: Counts, net: float) -> dict[str, RangeRecord | None]:
    from npubench.cycles.terms import instructions

    value = modelled(part, counts, share=min(1.0, net / instructions(counts)))
    return {"cycles": value.cycles, "time_us": value.time_us, "energy_uj": value.energy_uj}
