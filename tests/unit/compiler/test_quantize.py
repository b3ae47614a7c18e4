"""Quantization and rebuilding: what TensorFlow makes, what differs, and what is said without it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npubench.cli.app import run_words
from npubench.compiler import zoo_build
from npubench.compiler.graph import DType
from npubench.compiler.quantize import saved
from npubench.compiler.quantize.keras import import_tensorflow
from npubench.compiler.quantize.samples import MAX_SAMPLES, read_samples
from npubench.compiler.quantize.saved import quantize_saved
from npubench.compiler.quantize.weights import mixed_samples
from npubench.compiler.quantize.worker import run_isolated
from npubench.compiler.tflite.difference import compare_models
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.compiler.zoo_build import build_model
from npubench.core.errors import (
    ConfigError,
    ModelFormatError,
    StorageError,
    ToolError,
    ToolMissing,
    UsageError,
)
from npubench.zoo import load_zoo, resolve_model
from support.tflite_writer import ModelSpec, OpSpec, write_model

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow"
)

MAKE_FLOAT_MODELS = """
import sys
from tensorflow import keras
keras.utils.set_random_seed(1)
layers = keras.layers
model = keras.Sequential([
    keras.Input((12, 12, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(6.0),
    layers.Dropout(0.5), layers.AveragePooling2D(10), layers.Flatten(), layers.Dense(5),
])
model.save(sys.argv[1] + "/float.keras")
model.export(sys.argv[1] + "/saved")
"""


def weights_of(data: bytes, name: str) -> bytes:
    """The largest constant of a network."""
    graph = read_tflite(data, name=name)
    return max((tensor.data or b"" for tensor in graph.tensors), key=len)


def changed(data: bytes) -> bytes:
    """The same network with one weight off by one step."""
    weights = weights_of(data, "changed")
    offset = data.index(weights) + len(weights) // 2
    return data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]


# What differs


def test_equal_files_have_no_difference() -> None:
    data = resolve_model("kws").path.read_bytes()
    found = compare_models(data, data)
    assert (found.structure_equal, found.text) == (True, "")


def test_one_changed_weight_is_found_and_counted() -> None:
    data = resolve_model("kws").path.read_bytes()
    found = compare_models(data, changed(data))
    assert found.structure_equal
    assert (found.weights_differing_count, found.max_weight_steps) == (1, 1)
    assert found.weights_count > 22_000
    assert "1 of" in found.text


def test_bytes_that_mean_nothing_are_told_apart_from_numbers() -> None:
    data = resolve_model("digits").path.read_bytes()
    found = compare_models(data, data + b"\0" * 16)
    assert found.structure_equal
    assert "only the encoding differs" in found.text


def test_another_network_is_a_difference_of_structure() -> None:
    kws, digits = (resolve_model(name).path.read_bytes() for name in ("kws", "digits"))
    found = compare_models(kws, digits)
    assert not found.structure_equal
    assert "operators instead of 13" in found.text


def test_an_outcome_tells_rounding_from_structure(monkeypatch: pytest.MonkeyPatch) -> None:
    committed = resolve_model("kws").path.read_bytes()
    made = {"data": changed(committed)}

    def stand_in(job: dict[str, Any]) -> dict[str, Any]:
        assert Path(job["script"]).is_file()
        Path(job["out"]).write_bytes(made["data"])
        return {"tensorflow": "0.0"}

    monkeypatch.setattr(zoo_build, "run_isolated", stand_in)
    outcome = build_model("kws")
    assert (outcome.equal, outcome.structure_equal, outcome.macs) == (False, True, 2_656_768)
    assert "1 of" in outcome.difference
    assert zoo_build.ROUNDING_NOTE in outcome.difference

    made["data"] = resolve_model("digits").path.read_bytes()
    outcome = build_model("kws")
    assert (outcome.equal, outcome.structure_equal) == (False, False)
    assert zoo_build.ROUNDING_NOTE not in outcome.difference

    made["data"] = committed
    outcome = build_model("kws")
    assert (outcome.equal, outcome.difference) == (True, "")
    assert outcome.sha256 == outcome.expected_sha256 == load_zoo("kws").sha256


# Samples


def test_samples_are_read_from_npy_and_npz(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    np.save(tmp_path / "s.npy", values)
    np.savez(tmp_path / "s.npz", values)
    for name in ("s.npy", "s.npz"):
        samples = read_samples(tmp_path / name)[""]
        assert samples.dtype == np.float32
        assert np.array_equal(samples, values)


def test_many_samples_are_thinned_evenly(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.arange(5000, dtype=np.float32).reshape(-1, 1))
    samples = read_samples(tmp_path / "s.npy")[""]
    assert len(samples) == MAX_SAMPLES
    assert (samples[0, 0], samples[-1, 0]) == (0.0, 4999.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), "first axis"),
        (np.zeros((0, 5)), "first axis"),
        (np.array([["a"]]), "must be numbers"),
        (np.full((2, 2), np.nan), "NaN"),
        (np.array([[{}]]), "file of numbers"),
    ],
)
def test_useless_samples_are_refused(tmp_path: Path, values: Any, message: str) -> None:
    np.save(tmp_path / "s.npy", values, allow_pickle=True)
    with pytest.raises(ConfigError, match=message):
        read_samples(tmp_path / "s.npy")


def test_files_that_are_no_samples_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.zeros((3, 1)), b=np.zeros((2, 1)))
    with pytest.raises(ConfigError, match=r"different numbers of samples \(a: 3, b: 2\)"):
        read_samples(tmp_path / "two.npz")
    np.savez(tmp_path / "bad.npz", a=np.zeros((3, 1)), b=np.full((3, 1), np.inf))
    with pytest.raises(ConfigError, match="b: samples hold NaN or infinity"):
        read_samples(tmp_path / "bad.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(ConfigError, match="no array"):
        read_samples(tmp_path / "none.npz")
    with pytest.raises(ConfigError, match="No such file"):
        read_samples(tmp_path / "none.npy")
    for junk in (b"", b"junk", b"PK\x03\x04junk", b"\x93NUMPY\x01\x00"):
        (tmp_path / "junk.npy").write_bytes(junk)
        with pytest.raises(ConfigError, match="file of numbers"):
            read_samples(tmp_path / "junk.npy")


def test_mixed_samples_reach_both_ends_and_repeat() -> None:
    first = mixed_samples((8, 6, 2), count=4, low=-3.0, high=5.0, seed=7)
    assert first.shape == (4, 8, 6, 2)
    assert (first.min(), first.max()) == (-3.0, 5.0)
    assert np.array_equal(first, mixed_samples((8, 6, 2), count=4, low=-3.0, high=5.0, seed=7))
    assert not np.array_equal(first, mixed_samples((8, 6, 2), count=4, low=-3.0, high=5.0, seed=8))


# The process apart


def test_a_missing_tensorflow_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ToolMissing) as caught:
        import_tensorflow()
    assert "npubench[train]" in caught.value.hint


def test_our_errors_cross_the_process_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "float.keras").write_bytes(b"")
    np.save(tmp_path / "s.npy", np.zeros(5))
    with pytest.raises(ConfigError, match="first axis"):
        quantize_saved(tmp_path / "float.keras", tmp_path / "s.npy", tmp_path / "out.tflite")
    assert not (tmp_path / "out.tflite").exists()


def test_a_crash_of_the_process_shows_its_last_output() -> None:
    with pytest.raises(ToolError) as caught:
        run_isolated({"do": "no such job"})
    assert caught.value.code == 1
    assert "no such job" in caught.value.tail


def test_wrong_paths_are_usage_errors(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.zeros((1, 1)))
    with pytest.raises(UsageError, match="there is no file"):
        quantize_saved(tmp_path / "none.keras", tmp_path / "s.npy", tmp_path / "out.tflite")
    with pytest.raises(UsageError, match=r"must end in \.tflite"):
        quantize_saved(tmp_path / "s.npy", tmp_path / "s.npy", tmp_path / "out.bin")


def test_what_is_made_but_cannot_be_read_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "float.keras").write_bytes(b"")
    np.save(tmp_path / "s.npy", np.zeros((1, 1)))
    out = tmp_path / "out.tflite"
    out.write_bytes(b"precious")

    def stand_in(job: dict[str, Any]) -> dict[str, Any]:
        Path(job["out"]).write_bytes(b"junk")
        return {"tensorflow": "0.0", "samples": 1}

    monkeypatch.setattr("npubench.compiler.quantize.saved.run_isolated", stand_in)
    with pytest.raises(ModelFormatError):
        quantize_saved(tmp_path / "float.keras", tmp_path / "s.npy", out)
    assert out.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        (OpSpec(kind="GELU"), "GELU"),
        (OpSpec(kind="CUSTOM", custom_code="Mine"), "Mine"),
        (OpSpec(kind="RELU"), ""),
    ],
    ids=["gelu", "custom", "relu"],
)
def test_what_is_quantized_is_compiled_before_it_says_what_is_next(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spec: OpSpec,
    refused: str,
) -> None:
    (tmp_path / "float.keras").write_bytes(b"")
    np.save(tmp_path / "s.npy", np.zeros((1, 1)))

    def stand_in(job: dict[str, Any]) -> dict[str, Any]:
        Path(job["out"]).write_bytes(write_model(ModelSpec(ops=(spec,))))
        return {"tensorflow": "0.0", "samples": 1}

    monkeypatch.setattr("npubench.compiler.quantize.saved.run_isolated", stand_in)
    words = [str(tmp_path / "float.keras"), "--samples", str(tmp_path / "s.npy")]
    code = run_words(["models", "quantize", *words, "--output", str(tmp_path / "out.tflite")])
    said = capsys.readouterr().out
    if refused:
        assert code == 2
        assert "It cannot be run as it is" in said
        assert refused in said
        assert "Next:" not in said
    else:
        assert code == 0
        assert "Next: npubench bench" in said


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        saved.write_replacing(tmp_path / "none" / "out.tflite", b"x")


# With TensorFlow: small networks, few starts


@needs_tensorflow
def test_keras_files_and_saved_models_become_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fully int8, folded, the same network from both, and nothing left in the working folder."""
    subprocess.run(
        [sys.executable, "-c", MAKE_FLOAT_MODELS, str(tmp_path)],
        check=True,
        capture_output=True,
        env={"KERAS_HOME": str(tmp_path / "keras"), "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=tmp_path,
    )
    np.save(tmp_path / "s.npy", mixed_samples((12, 12, 3), count=16, low=-1.0, high=1.0, seed=1))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    kinds = []
    for source in ("float.keras", "saved"):
        done = quantize_saved(tmp_path / source, Path("../s.npy"), Path("out.tflite"))
        data, graph = load_tflite(done.path)
        assert (len(data), graph.sha256) == (done.size_bytes, done.sha256)
        assert done.samples_count == 16
        assert {graph.tensor(index).dtype for index in (*graph.inputs, *graph.outputs)} == {
            DType.INT8
        }
        quantization = graph.tensor(graph.inputs[0]).quantization
        assert quantization is not None
        assert quantization.scale == pytest.approx(2 / 255, rel=1e-5)
        kinds.append([op.kind for op in graph.ops])
        assert [entry.name for entry in work.iterdir()] == ["out.tflite"]
    assert kinds[0] == kinds[1]
    assert kinds[0][0] == "CONV_2D"
    assert "FULLY_CONNECTED" in kinds[0]
    assert not {"QUANTIZE", "DEQUANTIZE", "SHAPE", "MUL"} & set(kinds[0])


MAKE_TWO_INPUTS = """
import sys
from tensorflow import keras
keras.utils.set_random_seed(1)
layers = keras.layers
image = keras.Input((6, 6, 2), name="image")
extra = keras.Input((3,), name="extra")
x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(4, 3)(image)), extra])
model = keras.Model([image, extra], [layers.Dense(5, name="a")(x), layers.Dense(2, name="b")(x)])
model.save(sys.argv[1] + "/two.keras")
model.export(sys.argv[1] + "/two")
"""


@needs_tensorflow
def test_a_network_with_two_inputs_is_quantized(tmp_path: Path) -> None:
    """By the inputs' names, whatever their order in the file; each has its own scale."""
    subprocess.run(
        [sys.executable, "-c", MAKE_TWO_INPUTS, str(tmp_path)],
        check=True,
        capture_output=True,
        env={"KERAS_HOME": str(tmp_path / "keras"), "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=tmp_path,
    )
    images = mixed_samples((6, 6, 2), count=8, low=-1.0, high=1.0, seed=1)
    extras = mixed_samples((3,), count=8, low=-10.0, high=10.0, seed=2)
    np.savez(tmp_path / "s.npz", extra=extras, image=images)
    for source in ("two.keras", "two"):
        done = quantize_saved(tmp_path / source, tmp_path / "s.npz", tmp_path / "out.tflite")
        _, graph = load_tflite(done.path)
        scales = {
            tuple(graph.tensor(index).shape): graph.tensor(index).quantization
            for index in graph.inputs
        }
        assert set(scales) == {(1, 6, 6, 2), (1, 3)}
        for shape, span in (((1, 6, 6, 2), 2), ((1, 3), 20)):
            quantization = scales[shape]
            assert quantization is not None
            assert quantization.scale == pytest.approx(span / 255, rel=1e-5)
        assert len(graph.outputs) == 2
        assert done.samples_count == 8
    np.savez(tmp_path / "wrong.npz", picture=images, extra=extras)
    with pytest.raises(ConfigError, match="inputs are image, extra"):
        quantize_saved(tmp_path / "two.keras", tmp_path / "wrong.npz", tmp_path / "out.tflite")


@needs_tensorflow
def test_digits_can_be_trained_again(tmp_path: Path) -> None:
    """Byte for byte on the machine that made it; elsewhere the same structure, and repeatable."""
    pytest.importorskip("sklearn", reason="needs scikit-learn")
    out = tmp_path / "digits.tflite"
    outcome = build_model("digits", out=out)
    accuracy = load_zoo("digits").accuracy
    assert accuracy is not None
    assert outcome.structure_equal, outcome.difference
    assert outcome.float_ratio == pytest.approx(accuracy.float_ratio, abs=0.02)
    assert outcome.int8_ratio == pytest.approx(accuracy.int8_ratio, abs=0.02)
    if not outcome.equal:
        assert build_model("digits").sha256 == outcome.sha256
    assert read_tflite(out.read_bytes(), name="digits").sha256 == outcome.sha256
