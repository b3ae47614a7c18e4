"""Promise, on real firmware and the modelled NPU: a right run against a wrong TFLM is ok with that
remark, and its record can be verified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from npubench.cli.app import run_words
from support import disputed

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]


@pytest.mark.parametrize("name", ["RELU6", "RELU6_CONV"])
def test_a_right_npu_is_not_failed_by_a_wrong_tflm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    pytest.importorskip("ethosu.vela")
    pytest.importorskip("ai_edge_litert")
    model = tmp_path / f"{name.lower()}.tflite"
    model.write_bytes(getattr(disputed, name))
    runs = ["--runs-dir", str(tmp_path / "runs")]
    code = run_words(["bench", str(model), "--board", "qemu-m55-u55", *runs, "--json"])
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    golden = run["golden"]
    assert (code, run["status"], golden["status"]) == (0, "ok", "match")
    assert golden["reference"] == "second-opinion"
    assert golden["mismatches"] == 1
    second = golden["second_opinion"]
    assert (second["who"], second["operator"], second["kind"]) == ("tflm", 0, "RELU6")
    assert second["error_steps"]["tflm"] > 2
    assert second["error_steps"]["litert"] <= 1
    assert any("TFLM is off" in note for note in run["notes"])
