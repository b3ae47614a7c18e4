"""Modelled time of a board whose NPU is modelled: instructions, NPU cycles, and time as a range.

Instructions are counted, NPU cycles come from a model, and neither is a time. A time follows only
with the board's clocks and its range of cycles per instruction; it is ``modelled``, low to high.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from npubench.boards import Board
from npubench.core.errors import ConfigError, DeviceError
from npubench.core.evidence import Evidence
from npubench.core.stages import Stage
from npubench.runs.schema import StageRecord
from npubench.wire.answers import BenchResult

WITH_NPU: Final = (Stage.INFER, Stage.END_TO_END)
"""Stages in which the NPU works."""


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

    def cpu_us(self, instructions: float) -> tuple[float, float]:
        """The time of so many instructions, at least and at most, in microseconds."""
        each_us = instructions * 1e6 / self.cpu_hz
        return each_us * self.cpi_low, each_us * self.cpi_high

    def npu_us(self, npu_cycles: float) -> tuple[float, float]:
        """The time of so many NPU cycles, at least and at most, in microseconds."""
        each_us = npu_cycles * 1e6 / self.npu_hz
        return each_us, each_us * self.npu_high_ratio

    def us(self, instructions: float, npu_cycles: float) -> tuple[float, float]:
        """The time that so many instructions and NPU cycles, one after the other, take: at least
        and at most, in microseconds."""
        cpu, npu = self.cpu_us(instructions), self.npu_us(npu_cycles)
        return cpu[0] + npu[0], cpu[1] + npu[1]


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
        records[name] = timed_stage(stage, clocks.us(stage.median, stage_cycles), stage_cycles)
    return records


def timed_stage(
    counted: StageRecord, bounds_us: tuple[float, float], npu_cycles: int
) -> StageRecord:
    """A stage counted in instructions, as a modelled time between its bounds."""
    low, high = bounds_us
    return StageRecord(
        unit="us_modelled",
        evidence=Evidence.MODELLED,
        median=nanoseconds((low + high) / 2),
        low=nanoseconds(low),
        high=nanoseconds(high),
        n=counted.n,
        deterministic=counted.deterministic,
        cpu_instructions=None if counted.median is None else round(counted.median),
        npu_cycles=npu_cycles,
    )


def nanoseconds(value: float) -> float:
    """To a nanosecond: the figures have no more in them."""
    return round(value, 3)
