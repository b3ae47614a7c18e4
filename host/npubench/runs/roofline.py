"""Utilization by one definition, and where each layer lies under its target's roof.

Utilization is executed MACs per unit of cost over the most that the engine can do in it, both
named. Intensity is MACs per byte of weights, inputs and outputs, each moved once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from npubench.boards import Board, load_board
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.runs.schema import LayerRecord, RunRecord

_PER_INSTRUCTION: Final = (
    (r"cortex-m(55|85)", 16.0, "VMLADAVA.S8: 16 MACs an instruction"),
    (r"cortex-m(4|7|33)", 2.0, "SMLAD: 2 MACs an instruction"),
    (r"cortex-m0", 0.5, "MULS and ADDS: a MAC in two instructions"),
)
"""int8 MACs of one instruction, from the Armv6-M, Armv7E-M and Armv8.1-M reference manuals."""
_PER_CYCLE: Final = (
    (r"cortex-m(55|85)", 8.0, "VMLADAVA.S8 over two cycles: 8 MACs a cycle"),
    (r"cortex-m(4|7|33)", 2.0, "SMLAD each cycle: 2 MACs a cycle"),
    (r"cortex-m0", 0.5, "MULS and ADDS, a cycle each"),
)
"""int8 MACs of one cycle at best, from the cores' technical reference manuals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most that an engine can do: ``macs_per`` unit, and why. ``unit``: ``instructions``,
    ``cycles`` (of the NPU) or ``us``."""

    macs_per: float
    unit: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RooflinePoint:
    """One layer, or the whole network (``index`` None). ``reached_macs_per``: executed MACs per
    unit of the peak; ``utilization_ratio`` that over the peak. ``evidence`` is the cost's."""

    index: int | None
    name: str
    engine: str
    macs: int
    moved_bytes: int
    intensity_macs_per_byte: float
    cost: float
    reached_macs_per: float
    utilization_ratio: float
    peak: Peak
    evidence: Evidence
    bound_by_memory: bool | None = None


def roofline(record: RunRecord, board: Board | None = None) -> tuple[RooflinePoint, ...]:
    """The points of all layers that do MACs and whose cost is known, then that of the network.

    Empty where the engine's peak is not known. ``board``: where it was loaded before.
    """
    if not record.valid:
        return ()
    board = board or load_board(record.board)
    points = [
        point for layer in record.layers if (point := layer_point(record, layer, board)) is not None
    ]
    whole = _network(record, board)
    return (*points, whole) if whole is not None else tuple(points)


def npu_peak(record: RunRecord) -> Peak | None:
    """The NPU's peak in MACs per cycle, as its configuration says; None without an NPU."""
    if record.npu is None:
        return None
    macs = record.npu.details.get("peak_macs_per_cycle")
    if not isinstance(macs, int | float):
        return None
    return Peak(
        macs_per=float(macs),
        unit="cycles",
        name=f"{record.npu.accelerator}: {macs:g} MACs a cycle",
    )


def cpu_peak(board: Board, unit: str) -> Peak | None:
    """The core's peak for ``instructions``, ``cycles`` or ``us``; None for a core that is not in
    the table, or without a clock."""
    table = _PER_INSTRUCTION if unit == "instructions" else _PER_CYCLE
    for pattern, macs, name in table:
        if re.match(pattern, board.cpu.core):
            if unit != "us":
                return Peak(macs_per=macs, unit=unit, name=f"{board.cpu.core}, {name}")
            if board.cpu.hz is None:
                return None
            return Peak(
                macs_per=macs * board.cpu.hz / 1e6,
                unit=unit,
                name=f"{board.cpu.core}, {name} at {board.cpu.hz / 1e6:g} MHz",
            )
    return None


def layer_point(record: RunRecord, layer: LayerRecord, board: Board) -> RooflinePoint | None:
    """Where one layer lies; None for one without MACs, cost or a known peak."""
    macs = layer.executed_macs if layer.executed_macs is not None else layer.macs
    cost: float | None
    if layer.engine == "npu":
        peak, cost = npu_peak(record), layer.npu_cycles
        evidence = Evidence.MODELLED
    elif layer.cpu_instructions is not None:
        peak, cost = cpu_peak(board, "instructions"), layer.cpu_instructions
        evidence = Evidence.COUNTED
    else:
        unit = "instructions" if layer.unit == "instructions" else "us"
        peak, cost, evidence = cpu_peak(board, unit), layer.value, layer.evidence
    if peak is None or not cost or not macs:
        return None
    return _point(
        index=layer.index,
        name=layer.name,
        engine=layer.engine,
        macs=macs,
        moved=layer.weight_bytes + layer.input_bytes + layer.output_bytes,
        cost=cost,
        peak=peak,
        evidence=evidence,
        bound=None if layer.npu_work is None else layer.npu_work.bound_by_memory,
    )


def _network(record: RunRecord, board: Board) -> RooflinePoint | None:
    """The network as a whole: its inference against the peak of the engine that does most of it."""
    stage = record.stages.get(Stage.INFER)
    macs = record.model.executed_macs or record.model.macs
    if stage is None or stage.median is None or not macs:
        return None
    peak = npu_peak(record)
    cost, engine = float(stage.median), "cpu"
    if peak is not None and record.npu is not None and record.npu.macs_share > 0.5:
        hz = record.npu.details.get("npu_hz")
        if stage.unit not in ("us", "us_modelled") or not isinstance(hz, int | float):
            return None
        engine = "npu"
        peak = Peak(
            macs_per=peak.macs_per * hz / 1e6, unit="us", name=f"{peak.name} at {hz / 1e6:g} MHz"
        )
    elif stage.cpu_instructions is not None:
        peak, cost = cpu_peak(board, "instructions"), float(stage.cpu_instructions)
    else:
        peak = cpu_peak(board, "instructions" if stage.unit == "instructions" else "us")
    if peak is None or not cost:
        return None
    return _point(
        index=None,
        name=record.model.name,
        engine=engine,
        macs=macs,
        moved=sum(
            item.weight_bytes + item.input_bytes + item.output_bytes for item in record.layers
        ),
        cost=cost,
        peak=peak,
        evidence=stage.evidence,
        bound=None,
    )


def _point(
    *,
    index: int | None,
    name: str,
    engine: str,
    macs: int,
    moved: int,
    cost: float,
    peak: Peak,
    evidence: Evidence,
    bound: bool | None,
) -> RooflinePoint:
    reached = macs / cost
    return RooflinePoint(
        index=index,
        name=name,
        engine=engine,
        macs=macs,
        moved_bytes=moved,
        intensity_macs_per_byte=macs / moved if moved else 0.0,
        cost=cost,
        reached_macs_per=reached,
        utilization_ratio=reached / peak.macs_per,
        peak=peak,
        evidence=evidence,
        bound_by_memory=bound,
    )
