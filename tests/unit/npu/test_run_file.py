"""Promise: what `npu run` is fed has the network's element types and shapes, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from npubench.cli.app import run_words
from npubench.core.errors import UsageError
from support.vela_in_process import CHECKOUT, compile_network


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vela")
    return compile_network(CHECKOUT / "models" / "kws" / "kws.tflite", folder)


def test_values_count_and_not_how_they_are_stored(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = np.random.default_rng(1).integers(-128, 128, (1, 49, 10, 1), dtype=np.int8)
    answers = []
    np.save(tmp_path / "c.npy", codes)
    np.save(tmp_path / "f.npy", np.asfortranarray(codes))
    np.save(tmp_path / "b.npy", codes[0])
    np.savez(tmp_path / "z.npz", codes)
    (tmp_path / "raw.bin").write_bytes(codes.tobytes())
    for name in ("c.npy", "f.npy", "b.npy", "z.npz", "raw.bin"):
        assert run_words(["npu", "run", str(compiled), str(tmp_path / name), "--json"]) == 0
        (output,) = json.loads(capsys.readouterr().out)["outputs"]
        assert (output["dtype"], output["shape"]) == ("int8", [1, 12])
        answers.append(output["values"])
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((1, 49, 10, 1), np.uint8), "uint8"),
        (np.zeros((1, 1, 49, 10), np.int8), "axes are in another order"),
        (np.zeros((490,), np.int8), "give the array the network's shape"),
        (np.zeros((1, 49, 10, 1), ">f4"), "float32"),
    ],
    ids=["uint8", "nchw", "flat", "float"],
)
def test_what_only_has_the_size_is_refused(
    compiled: Path, tmp_path: Path, array: np.ndarray, why: str
) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(UsageError) as error:
        run_words(["npu", "run", str(compiled), str(tmp_path / "x.npy")])
    assert why in f"{error.value.message} {error.value.hint}"
