"""Time on a board whose NPU is modelled: instructions, NPU cycles, and a total only as a range.

Instructions are counted, NPU cycles come from a model, and neither is a time. A time follows only
with the board's clocks and its range of cycles per instruction; it is ``modelled``, low to high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from npubench.bench.session import Session
from npubench.boards import Board
from npubench.compiler.compiled import Compiled
from npubench.core.errors import ConfigError, DeviceError
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.runs.schema import LayerRecord, NpuRecord, NpuWorkRecord, StageRecord
from npubench.stats.summary import summarize
from npubench.wire.answers import BenchResult

WITH_NPU: Final = (Stage.INFER, Stage.END_TO_END)
"""Stages in which the NPU works."""

# The driver's sets of events, in its order (firmware/npu/ethosu/driver.c).
EVENTS: Final[Mapping[int, tuple[str, ...]]] = {
    0: ("active_cycles", "mac_active_cycles", "axi0_read_beats", "axi0_write_beats"),
    1: ("axi1_read_beats", "idle_cycles", "mac_stalled_by_input", "mac_stalled_by_weights"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Clocks in Hz and cycles per instruction, low and high.

    ``npu_high_ratio``: the NPU's cycles with the slowest memories that the part may have, over
    those with the fastest; 1 where only one system is described.
    """

    cpu_hz: int
    npu_hz: float
    cpi_low: float
    cpi_high: float
    npu_high_ratio: float = 1.0

    def us(self, instructions: float, npu_cycles: float) -> tuple[float, float]:
        """The time that so many instructions and NPU cycles, one after the other, take: at least
        and at most, in microseconds."""
        npu_us = npu_cycles * 1e6 / self.npu_hz
        return (
            instructions * self.cpi_low * 1e6 / self.cpu_hz + npu_us,
            instructions * self.cpi_high * 1e6 / self.cpu_hz + npu_us * self.npu_high_ratio,
        )


def clocks_of(board: Board, npu: Mapping[str, object]) -> Clocks | None:
    """The clocks of a board with a modelled NPU, None on any other.

    ``npu`` is the plan's record; a plan for the CPU alone has none. Raises ConfigError when
    board.toml lacks a clock or the range of cycles per instruction.
    """
    if board.npu is None or board.status.npu != "modelled":
        return None
    cpu = board.cpu
    if cpu.hz is None or cpu.cpi_low is None or cpu.cpi_high is None:
        raise ConfigError(
            f"board {board.id}: cpu.hz, cpu.cpi_low and cpu.cpi_high are needed beside an NPU model"
        )
    details = npu.get("details")
    told = details if isinstance(details, dict) else {}
    return Clocks(
        cpu_hz=cpu.hz,
        npu_hz=float(told.get("npu_hz") or cpu.hz),
        cpi_low=cpu.cpi_low,
        cpi_high=cpu.cpi_high,
        npu_high_ratio=float(told.get("npu_cycles_high_ratio", 1.0)),
    )


def npu_cycles(bench: BenchResult | None) -> int:
    """NPU cycles of one inference; 0 without an NPU. Raises DeviceError when repetitions differ."""
    if bench is None:
        return 0
    found = {rep.npu[1] for rep in bench.reps if len(rep.npu) > 1}
    if len(found) > 1:
        raise DeviceError(
            f"the NPU's model gives different cycles for equal work: {sorted(found)}",
            hint="this is a bug of npubench; please report it with the model",
        )
    return found.pop() if found else 0


