"""Virtual power of a board with a modelled NPU: its marks at the pace of the part.

The emulator's virtual time knows neither the part's clock nor the NPU. The device is asked for few
repetitions of each stage; all repetitions are alike, so that the window of many follows from the
modelled time of one. Idle, pauses and levels that are held keep the length that the board's timer
gave them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from npubench.bench.counts import Scale
from npubench.bench.npu_time import Clocks, clocks_of, modelled_stages, npu_cycles
from npubench.bench.part_energy import (
    Engines,
    engines_of,
    has_modelled_npu,
    lent_part,
    mean_power_uw,
    middle_us,
    with_energy,
    with_lent_time,
)
from npubench.boards import Board, PowerModel
from npubench.core.evidence import Evidence
from npubench.power.energy.marks import STAGE_OF_CODE
from npubench.runs.schema import StageRecord
from npubench.stats.summary import summarize
from npubench.wire.answers import BenchResult, Burst
from npubench.wire.device import Device

FEW = 8
"""Repetitions of a short stage that the device really runs for a window."""
STAGES = ("init_warm", "load", "infer", "unload", "post")


def priced(
    stages: Mapping[str, StageRecord],
    clocks: Clocks,
    board: Board,
    *,
    with_npu: bool,
    as_board: str | None,
) -> tuple[dict[str, StageRecord], Engines | str, Clocks]:
    """Modelled stages with energy (and, where a part is lent, its time); the draws or why there are
    none; the clocks behind them."""
    found = dict(stages)
    owner, lent_to = board, None
    if as_board is not None and as_board != board.id:
        lent = lent_part(board, as_board)
        clocks = lent.clocks(clocks)
        found = with_lent_time(found, clocks, lent, board.id)
        owner, lent_to = lent.part, board.id
    engines = engines_of(owner, with_npu=with_npu, lent_to=lent_to)
    if not isinstance(engines, str):
        found = with_energy(found, clocks, engines)
    return found, engines, clocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a part goes through the stages of a session: its clocks, its draws, its NPU."""

    clocks: Clocks
    engines: Engines
    scale: Scale
    npu_us: float
    stage_us: Mapping[str, float]
    power: PowerModel

    def work_s(self, code: int, counts: float, repeats: int, run: int) -> float:
        """How long ``repeats`` of a stage take on the part, where ``run`` of them counted so
        much."""
        low, high = self.clocks.cpu_us(counts * self.scale.per_count / run)
        each_us = (low + high) / 2 + (self.npu_us if STAGE_OF_CODE[code] == "infer" else 0.0)
        return each_us * repeats * 1e-6


def pace_of(
    board: Board,
    npu: Mapping[str, object],
    bench: BenchResult,
    scale: Scale,
    *,
    as_board: str | None,
) -> Pace | str | None:
    """The pace of a board with a modelled NPU; why there is none; None on any other board."""
    clocks = clocks_of(board, npu) if has_modelled_npu(board) else None
    if clocks is None:
        return None
    cycles = npu_cycles(bench)
    stages, engines, clocks = priced(
        modelled_stages(_counted(bench, scale), clocks, cycles),
        clocks,
        board,
        with_npu=bool(cycles),
        as_board=as_board,
    )
    if isinstance(engines, str):
        return engines
    power = engines.power
    assert power.supply_mv is not None
    volts = power.supply_mv * 1e-3
    wait_ua = engines.cpu.mid_uw / volts
    return Pace(
        clocks=clocks,
        engines=engines,
        scale=scale,
        npu_us=sum(clocks.npu_us(cycles)) / 2,
        stage_us={name: middle_us(stage) for name, stage in stages.items()},
        power=PowerModel(
            supply_mv=power.supply_mv,
            idle_ua=wait_ua,
            wait_ua=wait_ua,
            stage_ua={name: uw / volts for name, uw in mean_power_uw(stages, engines).items()},
            note=engines.words,
        ),
    )


def _counted(bench: BenchResult, scale: Scale) -> dict[str, StageRecord]:
    counts = {
        "init_warm": [rep.init for rep in bench.reps],
        "load": [rep.load for rep in bench.reps],
        "infer": [rep.infer for rep in bench.reps],
        "unload": [rep.unload for rep in bench.reps],
        "post": [rep.post for rep in bench.reps],
    }
    return {
        name: StageRecord(
            unit="instructions",
            evidence=Evidence.COUNTED,
            median=summarize([scale.net(count) for count in values]).median,
            n=len(values),
        )
        for name, values in counts.items()
    }


class PacedDevice:
    """A device whose bursts last as long as on the part. Only ``burst`` is offered."""

    def __init__(self, device: Device, pace: Pace, hz: float) -> None:
        self._device = device
        self._pace = pace
        self._hz = hz
        self._shift = 0

    def burst(self, code: int, repeats: int, hold_us: int) -> Burst:
        """As ``Device.burst``; of a stage only a few repetitions run, and the rest follow from
        them."""
        stage = STAGE_OF_CODE.get(code)
        if stage not in STAGES:
            return self._placed(self._device.burst(code, repeats, hold_us), None)
        run = 1 if stage == "infer" else min(repeats, FEW)
        burst = self._device.burst(code, run, hold_us)
        seconds = self._pace.work_s(code, burst.end - burst.begin, repeats, run)
        return self._placed(replace(burst, repeats=repeats), round(seconds * self._hz))

    def _placed(self, burst: Burst, work: int | None) -> Burst:
        """A burst after those before it, its work so many counts long."""
        work = burst.end - burst.begin if work is None else work
        begin = burst.begin + self._shift
        end = begin + work
        down = end + burst.down - burst.end
        placed = replace(burst, up=burst.up + self._shift, begin=begin, end=end, down=down)
        self._shift += work - (burst.end - burst.begin)
        return placed
