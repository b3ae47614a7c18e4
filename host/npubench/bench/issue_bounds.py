"""A part's CPU share bounded by what its windows executed, where the core's issue has public rules.

The board's range of cycles an instruction holds where no window was found, and for a part that is
lent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from npubench.bench.npu_time import WITH_NPU, Clocks, nanoseconds
from npubench.bench.part_cycles import END_TO_END, TIMED, Counts, Windows
from npubench.bench.programmed import Programmed, has_programmed_npu
from npubench.bench.session import Session
from npubench.boards import Board, load_board
from npubench.core.stages import Stage
from npubench.cycles.issue import RULES, IssueRules, issue_bounds
from npubench.cycles.terms import instructions
from npubench.runs.schema import LayerRecord, RangeRecord, StageRecord


def rules_of(board: Board) -> IssueRules | None:
    """The rules of the part's own core; None where it is no part that is told in modelled time, or
    where there are none."""
    if has_programmed_npu(board):
        return RULES.get(board.cpu.core)
    return RULES.get(load_board(board.id).cpu.core) if board.is_stood_in else None


def bounded_stages(
    stages: Mapping[str, StageRecord],
    session: Session,
    windows: Windows,
    clocks: Clocks,
    rules: IssueRules,
    made: Programmed | None = None,
) -> dict[str, StageRecord]:
    """Stages of modelled time with the CPU's cycles between the bounds of what ran: of the last
    repetition, as all are alike here. ``made``: an accelerator whose time follows from its
    program; where its input streams, its time and the CPU's overlap."""
    bench = session.bench
    if bench is None:
        return dict(stages)
    found: dict[Stage, tuple[float, float]] = {}
    for rep in bench.reps:
        raw = (rep.init, rep.load, rep.infer, rep.unload, rep.post)
        for stage, counted in zip(TIMED, raw, strict=True):
            counts = windows.find(counted)
            record = stages.get(stage)
            if counts is not None and record is not None and record.cpu_instructions:
                found[stage] = _cycles(rules, counts, record.cpu_instructions)
    if Stage.INFER in found:
        parts = [found.get(stage) or _usual(stages.get(stage), clocks) for stage in END_TO_END]
        found[Stage.END_TO_END] = (sum(low for low, _ in parts), sum(high for _, high in parts))
    records = dict(stages)
    for stage, (low, high) in found.items():
        record = records[stage]
        if record.median is None:
            continue
        npu = clocks.npu_us(record.npu_cycles or 0)
        if made is not None:
            npu = made.extra_us(stage)
        cpu_us = low * 1e6 / clocks.cpu_hz, high * 1e6 / clocks.cpu_hz
        low_us, high_us = cpu_us[0] + npu[0], cpu_us[1] + npu[1]
        if made is not None and made.overlaps and stage in WITH_NPU:
            low_us = max(cpu_us[0], npu[0])
        records[stage] = record.model_copy(
            update={
                "median": nanoseconds((low_us + high_us) / 2),
                "low": nanoseconds(low_us),
                "high": nanoseconds(high_us),
                "cycles": _record(rules, low, high),
            }
        )
    return records


def bounded_layers(
    layers: Sequence[LayerRecord],
    session: Session,
    windows: Windows,
    clocks: Clocks,
    rules: IssueRules,
) -> tuple[LayerRecord, ...]:
    """Operators of modelled time, the same way."""
    found: dict[int, Counts] = {}
    if session.layers is not None:
        for op in session.layers.counts:
            counts = windows.find(op.count)
            if counts is not None:
                found[op.op] = counts
    records = []
    for layer in layers:
        counts = found.get(layer.index)
        if counts is None or layer.low is None or layer.high is None or not layer.cpu_instructions:
            records.append(layer)
            continue
        before = clocks.cpu_us(layer.cpu_instructions)
        low, high = _cycles(rules, counts, layer.cpu_instructions)
        low_us = low * 1e6 / clocks.cpu_hz + layer.low - before[0]
        high_us = high * 1e6 / clocks.cpu_hz + layer.high - before[1]
        records.append(
            layer.model_copy(
                update={
                    "value": nanoseconds((low_us + high_us) / 2),
                    "low": nanoseconds(low_us),
                    "high": nanoseconds(high_us),
                    "cycles": _record(rules, low, high),
                }
            )
        )
    return tuple(records)


def _usual(stage: StageRecord | None, clocks: Clocks) -> tuple[float, float]:
    """A stage too short for a window of its own (a few instructions): the board's range."""
    count = 0 if stage is None else stage.cpu_instructions or 0
    return count * clocks.cpi_low, count * clocks.cpi_high


def _cycles(rules: IssueRules, counts: Counts, net: int) -> tuple[float, float]:
    """Bounds of ``net`` instructions of a window, without the window's own cost."""
    low, high = issue_bounds(rules, counts)
    share = min(1.0, net / instructions(counts))
    return low * share, high * share


def _record(rules: IssueRules, low: float, high: float) -> RangeRecord:
    return RangeRecord(
        low=round(low, 3),
        mid=round((low + high) / 2, 3),
        high=round(high, 3),
        model=f"the {rules.core}'s share, by counted classes and {rules.source}; memory that makes "
        "it wait is outside",
    )
