"""Steps: none on smooth growth, each planted one of 5 % or more found, with its layer and cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from npubench.runs.schema import LayerRecord, NpuWorkRecord, RunRecord
from npubench.sweep.steps import Sample, explain, find_steps


def line(rng: np.random.Generator) -> tuple[list[float], list[float], list[float]]:
    """Cost, MACs and bytes of a family with fixed, per-MAC and per-byte cost, a hundredth of noise
    at most; neighbours are less than twice as large as each other."""
    count = int(rng.integers(8, 30))
    side = np.cumprod(np.concatenate([[12.0], rng.uniform(1.03, 1.38, count - 1)])).round()
    macs = 9 * rng.integers(4, 400) * side**2
    moved = rng.integers(2, 40) * side**2 + rng.integers(0, 200_000)
    cost = 10 ** rng.uniform(2, 6) + 10 ** rng.uniform(-1, 1) * macs
    cost = cost + 10 ** rng.uniform(-1, 1) * rng.integers(0, 2) * moved
    cost = cost * (1 + rng.uniform(0, 0.004) * rng.uniform(-1, 1, count))
    return list(cost), list(macs), list(moved)


def samples(cost: Sequence[float], macs: Sequence[float], moved: Sequence[float]) -> list[Sample]:
    return [Sample(cost=c, work=w, moved=m) for c, w, m in zip(cost, macs, moved, strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_smooth_growth_has_none_and_planted_steps_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(10):
        cost, macs, moved = line(rng)
        assert find_steps(samples(cost, macs, moved)) == ()
        place = int(rng.integers(2, len(cost) - 2))
        height = float(rng.choice([1.06, 1.15, 1.4, 0.92, 0.7]))
        planted = [c * (height if i >= place else 1) for i, c in enumerate(cost)]
        found = find_steps(samples(planted, macs, moved))
        assert place in [step.index for step in found]
        (step,) = [step for step in found if step.index == place]
        assert step.change_ratio == pytest.approx(height - 1, abs=0.03)


def test_a_kink_where_another_bound_takes_over_is_no_step() -> None:
    macs = [100.0 * n for n in range(1, 16)]
    cost = [max(8000.0, 11 * work) for work in macs]
    assert find_steps(samples(cost, macs, macs)) == ()


def test_where_the_work_stands_still_each_change_is_a_step() -> None:
    cost = [80.0, 80.1, 73.0, 73.0, 50.0, 50.5]
    found = find_steps(samples(cost, [5.0] * 6, [2.0] * 6))
    assert [(step.index, round(step.change_ratio, 3)) for step in found] == [
        (2, -0.089), (4, -0.315),
    ]  # fmt: skip


def npu_layer(index: int, cycles: int, **work: object) -> LayerRecord:
    return LayerRecord.model_validate(
        {
            "index": index, "op": "CONV_2D", "name": f"l{index}", "engine": "npu",
            "kernel": "job 0", "macs": 1000, "weight_bytes": 10, "input_bytes": 10,
            "output_bytes": 10, "unit": "us_modelled", "evidence": "modelled",
            "npu_cycles": cycles,
            "npu_work": NpuWorkRecord.model_validate(
                {"operations": 1, "block": (8, 8, 16), "port_bytes": (5000, 700), **work}
            ),
        }
    )  # fmt: skip


Make = Callable[..., RunRecord]


def with_npu(make_record: Make, layers: Sequence[LayerRecord], *fallbacks: str) -> RunRecord:
    record = make_record()
    npu = {
        "accelerator": "ethos-u55-128", "config_sha256": "0" * 64, "macs_share": 1.0,
        "fallbacks": fallbacks, "details": {"npu_hz": 32_000_000},
    }  # fmt: skip
    document = record.model_dump(mode="json") | {"npu": npu}
    document["layers"] = [layer.model_dump(mode="json") for layer in layers]
    return RunRecord.model_validate(document)


def test_the_layer_and_the_cause_come_from_the_records(make_record: Make) -> None:
    before = with_npu(make_record, [npu_layer(0, 900), npu_layer(1, 5000)])
    after = with_npu(
        make_record,
        [npu_layer(0, 910), npu_layer(1, 9000, operations=6, port_bytes=(40_000, 700))],
    )
    layer, share, cause = explain(before, after, rising=True)
    assert layer is not None
    assert layer.index == 1
    assert share == pytest.approx(4000 / 4010)
    assert cause is not None
    assert "6 operations of the NPU, before 1" in cause
    assert "bytes over port 0, before 5" in cause
    assert "no longer fits" in cause


def test_a_fallback_is_named_with_its_reason(make_record: Make) -> None:
    moved = npu_layer(1, 0).model_copy(
        update={"engine": "cpu", "npu_work": None, "npu_cycles": None, "value": 8000.0}
    )
    before = with_npu(make_record, [npu_layer(0, 900), npu_layer(1, 5000)])
    after = with_npu(make_record, [npu_layer(0, 900), moved], "1 CONV_2D: kernel too tall")
    layer, _, cause = explain(before, after, rising=True)
    assert layer is not None
    assert layer.index == 1
    assert cause == "the NPU no longer runs it: kernel too tall"


def test_another_kernel_is_named(make_record: Make) -> None:
    def cpu(kernel: str, value: float) -> LayerRecord:
        return LayerRecord.model_validate(
            {
                "index": 0, "op": "CONV_2D", "name": "l", "kernel": kernel, "macs": 1000,
                "weight_bytes": 10, "input_bytes": 10, "output_bytes": 10,
                "unit": "instructions", "evidence": "counted", "value": value,
            }
        )  # fmt: skip

    def one(layer: LayerRecord) -> RunRecord:
        document = make_record().model_dump(mode="json")
        return RunRecord.model_validate(document | {"layers": [layer.model_dump(mode="json")]})

    layer, share, cause = explain(one(cpu("fast", 100)), one(cpu("slow", 300)), rising=True)
    assert layer is not None
    assert share == 1.0
    assert cause == "another kernel: slow, before fast"