def modelled_stages(
    counted: Mapping[str, StageRecord], clocks: Clocks, cycles: int
) -> dict[str, StageRecord]:
    """Stages counted in instructions, as modelled times; ``cycles``: the NPU's, per inference."""
    records = {}
    for name, stage in counted.items():
        if stage.median is None:
            records[name] = stage.model_copy(update={"unit": "us_modelled"})
            continue
        stage_cycles = cycles if name in WITH_NPU else 0
        low, high = clocks.us(stage.median, stage_cycles)
        records[name] = StageRecord(
            unit="us_modelled",
            evidence=Evidence.MODELLED,
            median=_us((low + high) / 2),
            low=_us(low),
            high=_us(high),
            n=stage.n,
            deterministic=stage.deterministic,
            cpu_instructions=round(stage.median),
            npu_cycles=stage_cycles,
        )
    return records


def _us(value: float) -> float:
    """To a nanosecond: the figures have no more in them."""
    return round(value, 3)


def modelled_layers(
    counted: Sequence[LayerRecord], compiled: Compiled, session: Session, clocks: Clocks
) -> tuple[LayerRecord, ...]:
    """Operators counted in instructions, as modelled times.

    The operator in whose place a job runs stands for the whole job; the cycles of each, as the
    timing core estimates them, are in ``npu_cycles``.
    """
    measured: dict[int, int] = {}
    if session.layers is not None:
        for count in session.layers.counts:
            if count.npu_cycles:
                measured[count.op] = count.npu_cycles
    estimates = {item.op_index: item.cycles for item in compiled.plan.estimates}
    works = {
        item.op_index: NpuWorkRecord(
            operations=item.operations,
            block=item.block,
            port_bytes=item.port_bytes,
            bound_by_memory=item.bound_by_memory,
        )
        for item in compiled.plan.estimates
    }
    records = []
    for layer in counted:
        if layer.value is None:
            records.append(layer.model_copy(update={"unit": "us_modelled"}))
            continue
        if layer.engine == "npu" and layer.index not in measured:
            records.append(
                layer.model_copy(
                    update={
                        "unit": "us_modelled",
                        "evidence": Evidence.MODELLED,
                        "value": None,
                        "npu_cycles": estimates.get(layer.index),
                        "npu_work": works.get(layer.index),
                        "reason": f"inside NPU {layer.kernel}, whose time stands elsewhere",
                    }
                )
            )
            continue
        low, high = clocks.us(layer.value, measured.get(layer.index, 0))
        records.append(
            layer.model_copy(
                update={
                    "unit": "us_modelled",
                    "evidence": Evidence.MODELLED,
                    "value": _us((low + high) / 2),
                    "low": _us(low),
                    "high": _us(high),
                    "cpu_instructions": round(layer.value),
                    "npu_cycles": estimates.get(layer.index, 0) if layer.engine == "npu" else 0,
                    "npu_work": works.get(layer.index) if layer.engine == "npu" else None,
                }
            )
        )
    return tuple(records)


def npu_record(compiled: Compiled, session: Session | None) -> NpuRecord | None:
    """What is known of the NPU: the plan's record, and what its driver counted in the session."""
    plan = compiled.plan
    if not plan.npu:
        return None
    record = NpuRecord.model_validate(plan.npu)
    bench = None if session is None else session.bench
    cycles = npu_cycles(bench)
    if bench is None or not cycles:
        return record
    details: dict[str, int | float | str] = dict(record.details)
    details["cycles"] = cycles
    for number, names in EVENTS.items():
        rows = [rep.npu[2:] for rep in bench.reps if rep.npu and rep.npu[0] == number]
        for index, name in enumerate(names):
            values = [row[index] for row in rows if index < len(row)]
            if values:
                details[name] = round(summarize(values).median)
    macs, peak = details.get("npu_macs"), details.get("peak_macs_per_cycle")
    hz = details.get("npu_hz")
    utilization = None
    if isinstance(macs, int) and isinstance(peak, int) and isinstance(hz, int):
        utilization = round(macs / (cycles * peak), 6)
        details["effective_ops_per_s"] = round(2 * macs * hz / cycles)
        details["peak_ops_per_s"] = 2 * peak * hz
    return record.model_copy(update={"mac_utilization_ratio": utilization, "details": details})
