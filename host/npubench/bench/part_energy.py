"""Energy of a part with an NPU: modelled time of CPU and NPU, times its published power.

Without a published power there is no energy, and it is said what is missing. A generic emulated
board has none of its own; a part with the same NPU may lend it its clocks and its power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from npubench.bench.npu_time import WITH_NPU, Clocks
from npubench.boards import Board, Draw, PartPower, load_board
from npubench.core.errors import UsageError
from npubench.core.stages import Stage
from npubench.emulators.stand_in import stood_in
from npubench.runs.compare_parts import LENT
from npubench.runs.schema import RangeRecord, StageRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Draws while the CPU works and while the NPU does, and whose they are."""

    power: PartPower
    cpu: Draw
    npu: Draw
    words: str

    def energy_uj(
        self, cpu_us: tuple[float, float], npu_us: tuple[float, float]
    ) -> tuple[float, float, float]:
        """Low, middle and high of so much time of each, low and high."""
        cpu, npu = self.cpu, self.npu
        return (
            (cpu_us[0] * cpu.low_uw + npu_us[0] * npu.low_uw) * 1e-6,
            (sum(cpu_us) / 2 * cpu.mid_uw + sum(npu_us) / 2 * npu.mid_uw) * 1e-6,
            (cpu_us[1] * cpu.high_uw + npu_us[1] * npu.high_uw) * 1e-6,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lent:
    """A part that lends an emulated board with the same NPU its clocks and its power."""

    part: Board
    cpu_hz: int
    npu_hz: float
    cpi_low: float
    cpi_high: float

    def clocks(self, own: Clocks) -> Clocks:
        """The part's clocks; how slow the board's memories may be stays its own."""
        return replace(
            own,
            cpu_hz=self.cpu_hz,
            npu_hz=self.npu_hz,
            cpi_low=self.cpi_low,
            cpi_high=self.cpi_high,
        )


def has_modelled_npu(board: Board) -> bool:
    """Whether the board's NPU is our model, so that its time follows from counts and cycles."""
    return board.npu is not None and board.status.npu == "modelled"


def lent_part(board: Board, name: str) -> Lent:
    """The part of board ``name`` for ``board``, which has a modelled NPU. Raises UsageError where
    it is none with the same NPU, or where nothing of its power was published."""
    assert board.npu is not None
    lender = load_board(name)
    ours = board.npu.config.get("accelerator")
    theirs = None if lender.npu is None else lender.npu.config.get("accelerator")
    if lender.stand_in is None or lender.cpu.core != board.cpu.core or theirs != ours:
        raise UsageError(
            f"{name} cannot lend its part to {board.id}: {board.id} is a {board.cpu.core} with an "
            f"{ours}, {name} a {lender.cpu.core} with {theirs or 'no such NPU'}",
            hint=f"{name} runs by itself: --board {name} --on-model"
            if lender.stand_in is not None
            else "lend a part with the same core and NPU",
        )
    played = stood_in(lender)
    cpu = played.cpu
    assert cpu.hz is not None
    assert cpu.cpi_low is not None
    assert cpu.cpi_high is not None
    return Lent(
        part=played,
        cpu_hz=cpu.hz,
        npu_hz=_npu_hz(played),
        cpi_low=cpu.cpi_low,
        cpi_high=cpu.cpi_high,
    )


def _npu_hz(board: Board) -> float:
    """The NPU's clock, from the memory system that its part is described with."""
    from npubench.core.paths import data_root
    from npubench.npu.ethosu.config import accelerator
    from npubench.npu.ethosu.memory_system import read_memory_system

    assert board.npu is not None
    table = {key: str(value) for key, value in board.npu.config.items()}
    return read_memory_system(
        data_root() / "boards" / table["config_file"],
        axi_bytes=accelerator(table["accelerator"]).axi_bytes,
        system_config=table["system_config"],
        memory_mode=table["memory_mode"],
    ).clock_hz


def engines_of(board: Board, *, with_npu: bool, lent_to: str | None = None) -> Engines | str:
    """What the part draws in a run with its NPU or on its CPU alone; or why nobody can say."""
    power = board.part_power
    if power is None:
        return f"nothing was gathered of {board.id}'s power"
    if not power.source:
        return power.missing
    assert power.cpu is not None
    assert power.npu is not None
    cpu = power.cpu if with_npu else power.cpu_alone
    if cpu is None:
        return power.missing
    lent = "" if lent_to is None else f"{LENT}{lent_to}"
    words = f"{board.part}: {power.same_kind}; {power.source}{lent}"
    return Engines(power=power, cpu=cpu, npu=power.npu, words=words)


def with_energy(
    stages: Mapping[str, StageRecord], clocks: Clocks, engines: Engines
) -> dict[str, StageRecord]:
    """Stages of modelled time, with their energy."""
    records = dict(stages)
    for name, stage in stages.items():
        if stage.median is None or stage.cpu_instructions is None:
            continue
        cpu_us = clocks.cpu_us(stage.cpu_instructions)
        if stage.cycles is not None and stage.time_us is None:
            each_us = 1e6 / clocks.cpu_hz
            cpu_us = float(stage.cycles.low) * each_us, float(stage.cycles.high) * each_us
        energy_uj = engines.energy_uj(cpu_us, clocks.npu_us(stage.npu_cycles or 0))
        records[name] = powered_stage(stage, energy_uj, engines)
    return records


def powered_stage(
    stage: StageRecord, energy_uj: tuple[float, float, float], engines: Engines
) -> StageRecord:
    """A stage with its energy, low, middle and high, and whose figures that are."""
    low, mid, high = (round(value, 6) for value in energy_uj)
    energy = RangeRecord(
        low=low, mid=mid, high=high, model=engines.words, kind=engines.power.same_kind
    )
    return stage.model_copy(update={"energy_uj": energy})


def with_lent_time(
    stages: Mapping[str, StageRecord], clocks: Clocks, lent: Lent, board_id: str
) -> dict[str, StageRecord]:
    """Stages with the time that they would take at the part's clocks, beside the board's own."""
    records = dict(stages)
    for name, stage in stages.items():
        if stage.median is None or stage.cpu_instructions is None:
            continue
        low, high = clocks.us(stage.cpu_instructions, stage.npu_cycles or 0)
        records[name] = stage.model_copy(
            update={
                "time_us": RangeRecord(
                    low=round(low, 3),
                    mid=round((low + high) / 2, 3),
                    high=round(high, 3),
                    model=f"{lent.part.part}: CPU at {lent.cpu_hz / 1e6:g} MHz, "
                    f"{lent.cpi_low:g} to {lent.cpi_high:g} cycles an instruction, NPU at "
                    f"{lent.npu_hz / 1e6:g} MHz with this board's memories{LENT}{board_id}",
                )
            }
        )
    return records


def mean_power_uw(stages: Mapping[str, StageRecord], engines: Engines) -> dict[str, float]:
    """The middle of what each stage draws on average, in microwatts, by its stage's name."""
    return {
        name: engines.cpu.mid_uw if Stage(name) not in WITH_NPU else _mixed(stage, engines)
        for name, stage in stages.items()
        if stage.energy_uj is not None
    }


def _mixed(stage: StageRecord, engines: Engines) -> float:
    energy = stage.energy_uj
    time = middle_us(stage)
    return engines.cpu.mid_uw if energy is None or not time else float(energy.mid) * 1e6 / time


def middle_us(stage: StageRecord) -> float:
    """The middle of a stage's modelled time: the lent part's where there is one."""
    if stage.time_us is not None:
        return float(stage.time_us.mid)
    return float(stage.median or 0)
