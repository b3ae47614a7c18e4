"""Promise: engines of the user's own give TensorFlow Lite Micro's outputs under our harness, and
the counts that were measured without it. Needs trees that this project does not bring."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest

from npubench import api
from npubench.bench.job import Settings
from npubench.runs.compare import compare_runs
from npubench.runs.gap import Cause

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT.parent / "shared" / "data" / "models" / "kws_ref_model.tflite"
COUNTS = ROOT / "tests" / "data" / "engines" / "tflm_counts.csv"
KNOWN = {
    (row["board"], row["kernels"]): int(row["instructions"])
    for row in csv.DictReader(COUNTS.read_text(encoding="utf-8").splitlines())
    if row["network"] == MODEL.stem and row["board"] in ("qemu-m4", "qemu-m55")
}

pytestmark = [
    pytest.mark.long,
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(not MODEL.is_file(), reason="the reference networks are not at hand"),
]


@pytest.mark.skipif(not os.environ.get("NPUBENCH_TFLM"), reason="NPUBENCH_TFLM names no tree")
@pytest.mark.parametrize(("board", "kernels"), list(KNOWN), ids=[f"{b}-{k}" for b, k in KNOWN])
def test_tflm_takes_what_it_is_known_to_take(board: str, kernels: str, tmp_path: Path) -> None:
    outcome = api.bench(
        [MODEL],
        boards=[board],
        backends=["tflm"],
        options=[f"tflm.kernels={kernels}"],
        runs_dir=tmp_path,
    )
    (run,) = outcome.stored
    record = run.record
    assert record.golden.status == "match"
    assert len(KNOWN) == 4
    infer = record.stages["infer"].median
    assert infer is not None
    assert infer == pytest.approx(KNOWN[board, kernels], rel=1e-3)
    assert record.memory is not None
    assert record.memory.arena_spare_bytes > 0


@pytest.mark.skipif(
    not os.environ.get("NPUBENCH_CMSIS_NN"), reason="NPUBENCH_CMSIS_NN names no tree"
)
def test_cmsis_nn_gives_every_tensor(tmp_path: Path) -> None:
    outcome = api.bench([MODEL], boards=["qemu-m4"], backends=["cmsis-nn"], runs_dir=tmp_path)
    (run,) = outcome.stored
    assert run.record.golden.status == "match"


@pytest.mark.skipif(shutil.which("clang-16") is None, reason="clang 16 is not installed")
@pytest.mark.parametrize("board", ["qemu-m4", "qemu-m55"])
def test_clang_gives_every_tensor_and_the_gap_its_cause(board: str, tmp_path: Path) -> None:
    runs = [
        api.bench(
            ["kws"],
            boards=[board],
            backends=["cpu"],
            options=[f"cpu.toolchain={name}"],
            settings=Settings(verify_layers=True),
            runs_dir=tmp_path,
        ).stored[0]
        for name in ("gcc", "clang")
    ]
    assert [run.record.golden.status for run in runs] == ["match", "match"]
    assert "clang" in runs[1].record.environment.tools
    gap = compare_runs(runs[0], runs[1]).gap
    assert gap is not None
    assert gap.parts[0].cause is Cause.COMPILER
    assert gap.explained_ratio is not None
    assert gap.explained_ratio > 0.9
