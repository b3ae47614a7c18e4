"""Promise: board and host make one input from a seed, whatever the network's inputs are, and an
input that differs is reported as that."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from npubench.cli.app import run_words
from support.several_inputs import NETWORKS

pytestmark = [
    pytest.mark.emulated,
    pytest.mark.skipif(shutil.which("qemu-system-arm") is None, reason="QEMU is not installed"),
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="the Arm compiler is not installed"
    ),
]


def _bench(
    folder: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, list[dict[str, object]]]:
    code = run_words(["bench", *words, "--runs-dir", str(folder / "runs"), "--json"])
    return code, json.loads(capsys.readouterr().out)["runs"]


def _files(folder: Path, names: tuple[str, ...]) -> list[str]:
    for name in names:
        (folder / f"{name}.tflite").write_bytes(NETWORKS[name])
    return [str(folder / f"{name}.tflite") for name in names]


@pytest.mark.parametrize("seed", ["1", "77"])
def test_generated_inputs_match_on_host_and_cortex_m4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: str
) -> None:
    boards = ("--board", "native", "--board", "qemu-m4")
    files = _files(tmp_path, tuple(NETWORKS))
    code, runs = _bench(tmp_path, capsys, *files, *boards, "--verify-layers", "--seed", seed)
    assert len(runs) == 2 * len(NETWORKS)
    for run in runs:
        golden = run["golden"]
        assert isinstance(golden, dict)
        assert (run["status"], golden["status"]) == ("ok", "match"), (run["board"], golden)
    assert code == 0


def test_generated_inputs_match_with_an_npu(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ethosu.vela")
    files = _files(tmp_path, ("two-int8", "three-int8", "two-int8-float"))
    code, runs = _bench(tmp_path, capsys, *files, "--board", "qemu-m55-u55")
    assert [run["status"] for run in runs] == ["ok"] * 3
    assert code == 0


def test_typed_inputs_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A .npz by the inputs' names, in any order, any byte order; the raw bytes give the same."""
    (file,) = _files(tmp_path, ("three-float-uint8-int8",))
    rng = np.random.default_rng(1)
    floats = rng.normal(size=(1, 12)).astype(np.float32)
    pixels = rng.integers(0, 256, size=(1, 12), dtype=np.uint8)
    codes = rng.integers(-128, 128, size=(1, 12), dtype=np.int8)
    np.savez(tmp_path / "in.npz", a=codes, u=pixels, f=floats.astype(">f4"))
    (tmp_path / "in.bin").write_bytes(floats.tobytes() + pixels.tobytes() + codes.tobytes())
    kept = []
    for name in ("in.npz", "in.bin"):
        words = (file, "--board", "native", "--input", str(tmp_path / name))
        code, runs = _bench(tmp_path, capsys, *words)
        assert code == 0
        kept.append((Path(str(runs[0]["run_dir"])) / "input.bin").read_bytes())
    assert kept[0] == kept[1] == (tmp_path / "in.bin").read_bytes()
