"""Utilization by one definition: executed MACs per cost over a named peak."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from npubench.boards import load_board
from npubench.runs.roofline import cpu_peak, roofline
from npubench.runs.schema import RunRecord

Make = Callable[..., RunRecord]


def record(make_record: Make, layer: dict[str, object], **more: object) -> RunRecord:
    document = make_record(board="qemu-m4", backend="cpu").model_dump(mode="json")
    base = {
        "index": 0, "op": "CONV_2D", "name": "l", "kernel": "k", "macs": 4000,
        "weight_bytes": 100, "input_bytes": 300, "output_bytes": 100, "unit": "instructions",
        "evidence": "counted", "value": 8000,
    }  # fmt: skip
    return RunRecord.model_validate(document | {"layers": [base | layer]} | more)


def test_a_layer_on_the_cpu(make_record: Make) -> None:
    point = roofline(record(make_record, {}))[0]
    assert point.intensity_macs_per_byte == 8.0
    assert point.reached_macs_per == 0.5
    assert point.utilization_ratio == 0.25
    assert point.peak.name == "cortex-m4, SMLAD: 2 MACs an instruction"


def test_executed_macs_count_not_those_left_out(make_record: Make) -> None:
    point = roofline(record(make_record, {"executed_macs": 2000}))[0]
    assert (point.macs, point.utilization_ratio) == (2000, 0.125)


def test_an_operator_in_a_job_of_the_npu(make_record: Make) -> None:
    npu = {
        "accelerator": "ethos-u55-128", "config_sha256": "0" * 64, "macs_share": 1.0,
        "details": {"npu_hz": 32_000_000, "peak_macs_per_cycle": 128},
    }  # fmt: skip
    layer = {"engine": "npu", "npu_cycles": 125, "value": None, "unit": "us_modelled"}
    point = roofline(record(make_record, layer, npu=npu))[0]
    assert point.utilization_ratio == pytest.approx(4000 / 125 / 128)
    assert point.peak.name == "ethos-u55-128: 128 MACs a cycle"


def test_no_peak_no_point(make_record: Make) -> None:
    assert cpu_peak(load_board("gapuino"), "instructions") is None
    assert roofline(record(make_record, {}), load_board("gapuino")) == ()
    assert roofline(record(make_record, {"macs": 0}))[0].index is None
