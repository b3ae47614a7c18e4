"""Instructions and cycles stay apart; a time, and a speed-up, is a range or it is not named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from npubench.bench.npu_time import Clocks, modelled_stages, npu_cycles
from npubench.bench.untimed import untimed_stages
from npubench.boards import load_board
from npubench.core.errors import DeviceError
from npubench.core.evidence import Evidence
from npubench.report.selection import NetworkRuns
from npubench.report.speedup import Speedup, npu_pairs, speedup, where_time_goes
from npubench.runs.schema import RunRecord, StageRecord
from npubench.wire.answers import BenchResult, Rep

CLOCKS = Clocks(cpu_hz=100_000_000, npu_hz=200e6, cpi_low=1.0, cpi_high=2.0)
NPU = {
    "accelerator": "ethos-u55-128",
    "config_sha256": "0" * 64,
    "macs_share": 1.0,
    "mac_utilization_ratio": 0.5,
    "details": {
        "cycles": 1000,
        "mac_active_cycles": 500,
        "mac_stalled_by_weights": 200,
        "mac_stalled_by_input": 0,
    },
}

RecordFactory = Callable[..., RunRecord]


def rep(index: int, *npu: int) -> Rep:
    return Rep(index=index, init=1, load=1, infer=1, unload=1, post=1, outer=4, npu=npu)


def bench(*reps: Rep) -> BenchResult:
    return BenchResult(selftest=None, window=None, init_cold=None, reps=reps, answer=None, lost=())


def counted(instructions: int) -> StageRecord:
    return StageRecord(
        unit="instructions",
        evidence=Evidence.COUNTED,
        median=instructions,
        n=2,
        deterministic=True,
    )


def test_instructions_and_cycles_stay_apart_and_time_is_a_range() -> None:
    stages = modelled_stages({"load": counted(1000), "infer": counted(1000)}, CLOCKS, 4000)
    load, infer = stages["load"], stages["infer"]
    assert (load.cpu_instructions, load.npu_cycles) == (1000, 0)
    assert (load.low, load.median, load.high) == (10.0, 15.0, 20.0)
    assert (infer.cpu_instructions, infer.npu_cycles) == (1000, 4000)
    assert (infer.low, infer.median, infer.high) == (30.0, 35.0, 40.0)
    assert infer.unit == "us_modelled"
    assert infer.evidence is Evidence.MODELLED


def test_what_was_not_counted_has_no_time() -> None:
    absent = StageRecord(unit="instructions", evidence=Evidence.UNAVAILABLE, reason="none")
    stage = modelled_stages({"infer": absent}, CLOCKS, 4000)["infer"]
    assert stage.median is None
    assert stage.reason == "none"
    assert stage.evidence is Evidence.UNAVAILABLE


def test_cycles_are_those_of_every_repetition() -> None:
    assert npu_cycles(bench(rep(0, 0, 77, 1), rep(1, 1, 77, 2))) == 77
    assert npu_cycles(bench(rep(0), rep(1))) == 0
    with pytest.raises(DeviceError, match="different cycles"):
        npu_cycles(bench(rep(0, 0, 77, 1), rep(1, 1, 78, 2)))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (2.0, 3.0, "2.00× to 3.00× faster"),
        (0.25, 0.5, "2.00× to 4.00× slower"),
        (0.9, 1.5, "no claim: between 0.900× and 1.50×"),
    ],
)
def test_a_speedup_is_claimed_only_where_its_sign_holds(
    low: float, high: float, words: str
) -> None:
    assert Speedup(low=low, high=high).words == words


def modelled(factory: RecordFactory, backend: str, low: float, high: float, **more: Any) -> Any:
    middle = (low + high) / 2
    return factory(
        board="qemu-m55-u55", backend=backend, infer=middle, unit="us_modelled",
        evidence="modelled", low=low, high=high, **more,
    )  # fmt: skip


def end_to_end(record: RunRecord, low: float, high: float) -> RunRecord:
    stage = record.stages["end_to_end"].model_copy(
        update={"low": low, "high": high, "median": (low + high) / 2}
    )
    return record.model_copy(update={"stages": {**record.stages, "end_to_end": stage}})


def test_the_range_sets_the_worst_against_the_best(make_record: RecordFactory) -> None:
    npu = end_to_end(modelled(make_record, "ethos-u", 8, 12, npu=NPU), 8, 12)
    cpu = end_to_end(modelled(make_record, "cpu", 60, 96), 60, 96)
    result = speedup(npu, cpu)
    assert (result.low, result.high) == (5.0, 12.0)
    assert result.holds


def test_nothing_is_claimed_without_a_valid_run_on_the_cpu(make_record: RecordFactory) -> None:
    npu = end_to_end(modelled(make_record, "ethos-u", 8, 12, npu=NPU), 8, 12)
    wrong = modelled(make_record, "cpu", 60, 96, golden="mismatch", status="failed")
    assert speedup(npu, None).words == "no claim: the CPU was not run"
    assert speedup(npu, wrong).words == "no claim: the CPU's run is not valid"


def test_a_count_is_never_set_against_a_modelled_time(make_record: RecordFactory) -> None:
    npu = end_to_end(modelled(make_record, "ethos-u", 8, 12, npu=NPU), 8, 12)
    cpu = make_record(board="qemu-m55-u55")
    assert "differ in unit" in speedup(npu, cpu).words


def test_shares_of_the_npus_cycles_add_up(make_record: RecordFactory) -> None:
    run = modelled(make_record, "ethos-u", 8, 12, npu=NPU)
    shares = dict(where_time_goes(run))
    assert shares == {
        "multiplying": 0.5,
        "waiting for constants": 0.2,
        "waiting for activations": 0.0,
        "all else": pytest.approx(0.3),
    }


def test_runs_without_an_npu_make_no_pair() -> None:
    assert npu_pairs([]) == ()


def network_of(*runs: RunRecord) -> NetworkRuns:
    return NetworkRuns(
        name="kws",
        network_sha256="0" * 64,
        accuracy={},
        macs=1,
        parameters=1,
        ops=1,
        runs=runs,
        older=0,
    )


def test_an_npu_is_told_against_the_fastest_valid_run_on_the_cpu(
    make_record: RecordFactory,
) -> None:
    npu = end_to_end(modelled(make_record, "ethos-u", 8, 12, npu=NPU), 8, 12)
    fast = end_to_end(modelled(make_record, "cpu", 60, 96), 60, 96)
    slow = end_to_end(modelled(make_record, "cpu", 90, 120), 90, 120)
    wrong = modelled(make_record, "cpu", 1, 2, golden="mismatch", status="failed")
    (pair,) = npu_pairs([network_of(npu, wrong, fast, slow)])
    assert pair.cpu is fast


def test_an_npu_is_told_against_the_cpu_with_the_same_channels(make_record: RecordFactory) -> None:
    drop = {"dead-channels": "drop"}
    runs = [
        end_to_end(modelled(make_record, "ethos-u", 8, 12, npu=NPU), 8, 12),
        end_to_end(modelled(make_record, "cpu", 60, 96), 60, 96),
        end_to_end(modelled(make_record, "ethos-u", 6, 9, npu=NPU), 6, 9).model_copy(
            update={"options": drop}
        ),
        end_to_end(modelled(make_record, "cpu", 45, 72), 45, 72).model_copy(
            update={"options": drop}
        ),
    ]
    pairs = npu_pairs([network_of(*runs)])
    assert [(pair.speedup.low, pair.speedup.high) for pair in pairs] == [(5.0, 12.0), (5.0, 12.0)]
    (alone,) = npu_pairs([network_of(runs[0], runs[3])])
    assert alone.speedup.words == "no claim: the CPU was not run"


def test_an_untimed_accelerator_tells_its_formulas_cycles_and_their_time() -> None:
    counted = {"infer": StageRecord(unit="instructions", evidence=Evidence.COUNTED, median=9.0)}
    board = load_board("max78000fthr")
    told = untimed_stages(counted, {"details": {"formula_cycles": 70_157}}, board)["infer"]
    assert told.median is None
    assert told.npu_cycles == 70_157
    assert told.reason is not None
    assert "70157 cycles, 1403 us at 50 MHz" in told.reason
    nothing = untimed_stages(counted, {}, board)["infer"]
    assert nothing.reason is not None
    assert "no cycles of this part are published" in nothing.reason
