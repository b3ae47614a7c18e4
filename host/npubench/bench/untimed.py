"""A run on a board's model whose accelerator says what it computes and nothing of when: the stages
and operators in which it works have no value, and say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from npubench.bench.npu_time import WITH_NPU
from npubench.boards import Board
from npubench.compiler.compiled import Compiled
from npubench.core.evidence import Evidence
from npubench.runs.schema import LayerRecord, StageRecord

UNTIMED: Final = (
    "the model of the accelerator says what it computes, not how long it takes: what is counted is "
    "the processor that waits for it"
)


def is_untimed(board: Board, compiled: Compiled) -> bool:
    """Whether an accelerator takes part whose model knows no time."""
    return board.is_model and compiled.plan.driver != "none" and board.status.npu != "modelled"


def untimed_stages(
    counted: Mapping[str, StageRecord], npu: Mapping[str, object], board: Board
) -> dict[str, StageRecord]:
    """Stages in which such an accelerator works have no value. ``npu`` is the plan's record: cycles
    that the vendor's formula gives for the network stand beside it, with the time that they take
    at the accelerator's clock by the file of ``board``."""
    details = npu.get("details")
    cycles = details.get("formula_cycles") if isinstance(details, dict) else None
    missing = details.get("time_missing") if isinstance(details, dict) else None
    source = f"; {missing}" if missing else "; no cycles of this part are published"
    if isinstance(cycles, int):
        hz = None if board.npu is None else board.npu.config.get("hz")
        time = f", {cycles * 1e6 / hz:.0f} us at {hz / 1e6:g} MHz" if isinstance(hz, int) else ""
        source = f"; its vendor's published formula gives {cycles} cycles{time}"
    return {
        name: stage
        if name not in WITH_NPU or stage.median is None
        else StageRecord(
            unit=stage.unit,
            evidence=Evidence.UNAVAILABLE,
            cpu_instructions=round(stage.median),
            npu_cycles=cycles if isinstance(cycles, int) else None,
            reason=UNTIMED + source,
        )
        for name, stage in counted.items()
    }


def untimed_layers(counted: Sequence[LayerRecord]) -> tuple[LayerRecord, ...]:
    """Operators on such an accelerator have no value."""
    return tuple(
        layer.model_copy(
            update={"value": None, "evidence": Evidence.UNAVAILABLE, "reason": UNTIMED}
        )
        if layer.engine == "npu"
        else layer
        for layer in counted
    )
