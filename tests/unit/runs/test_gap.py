"""Promise: the parts of a gap add up to it, each has its cause, and what has none says so."""

from __future__ import annotations

from typing import Any

import pytest

from npubench.core.evidence import Evidence
from npubench.runs.gap import Cause, explain_gap
from npubench.runs.schema import RunRecord

DIGEST = "0" * 64
Layer = tuple[str, str, str, float | None]


def _run(layers: list[Layer], infer: float, *, load: float = 100.0, **changes: Any) -> RunRecord:
    unit = changes.pop("unit", "instructions")
    stages = {
        name: {"unit": unit, "evidence": Evidence.COUNTED, "median": value}
        for name, value in (
            ("init_cold", changes.pop("setup", 10)), ("load", load), ("infer", infer),
            ("unload", 10), ("post", 5),
        )
    }  # fmt: skip
    if "infer_cycles" in changes:
        stages["infer"]["cycles_median"] = changes.pop("infer_cycles")
    layer_unit = changes.pop("layer_unit", unit)
    tools = changes.pop("tools", {"arm-none-eabi-gcc": "12.2"})
    document: dict[str, Any] = {
        "stage_contract": 1, "run_id": "r", "created": "2026-01-01T00:00:00Z", "status": "ok",
        "evidence": Evidence.COUNTED, "target": "qemu-m4:cpu", "board": "qemu-m4",
        "board_kind": "emulated", "backend": "cpu", "place": "emulated",
        "model": {
            "name": "m", "network_sha256": DIGEST, "artifact_sha256": DIGEST, "source": "m.tflite",
        },
        "golden": {"status": "match", "reference": "tflm", "tensors": 1, "mismatches": 0},
        "stages": stages,
        "layers": [
            {
                "index": index, "op": op, "name": op, "engine": engine, "kernel": kernel,
                "macs": 1000, "weight_bytes": 0, "input_bytes": 0, "output_bytes": 0,
                "unit": layer_unit, "evidence": Evidence.COUNTED, "value": value,
            }
            for index, (op, engine, kernel, value) in enumerate(layers)
        ],
        "environment": {
            "npubench": "0", "git": None, "platform": "p", "python": "3", "tools": tools,
            "flags": ["-mcpu=cortex-m4"], "elf_sha256": None, "project_sha256": None,
        },
        "timings_s": {},
    } | changes  # fmt: skip
    return RunRecord.model_validate(document)


def _parts(a: RunRecord, b: RunRecord) -> dict[Cause, float]:
    gap = explain_gap(a, b)
    assert gap is not None
    assert sum(part.amount for part in gap.parts) == pytest.approx(gap.amount)
    found: dict[Cause, float] = {}
    for part in gap.parts:
        found[part.cause] = found.get(part.cause, 0.0) + part.amount
    return found


def test_engines_differ_by_kernels_movement_and_calls() -> None:
    a = _run([("CONV_2D", "cpu", "ours", 1000), ("PAD", "cpu", "pad", 50)], 1060)
    b = _run(
        [("CONV_2D", "cpu", "theirs", 4000), ("PAD", "cpu", "pad.cc", 250)], 4400, backend="tflm",
        load=140.0, setup=900,
    )  # fmt: skip
    found = _parts(a, b)
    assert found[Cause.KERNEL] == 3000
    assert found[Cause.MOVEMENT] == 200
    assert found[Cause.DISPATCH] == 140
    assert found[Cause.STAGES] == 40
    gap = explain_gap(a, b)
    assert gap is not None
    assert gap.explained_ratio == 1.0
    assert (gap.setup_a, gap.setup_b) == (10, 900)
    assert next(part.cause for part in gap.parts) is Cause.KERNEL
    assert "4 per multiply-accumulate" in gap.parts[0].evidence
    assert gap.parts[0].operators == (0,)


def test_what_nothing_explains_is_said() -> None:
    """The same kernel, compiler and board, and yet another count."""
    a = _run([("CONV_2D", "cpu", "ours", 1000)], 1000)
    b = _run([("CONV_2D", "cpu", "ours", 1500)], 1500)
    gap = explain_gap(a, b)
    assert gap is not None
    assert gap.explained_ratio == 0.0
    assert gap.parts[-1].cause is Cause.UNEXPLAINED
    assert gap.parts[-1].amount == 500


def test_a_run_without_layers_explains_its_stages_alone() -> None:
    found = _parts(_run([], 1000), _run([], 3000, load=1100.0))
    assert found[Cause.STAGES] == 1000
    assert found[Cause.UNEXPLAINED] == 2000


@pytest.mark.parametrize(
    ("first", "second", "changes", "cause"),
    [
        (("ADD", "npu", "job 0", 10), ("ADD", "cpu", "nb_add", 500), {}, Cause.FALLBACK),
        (("QUANTIZE", "cpu", "q", 10), ("QUANTIZE", "cpu", "q", 500), {}, Cause.REQUANTIZATION),
        (
            ("ADD", "cpu", "k", 10), ("ADD", "cpu", "k", 500),
            {"tools": {"arm-none-eabi-gcc": "12.2", "clang": "16"}}, Cause.COMPILER,
        ),
        (("ADD", "cpu", "k", 10), ("ADD", "cpu", "k", 500), {"board": "qemu-m7"}, Cause.CORE),
    ],
    ids=["fallback", "requantization", "compiler", "core"],
)  # fmt: skip
def test_a_layer_has_its_cause(
    first: Layer, second: Layer, changes: dict[str, Any], cause: Cause
) -> None:
    assert _parts(_run([first], 10), _run([second], 500, **changes))[cause] == 490


def test_what_is_left_out_costs_nothing() -> None:
    """An alias here is an operator there."""
    a = _run([("RESHAPE", "none", "alias", None)], 0)
    b = _run([("RESHAPE", "cpu", "reshape.cc", 200)], 200, backend="tflm")
    assert _parts(a, b)[Cause.MOVEMENT] == 200


def test_the_clock_comes_first() -> None:
    """Twice the clock halves the time; the kernel's part is told at one clock."""

    def clock(hz: float) -> dict[str, Any]:
        return {
            "counter_unit": "cycles", "counter_hz": 1, "nominal_hz": 1, "measured_hz": hz,
            "tolerance_ppm": 1, "source": "s",
        }  # fmt: skip

    a = _run(
        [("CONV_2D", "cpu", "ours", 1000)], 1000, load=0.0, unit="us", layer_unit="cycles",
        infer_cycles=1000, clock=clock(1e6),
    )  # fmt: skip
    b = _run(
        [("CONV_2D", "cpu", "theirs", 4000)], 2000, load=0.0, unit="us", layer_unit="cycles",
        infer_cycles=4000, clock=clock(2e6),
    )  # fmt: skip
    found = _parts(a, b)
    assert found[Cause.CLOCK] == pytest.approx(-2015)
    assert found[Cause.KERNEL] == pytest.approx(3000)


def test_units_are_never_mixed() -> None:
    assert explain_gap(_run([], 1), _run([], 1, unit="us")) is None
