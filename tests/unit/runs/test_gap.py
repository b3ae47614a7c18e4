"""Promise: the parts of a gap add up to it, each has its cause, and what has none says so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from npubench.core.evidence import Evidence
from npubench.runs.gap import Cause, explain_gap
from npubench.runs.gap_sources import changed_sources
from npubench.runs.reader import StoredRun
from npubench.runs.schema import NpuRecord, RunRecord

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
        (("PAD", "cpu", "k", 10), ("PAD", "cpu", "k", 500), {"board": "qemu-m7"}, Cause.CORE),
        (
            ("ADD", "cpu", "k", 10), ("ADD", "cpu", "k", 500),
            {"options": {"level": "O3"}}, Cause.LEVEL,
        ),
        (
            ("ADD", "cpu", "k", 10), ("ADD", "cpu", "k", 500),
            {"options": {"colour": "red"}}, Cause.SETTINGS,
        ),
        (
            ("ADD", "cpu", "k", 10), ("ADD", "cpu", "k", 500),
            {"tools": {"arm-none-eabi-gcc": "12.2", "CMSIS-NN": "commit 1"}}, Cause.VERSION,
        ),
    ],
    ids=[
        "fallback", "requantization", "compiler", "core", "core-moves", "level", "settings",
        "engine",
    ],
)  # fmt: skip
def test_a_layer_has_its_cause(
    first: Layer, second: Layer, changes: dict[str, Any], cause: Cause
) -> None:
    assert _parts(_run([first], 10), _run([second], 500, **changes))[cause] == 490


def test_a_job_of_the_npu_stands_against_all_its_operators() -> None:
    """What is inside a job has no cost of its own."""
    a = _run(
        [("CONV_2D", "cpu", "x", 600), ("ADD", "cpu", "y", 300), ("SOFTMAX", "cpu", "z", 90)], 995,
    )  # fmt: skip
    b = _run(
        [
            ("CONV_2D", "npu", "job 0", None), ("ADD", "npu", "job 0", 50),
            ("SOFTMAX", "cpu", "z", 90),
        ],
        142, backend="ethos-u",
    )  # fmt: skip
    gap = explain_gap(a, b)
    assert gap is not None
    part = gap.parts[0]
    assert (part.cause, part.amount, part.operators) == (Cause.FALLBACK, -850, (0, 1))
    assert part.what == "2 operators, CONV_2D to ADD: cpu → job 0"
    assert gap.explained_ratio == 1.0


def test_jobs_of_two_npus_differ_by_the_npu_and_not_by_the_core() -> None:
    runs = []
    for board, mhz, cost in (("grove-vision-ai-v2", 400, 1700), ("ek-ra8p1", 500, 500)):
        npu = NpuRecord(
            accelerator=f"ethos-u55-{mhz}",
            config_sha256="0" * 64,
            macs_share=1.0,
            details={"npu_hz": mhz * 1_000_000, "system_config": "S"},
        )
        layers = [("CONV_2D", "npu", "job 0", None), ("ADD", "npu", "job 0", cost)]
        run = _run(layers, cost, backend="ethos-u", board=board)
        runs.append(run.model_copy(update={"npu": npu}))
    gap = explain_gap(*runs)
    assert gap is not None
    assert (gap.parts[0].cause, gap.parts[0].amount) == (Cause.NPU, -1200)
    assert "ethos-u55-400 at 400 MHz (S) and ethos-u55-500 at 500 MHz (S)" in gap.parts[0].evidence


def test_an_operator_of_unknown_cost_leaves_infer_unexplained() -> None:
    a = _run([("CONV_2D", "cpu", "x", None), ("ADD", "cpu", "y", 300)], 995)
    b = _run([("CONV_2D", "cpu", "z", 10), ("ADD", "cpu", "y", 300)], 500)
    assert _parts(a, b) == {Cause.UNEXPLAINED: -495}


def test_versions_of_our_own_differ_by_what_their_sources_say() -> None:
    """The kernel that changed is named; where nothing changed, nothing is claimed."""
    layers: list[Layer] = [("CONV_2D", "cpu", "conv", 1000), ("ADD", "cpu", "add", 100)]
    later: list[Layer] = [("CONV_2D", "cpu", "conv", 700), ("ADD", "cpu", "add", 110)]
    a, b = _run(layers, 1100), _run(later, 810)
    gap = explain_gap(a, b, changed=lambda kernel: "conv.c differs" if kernel == "conv" else None)
    assert gap is not None
    assert (gap.parts[0].cause, gap.parts[0].amount) == (Cause.VERSION, -300)
    assert gap.parts[0].evidence.startswith("conv.c differs")
    assert gap.parts[-1].amount == 10
    assert gap.explained_ratio == pytest.approx(1 - 10 / 290)


def test_sources_are_read_from_the_runs_folders(tmp_path: Path) -> None:
    """By the file that defines a kernel, then by headers, then by what it is called with."""
    kernel = "void nb_conv(const int *x)\n{\n}\n"
    base = {
        "src/kernels/portable/conv.c": kernel,
        "src/kernels/portable/add.c": "int nb_add(void);",
    }
    stored = []
    for name, files in (
        ("a", base),
        ("kernel", base | {"src/kernels/portable/conv.c": kernel + "// new\n"}),
        ("header", base | {"include/nb_kernels.h": "// new\n"}),
        ("call", base | {"src/model/nb_model.c": "// other params\n"}),
    ):
        files = {"include/nb_kernels.h": "", "src/model/nb_model.c": "", **files}
        for path, text in files.items():
            (tmp_path / name / "project" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "project" / path).write_text(text, encoding="utf-8")
        listed = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
        (tmp_path / name / "project" / "project.json").write_text(
            json.dumps({"files": listed}), encoding="utf-8"
        )
        stored.append(StoredRun(path=tmp_path / name, record=_run([], 1)))
    said = [changed_sources(stored[0], other) for other in stored]
    assert [None if one is None else one("nb_conv") for one in said] == [
        None,
        "src/kernels/portable/conv.c differs",
        "include/nb_kernels.h differs",
        "what it is called with differs (src/model)",
    ]
    assert said[1] is not None
    assert said[1]("nb_add") is None
    nowhere = StoredRun(path=tmp_path, record=_run([], 1))
    assert changed_sources(stored[0], nowhere) is None


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
