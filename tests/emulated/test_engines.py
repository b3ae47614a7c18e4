"""Promise: engines of the user's own give TensorFlow Lite Micro's outputs under our harness, and
the counts that were measured without it. Needs trees that this project does not bring."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from npubench import api

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT.parent / "shared" / "data" / "models" / "kws_ref_model.tflite"
# Instructions of one Invoke on kws, counted apart from this project: TFLM 90b983c2, GCC 12.2.
KNOWN = {
    ("qemu-m4", "cmsis-nn"): 7_697_414,
    ("qemu-m4", "reference"): 43_039_868,
    ("qemu-m55", "cmsis-nn"): 1_813_176,
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
