"""No source, no energy; a ratio of energies only between equal definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from npubench.bench.counts import Scale
from npubench.bench.npu_time import Clocks
from npubench.bench.part_energy import (
    Engines,
    engines_of,
    has_modelled_npu,
    lent_part,
    with_energy,
)
from npubench.bench.virtual_pace import Pace, PacedDevice
from npubench.boards import Board, Draw, PartPower, PowerModel, board_ids, load_board
from npubench.core.errors import UsageError
from npubench.core.evidence import Evidence
from npubench.emulators.stand_in import stood_in
from npubench.power.energy.marks import IDLE, marks_of
from npubench.report.npu_costs import energy_ratio
from npubench.runs.schema import RangeRecord, RunRecord, StageRecord
from npubench.wire.answers import Burst

RecordFactory = Callable[..., RunRecord]
CLOCKS = Clocks(cpu_hz=100_000_000, npu_hz=200e6, cpi_low=0.5, cpi_high=2.0, npu_high_ratio=1.5)
CPU = Draw(low_uw=80_000.0, mid_uw=90_000.0, high_uw=110_000.0, note="spinning")
NPU = Draw(low_uw=100_000.0, mid_uw=104_000.0, high_uw=110_000.0, note="a trace")
POWER = PartPower(
    definition="gross",
    rails="the module",
    supply_mv=5000.0,
    cpu=CPU,
    npu=NPU,
    source="a paper",
    conditions="one network",
    missing="the CPU alone was not published",
)
ENGINES = Engines(power=POWER, cpu=CPU, npu=NPU, words="part: gross")
WITH_NPU = tuple(
    board
    for board in map(load_board, board_ids())
    if has_modelled_npu(board) or board.stand_in is not None
)


@pytest.mark.parametrize("board", WITH_NPU, ids=lambda board: board.id)
def test_a_board_with_a_modelled_npu_has_a_source_or_says_what_is_missing(board: Board) -> None:
    power = board.part_power
    assert power is not None
    assert power.source or power.missing


@pytest.mark.parametrize(
    "board", [b for b in WITH_NPU if has_modelled_npu(b)], ids=lambda board: board.id
)
def test_a_generic_board_names_the_part_that_can_lend_it_power(board: Board) -> None:
    assert board.npu is not None
    assert board.part_power is not None
    accelerator = board.npu.config["accelerator"]
    lenders = [
        part.id
        for part in WITH_NPU
        if part.stand_in is not None
        and part.npu is not None
        and part.npu.config["accelerator"] == accelerator
        and part.part_power is not None
        and part.part_power.source
    ]
    for part in lenders:
        assert f"--as {part}" in board.part_power.missing
        assert lent_part(board, part).part.id == part
    assert ("--as" in board.part_power.missing) == bool(lenders)


def test_a_source_without_its_conditions_is_refused() -> None:
    said = POWER.model_dump()
    for name in ("definition", "rails", "supply_mv", "cpu", "npu", "conditions"):
        with pytest.raises(ValidationError, match="a source needs"):
            PartPower.model_validate(
                {**said, name: "" if name in ("rails", "conditions") else None}
            )
    with pytest.raises(ValidationError, match="without a source"):
        PartPower(cpu=CPU, missing="all")


def test_energy_is_the_time_of_each_engine_times_its_draw() -> None:
    stage = StageRecord(
        unit="us_modelled",
        evidence=Evidence.MODELLED,
        median=1.0,
        cpu_instructions=1000,
        npu_cycles=20_000,
    )
    energy = with_energy({"infer": stage}, CLOCKS, ENGINES)["infer"].energy_uj
    assert energy is not None
    # The CPU takes 5 to 20 us, the NPU 100 to 150 us.
    assert energy.low == pytest.approx(5 * 0.08 + 100 * 0.1)
    assert energy.mid == pytest.approx(12.5 * 0.09 + 125 * 0.104)
    assert energy.high == pytest.approx(20 * 0.11 + 150 * 0.11)
    assert energy.kind == "gross, the module"


def test_without_a_source_there_is_a_reason_and_no_energy() -> None:
    alone = load_board("grove-vision-ai-v2")
    assert isinstance(engines_of(alone, with_npu=True), Engines)
    assert "was not published" in str(engines_of(alone, with_npu=False))
    assert "2509.17533" in str(engines_of(load_board("alif-e7-devkit"), with_npu=True))


def test_a_part_with_another_npu_lends_nothing() -> None:
    board = load_board("qemu-m55-u55")
    with pytest.raises(UsageError, match=r"u55-128, alif-e7-devkit .*u55-256") as error:
        lent_part(board, "alif-e7-devkit")
    assert error.value.hint == "alif-e7-devkit runs by itself: --board alif-e7-devkit --on-model"
    with pytest.raises(UsageError, match="no such NPU"):
        lent_part(board, "nucleo-l4r5zi")


def test_a_lent_part_brings_the_clocks_of_its_own_files() -> None:
    lent = lent_part(load_board("qemu-m55-u55-64"), "grove-vision-ai-v2")
    part = stood_in(load_board("grove-vision-ai-v2"))
    assert lent.cpu_hz == part.cpu.hz
    assert lent.npu_hz == 400e6
    assert lent.clocks(CLOCKS).npu_high_ratio == CLOCKS.npu_high_ratio


def run_with(make_record: RecordFactory, kind: str, low: float, high: float) -> RunRecord:
    record = make_record()
    energy = RangeRecord(low=low, mid=(low + high) / 2, high=high, kind=kind)
    stages: dict[str, Any] = dict(record.stages)
    stages["end_to_end"] = StageRecord(
        unit="us_modelled", evidence=Evidence.MODELLED, median=1.0, energy_uj=energy
    )
    return record.model_copy(update={"stages": stages})


def test_energies_are_set_against_each_other_only_with_one_definition(
    make_record: RecordFactory,
) -> None:
    npu = run_with(make_record, "gross, the module", 10.0, 20.0)
    cpu = run_with(make_record, "gross, the module", 100.0, 300.0)
    ratio = energy_ratio(npu, cpu)
    assert (ratio.low, ratio.high) == (5.0, 30.0)
    assert ratio.words == "5.00× to 30.0× less"
    other = energy_ratio(npu, run_with(make_record, "net, the core", 100.0, 300.0))
    assert other.low is None
    assert "other definitions" in other.words
    missing = make_record().model_copy(update={"energy_missing": "nothing was published"})
    assert "nothing was published" in energy_ratio(npu, missing).words
    assert "not run" in energy_ratio(npu, None).words


class Counting:
    """A device whose every repetition counts 100, and whose idle lasts as asked."""

    def __init__(self) -> None:
        self.now = 0
        self.asked: list[tuple[int, int]] = []

    def burst(self, code: int, repeats: int, hold_us: int) -> Burst:
        self.asked.append((code, repeats))
        up = self.now + 1000
        begin = up + hold_us
        end = begin + (repeats * 1000 if code == IDLE else repeats * 100)
        self.now = end + hold_us
        return Burst(
            code=code, repeats=repeats, slept=False, up=up, begin=begin, end=end, down=self.now
        )


def test_windows_of_many_repetitions_follow_from_few() -> None:
    """A window lasts as its repetitions take on the part; idle and held levels as they did."""
    counted = Counting()
    clocks = Clocks(cpu_hz=1_000_000, npu_hz=1e6, cpi_low=1.0, cpi_high=1.0)
    pace = Pace(
        clocks=clocks,
        engines=ENGINES,
        scale=Scale(unit="instructions", per_count=1.0, window_cost=0),
        npu_us=50.0,
        stage_us={},
        power=PowerModel(
            idle_ua=1.0,
            wait_ua=1.0,
            stage_ua=dict.fromkeys(("init_warm", "load", "infer", "unload", "post"), 1.0),
            note="",
        ),
    )
    device = PacedDevice(counted, pace, 1e6)  # type: ignore[arg-type]
    bursts = [device.burst(code, n, 60) for code, n in ((2, 4000), (IDLE, 3), (3, 500))]
    assert counted.asked == [(2, 8), (IDLE, 3), (3, 1)]
    load, idle, infer = marks_of(bursts, 1e6)
    assert load.end_s - load.begin_s == pytest.approx(4000 * 100e-6)
    assert idle.end_s - idle.begin_s == pytest.approx(3e-3)
    assert infer.end_s - infer.begin_s == pytest.approx(500 * 150e-6)
    for mark in (load, idle, infer):
        assert mark.begin_s - mark.up_s == pytest.approx(60e-6)
        assert mark.down_s - mark.end_s == pytest.approx(60e-6)
    assert load.down_s < idle.up_s < idle.down_s < infer.up_s
    assert [mark.repeats for mark in (load, idle, infer)] == [4000, 3, 500]
