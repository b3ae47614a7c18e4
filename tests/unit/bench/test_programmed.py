"""A run whose accelerator's cycles follow from its program: time and energy are ranges that hold
the processor, its waits and the accelerator, each with its own bounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from npubench.bench.issue_bounds import rules_of
from npubench.bench.part_energy import Engines, engines_of
from npubench.bench.programmed import (
    Programmed,
    cpu_clocks,
    has_programmed_npu,
    programmed_energy,
    programmed_layers,
    programmed_of,
    programmed_stages,
)
from npubench.boards import load_board
from npubench.compiler.compiled import Compiled
from npubench.core.evidence import Evidence
from npubench.emulators.board_model.description import on_model
from npubench.npu.max7800x import timing
from npubench.runs.schema import LayerRecord, StageRecord
from support.vela_in_process import CHECKOUT

DETAILS = {
    "npu_hz": 50_000_000, "cycles": 1_000, "modelled_low_cycles": 900,
    "modelled_high_cycles": 1_200, "quadrant_cycles": 2_000, "overlaps": 0,
    "bus_load_low_us": 1.0, "bus_load_high_us": 2.0, "bus_infer_low_us": 0.5,
    "bus_infer_high_us": 0.75, "bus_init_low_us": 5.0, "bus_init_high_us": 6.0,
}  # fmt: skip
FTHR = on_model(load_board("max78000fthr"))
EVKIT = on_model(load_board("max78002evkit"))


def made(**more: object) -> Programmed:
    found = programmed_of({"details": DETAILS | more})
    assert found is not None
    return found


def counted(instructions: int) -> StageRecord:
    return StageRecord(
        unit="instructions", evidence=Evidence.COUNTED, median=instructions, n=2, deterministic=True
    )


COUNTED = {
    "init_warm": counted(1_000), "load": counted(400), "infer": counted(200), "post": counted(100),
    "end_to_end": counted(700),
}  # fmt: skip


def test_each_stage_holds_what_it_waits_for() -> None:
    clocks = cpu_clocks(FTHR)
    assert clocks is not None
    assert (clocks.cpu_hz, clocks.cpi_low, clocks.cpi_high) == (100_000_000, 1.0, 2.5)
    stages = programmed_stages(COUNTED, clocks, made())
    # A cycle of the processor is 10 ns, one of the accelerator 20 ns.
    assert (stages["load"].low, stages["load"].high) == (4 + 1, 10 + 2)
    assert (stages["infer"].low, stages["infer"].high) == (2 + 18 + 0.5, 5 + 24 + 0.75)
    assert (stages["post"].low, stages["post"].high) == (1, 2.5)
    assert (stages["init_warm"].low, stages["init_warm"].high) == (10 + 5, 25 + 6)
    assert stages["end_to_end"].low == 7 + 18 + 0.5 + 1
    assert (stages["infer"].npu_cycles, stages["load"].npu_cycles) == (1_000, 0)
    assert {stage.evidence for stage in stages.values()} == {Evidence.MODELLED}


def test_what_goes_in_while_the_accelerator_runs_is_not_added_at_the_low_end() -> None:
    clocks = cpu_clocks(FTHR)
    assert clocks is not None
    infer = programmed_stages(COUNTED, clocks, made(overlaps=1))["infer"]
    assert (infer.low, infer.high) == (18.5, 5 + 24 + 0.75)
    slow = programmed_stages({"infer": counted(9_000)}, clocks, made(overlaps=1))["infer"]
    assert slow.low == 90


@pytest.mark.parametrize(("overlaps", "low"), [(0, 21.5), (1, 18.5)])
def test_the_operator_in_whose_place_the_job_runs_stands_for_it(overlaps: int, low: float) -> None:
    inside = LayerRecord(
        index=0, op="CONV_2D", name="a", engine="npu", kernel="job 0", macs=9, weight_bytes=1,
        input_bytes=1, output_bytes=1, unit="us_modelled", evidence=Evidence.MODELLED,
    )  # fmt: skip
    job = inside.model_copy(update={"index": 1, "value": 4.0, "low": 3.0, "high": 5.0})
    softmax = job.model_copy(update={"index": 2, "engine": "cpu"})
    plan = SimpleNamespace(estimates=(SimpleNamespace(op_index=0, cycles=700),))
    compiled = cast(Compiled, SimpleNamespace(plan=plan))
    first, found, last = programmed_layers(
        (inside, job, softmax), compiled, made(overlaps=overlaps)
    )
    assert (first.value, first.npu_cycles) == (None, 700)
    assert (found.low, found.high) == (low, 5 + 24 + 0.75)
    assert last == softmax


def test_a_plan_without_cycles_has_no_time() -> None:
    assert programmed_of({"details": {"npu_hz": 50_000_000, "time_missing": "why"}}) is None
    assert programmed_of({}) is None


def test_a_boards_model_alone_is_told_so_and_only_where_its_file_bounds_the_core() -> None:
    assert has_programmed_npu(FTHR)
    assert not has_programmed_npu(load_board("max78000fthr"))
    assert not has_programmed_npu(load_board("qemu-m55-u55"))
    assert cpu_clocks(load_board("qemu-m4")) is None
    rules = rules_of(FTHR)
    assert rules is not None
    assert rules.core == "cortex-m4"


def test_energy_goes_by_the_quadrants_cycles_with_the_error_of_the_fit() -> None:
    engines = engines_of(EVKIT, with_npu=True)
    assert isinstance(engines, Engines)
    work = engines.power.npu_work
    assert work is not None
    clocks = cpu_clocks(EVKIT)
    assert clocks is not None
    one = made(npu_hz=200_000_000)
    stages = programmed_stages({"infer": counted(0), "load": counted(120)}, clocks, one)
    stages["infer"] = stages["infer"].model_copy(update={"cpu_instructions": 0})
    found = programmed_energy(stages, clocks, engines, one)
    infer, load = found["infer"].energy_uj, found["load"].energy_uj
    assert infer is not None
    assert load is not None
    own = 2_000 * work.quadrant_cycle_nj * 1e-3
    cpu = engines.cpu
    assert infer.low == pytest.approx(
        own * (1 - work.error_pct / 100) + 0.5 * cpu.low_uw * 1e-6, rel=1e-4
    )
    assert infer.high == pytest.approx(
        own * (1 + work.error_pct / 100) + 0.75 * cpu.high_uw * 1e-6, rel=1e-4
    )
    assert load.low == pytest.approx((1 + 1.0) * cpu.low_uw * 1e-6, rel=1e-4)
    assert infer.kind == "net, the rail VCOREA at 1.0 V"


def test_a_part_without_a_source_says_what_is_missing_and_a_core_alone_too() -> None:
    told = engines_of(FTHR, with_npu=True)
    assert isinstance(told, str)
    assert "251 uJ" in told
    alone = engines_of(EVKIT, with_npu=False)
    assert isinstance(alone, str)
    assert "without the accelerator" in alone


def test_the_boards_figure_is_the_pages() -> None:
    power = EVKIT.part_power
    assert power is not None
    assert power.npu_work is not None
    page = (CHECKOUT / "docs" / "max7800x-time.md").read_text(encoding="utf-8")
    told = f"{power.npu_work.quadrant_cycle_nj:.3f} nJ for each cycle of each quadrant"
    assert told in page
    assert f"at most {power.npu_work.error_pct:.1f} % off. That count" in page
    assert f"{timing.PIPELINE_CYCLES:g} cycles more" in page
