"""Promise: the golden answer is TensorFlow Lite Micro's, and a network that it cannot run is told
so, never a crash."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from npubench.core.seeded import seeded_bytes, seeded_input
from npubench.golden import Golden, ReferenceUnavailable, golden_outputs
from npubench.golden import tflm as golden

needs_tflm = pytest.mark.skipif(
    golden.tflm_version() is None, reason="the package tflite-micro is not made for this platform"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "golden"


@pytest.fixture
def kws(shared_models: Path) -> bytes:
    return (shared_models / "kws_ref_model.tflite").read_bytes()


@dataclass
class Portable:
    """A stand-in that counts how often it is asked."""

    name: Literal["portable", "vendor"] = "portable"
    version: str = "1"
    asked: int = 0

    def run(self, model: bytes, stimulus: int | bytes) -> Golden:
        self.asked += 1
        return Golden(
            reference="portable",
            version=self.version,
            input_crc=zlib.crc32(model),
            output_bytes=str(stimulus).encode(),
            output_item_bytes=1,
            output_count=1,
            op_crcs={0: 1},
        )


@pytest.fixture
def no_tflm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "tflm_version", lambda: None)


@needs_tflm
@pytest.mark.parametrize(
    ("name", "ops", "output"),
    [
        ("kws_ref_model", 13, "8080808080808080806c8094"),
        ("vww_96_int8", 31, "7888"),
        ("pretrainedResnet_quant", 16, "8080808f808071808080"),
        ("ad01_int8", 10, "ec10172a3a4a342e282d2e322d2d2927"),
    ],
)
def test_reference_networks_give_the_published_answers(
    shared_models: Path, name: str, ops: int, output: str
) -> None:
    answer = golden_outputs((shared_models / f"{name}.tflite").read_bytes(), 1, all_tensors=True)
    assert answer.reference == "tflm"
    assert answer.output_bytes.hex().startswith(output)
    assert sorted(answer.op_crcs) == list(range(ops))
    assert answer.op_crcs[ops - 1] == zlib.crc32(answer.output_bytes)


@needs_tflm
def test_a_seed_is_the_input_that_the_device_makes(kws: bytes) -> None:
    by_seed = golden_outputs(kws, 3)
    by_bytes = golden_outputs(kws, seeded_bytes(3, 490))
    assert by_seed == by_bytes
    assert by_seed.input_crc == zlib.crc32(seeded_bytes(3, 490))
    assert by_seed.op_crcs == {}
    assert by_seed != golden_outputs(kws, 4)


@needs_tflm
def test_the_second_answer_comes_from_the_cache(
    kws: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = golden_outputs(kws, 1, all_tensors=True)
    (kept,) = cache.iterdir()
    monkeypatch.setattr(golden, "run_tool", None)
    assert golden_outputs(kws, 1, all_tensors=True) == first
    assert golden_outputs(kws, 1) == replace(first, op_crcs={})
    monkeypatch.undo()
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache.parent))
    for damage in ("", "[]", json.dumps({"reference": "tflm"})):
        kept.write_text(damage)
        assert golden_outputs(kws, 1, all_tensors=True) == first


@needs_tflm
@pytest.mark.parametrize("model", [b"", b"x" * 200], ids=["empty", "nonsense"])
def test_what_is_no_network_is_unavailable(model: bytes, cache: Path) -> None:
    with pytest.raises(ReferenceUnavailable, match="does not run this network"):
        golden_outputs(model, 1)
    assert not cache.exists()


@needs_tflm
def test_an_input_of_another_size_is_told(kws: bytes) -> None:
    with pytest.raises(ReferenceUnavailable, match="3 bytes, the network takes 490"):
        golden_outputs(kws, b"abc")


@needs_tflm
def test_a_crash_of_the_package_is_an_answer_too(
    kws: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = golden.run_tool

    def crash(argv: tuple[str, ...], **options: object) -> object:
        script = "import os; os.write(2, b'Failed to resize\\n'); os.abort()"
        return real((argv[0], "-c", script), **options)  # type: ignore[arg-type]

    monkeypatch.setattr(golden, "run_tool", crash)
    with pytest.raises(ReferenceUnavailable, match=r"ended with -6 \(Failed to resize\)"):
        golden_outputs(kws, 1)


def test_the_inputs_share_one_stream() -> None:
    """Three inputs of three kinds: an integer takes a step of the stream for each byte, a float32
    and a bool one in all; the stream goes on at the next input."""
    stream = seeded_bytes(1, 4 + 6 + 3 + 2)
    raw = seeded_input(1, [("int16", 2), ("float32", 6), ("bool", 3), ("uint8", 2)])
    assert raw[:4] == stream[:4]
    values = struct.unpack("<6f", raw[4:28])
    assert [value * 128 for value in values] == [(b ^ 0x80) - 0x80 for b in stream[4:10]]
    assert list(raw[28:31]) == [byte >> 7 for byte in stream[10:13]]
    assert raw[31:] == stream[13:]
    with pytest.raises(ValueError, match="complex64"):
        seeded_input(1, [("complex64", 1)])


@pytest.mark.usefixtures("no_tflm")
def test_without_the_package_a_stand_in_answers_and_is_named() -> None:
    stand_in = Portable()
    first = golden_outputs(b"model", 1, all_tensors=True, stand_in=stand_in)
    assert (first.reference, first.op_crcs, stand_in.asked) == ("portable", {0: 1}, 1)
    assert golden_outputs(b"model", 1, all_tensors=True, stand_in=stand_in) == first
    assert stand_in.asked == 1
    golden_outputs(b"model", 1, stand_in=replace(stand_in, version="2"))
    golden_outputs(b"other", 1, stand_in=stand_in)
    assert stand_in.asked == 2
    with pytest.raises(ReferenceUnavailable, match="not installed"):
        golden_outputs(b"model", 1)


@pytest.mark.usefixtures("no_tflm")
def test_a_cache_that_cannot_be_written_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "file"))
    assert golden_outputs(b"model", 1, stand_in=Portable()).reference == "portable"
    assert "cannot be kept" in caplog.text
