"""Time of a run whose accelerator's cycles follow from what the image programs into it (MAX7800x).

The board's model counts the processor's instructions and says nothing of when; the accelerator's
cycles, with their bounds, are in the plan's record. Both together are a modelled time, as beside
any NPU that is modelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from npubench.bench.npu_time import WITH_NPU, Clocks, nanoseconds, timed_stage
from npubench.bench.part_energy import Engines, powered_stage
from npubench.boards import Board
from npubench.compiler.compiled import Compiled
from npubench.core.stages import Stage
from npubench.runs.schema import LayerRecord, StageRecord

Microseconds = tuple[float, float]
NONE: Microseconds = (0.0, 0.0)
KEYS = ("cycles", "modelled_low_cycles", "modelled_high_cycles", "npu_hz")
BUS = {
    Stage.INIT_WARM: ("bus_init_low_us", "bus_init_high_us"),
    Stage.LOAD: ("bus_load_low_us", "bus_load_high_us"),
    Stage.INFER: ("bus_infer_low_us", "bus_infer_high_us"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programmed:
    """An accelerator's part of an inference: its cycles with their bounds and its clock; ``bus``:
    how long the processor waits for its memories in a stage; ``overlaps``: the input goes in while
    it runs, so that its time and the processor's overlap. ``quadrant_cycles``: as its record."""

    cycles: int
    npu_us: Microseconds
    bus: Mapping[Stage, Microseconds]
    overlaps: bool
    quadrant_cycles: int

    def extra_us(self, stage: str) -> Microseconds:
        """What a stage takes beyond the processor's instructions, at least and at most."""
        parts = [self.bus.get(Stage.INFER, NONE), self.npu_us] if stage in WITH_NPU else []
        if stage in (Stage.INIT_COLD, Stage.INIT_WARM):
            parts.append(self.bus.get(Stage.INIT_WARM, NONE))
        if stage in (Stage.LOAD, Stage.END_TO_END):
            parts.append(self.bus.get(Stage.LOAD, NONE))
        return sum(low for low, _ in parts), sum(high for _, high in parts)


def has_programmed_npu(board: Board) -> bool:
    """Whether runs on the board's model are told in modelled time although no NPU's model tells it:
    its file bounds the processor's cycles."""
    known = board.npu is not None and board.cpu.cpi_low is not None
    return board.is_model and known and board.status.npu != "modelled"


def cpu_clocks(board: Board) -> Clocks | None:
    """The clocks of such a board, None on any other."""
    cpu = board.cpu
    if not has_programmed_npu(board) or cpu.hz is None:
        return None
    assert cpu.cpi_low is not None
    assert cpu.cpi_high is not None
    return Clocks(cpu_hz=cpu.hz, npu_hz=cpu.hz, cpi_low=cpu.cpi_low, cpi_high=cpu.cpi_high)


def programmed_of(npu: Mapping[str, object]) -> Programmed | None:
    """From the plan's record of the NPU; None where it has no cycles."""
    details = npu.get("details")
    told = details if isinstance(details, dict) else {}
    if any(not isinstance(told.get(key), int) for key in KEYS):
        return None
    cycles, low, high, hz = (int(told[key]) for key in KEYS)
    return Programmed(
        cycles=cycles,
        npu_us=(low * 1e6 / hz, high * 1e6 / hz),
        bus={
            stage: (float(told.get(low, 0.0)), float(told.get(high, 0.0)))
            for stage, (low, high) in BUS.items()
        },
        overlaps=bool(told.get("overlaps")),
        quadrant_cycles=int(told.get("quadrant_cycles", 0)),
    )


def programmed_stages(
    counted: Mapping[str, StageRecord], clocks: Clocks, made: Programmed
) -> dict[str, StageRecord]:
    """Stages counted in instructions, as modelled times."""
    records = {}
    for name, stage in counted.items():
        if stage.median is None:
            records[name] = stage.model_copy(update={"unit": "us_modelled"})
            continue
        cpu, extra = clocks.cpu_us(stage.median), made.extra_us(name)
        low, high = cpu[0] + extra[0], cpu[1] + extra[1]
        if made.overlaps and name in WITH_NPU:
            low = max(cpu[0], extra[0])
        cycles = made.cycles if name in WITH_NPU else 0
        records[name] = timed_stage(stage, (low, high), cycles)
    return records


def programmed_layers(
    layers: Sequence[LayerRecord], compiled: Compiled, made: Programmed
) -> tuple[LayerRecord, ...]:
    """Operators of modelled time: the one in whose place the job runs takes the accelerator's time,
    the others say what they add to its cycles."""
    estimates = {item.op_index: item.cycles for item in compiled.plan.estimates}
    extra = made.extra_us(Stage.INFER)
    records = []
    for layer in layers:
        if layer.engine != "npu":
            records.append(layer)
            continue
        if layer.value is not None and layer.low is not None and layer.high is not None:
            low, high = float(layer.low) + extra[0], float(layer.high) + extra[1]
            if made.overlaps:
                low = max(float(layer.low), extra[0])
            layer = layer.model_copy(
                update={
                    "value": nanoseconds((low + high) / 2),
                    "low": nanoseconds(low),
                    "high": nanoseconds(high),
                }
            )
        records.append(layer.model_copy(update={"npu_cycles": estimates.get(layer.index)}))
    return tuple(records)


def programmed_energy(
    stages: Mapping[str, StageRecord], clocks: Clocks, engines: Engines, made: Programmed
) -> dict[str, StageRecord]:
    """The same stages with their energy: the accelerator's by its quadrants' cycles where the part
    has a figure for one, the processor's time and its waiting by its draw."""
    records = dict(stages)
    for name, stage in stages.items():
        if stage.median is None or stage.cpu_instructions is None:
            continue
        waits = made.extra_us(name)
        npu_us = made.npu_us if name in WITH_NPU else NONE
        cpu_us = clocks.cpu_us(stage.cpu_instructions)
        if stage.cycles is not None:
            each_us = 1e6 / clocks.cpu_hz
            cpu_us = float(stage.cycles.low) * each_us, float(stage.cycles.high) * each_us
        busy = (cpu_us[0] + waits[0] - npu_us[0], cpu_us[1] + waits[1] - npu_us[1])
        work = engines.power.npu_work
        if work is None:
            low, mid, high = engines.energy_uj(busy, npu_us)
        else:
            low, mid, high = engines.energy_uj(busy, NONE)
            if name in WITH_NPU:
                own = made.quadrant_cycles * work.quadrant_cycle_nj * 1e-3
                low += own * (1 - work.error_pct / 100)
                mid += own
                high += own * (1 + work.error_pct / 100)
        records[name] = powered_stage(stage, (low, mid, high), engines)
    return records
