"""Promise: a float network of any framework becomes an int8 one that says what was lost on the way;
what cannot be imported is an error that says what to do."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npubench.cli.main import run
from npubench.compiler.importers import kept
from npubench.compiler.importers.load import load_model, source_of
from npubench.compiler.importers.registry import importer_names, load_importer
from npubench.compiler.quantize.agreement import against_source, by_layer
from npubench.compiler.quantize.ratio import PERFECT_DB, snr_db
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import CompileError, NpubenchError, ToolMissing, UsageError
from npubench.toolenv.environment import READY, states
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model
from support.two_inputs import write_two

needs_quantizer = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_quantizer") is None,
    reason="ai-edge-quantizer (npubench[import]) is not installed",
)
needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)


def need_tool(tool: str) -> None:
    """Skip where a foreign environment is not set up."""
    found = {state.id: state for state in states()}[tool]
    if found.status != READY:
        pytest.skip(f"{found.title} is {found.status}: {found.hint}")


def float_dense(scale: float = 1.0) -> bytes:
    """A float network: a dense layer with ReLU, 4 to 3."""
    weights = (np.arange(12, dtype=np.float32).reshape(3, 4) / 6 - 1) * scale
    tensors = (
        TensorSpec(name="x", shape=(1, 4), dtype="float32", scales=None),
        TensorSpec(name="w", shape=(3, 4), dtype="float32", scales=None, data=weights.tobytes()),
        TensorSpec(
            name="b", shape=(3,), dtype="float32", scales=None,
            data=np.float32([0.1, -0.1, 0]).tobytes(),
        ),
        TensorSpec(name="y", shape=(1, 3), dtype="float32", scales=None),
    )  # fmt: skip
    dense = OpSpec(kind="FULLY_CONNECTED", inputs=(0, 1, 2), outputs=(3,), options={})
    return write_model(ModelSpec(tensors=tensors, ops=(dense,), outputs=(3,)))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for kept imports."""
    monkeypatch.setenv("NPUBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_importer_knows_its_own_files_only(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "a.onnx").write_bytes(b"")
    (tmp_path / "a.keras").write_bytes(b"")
    (tmp_path / "a.pt2").write_bytes(b"")
    (tmp_path / "a.tflite").write_bytes(float_dense())
    (tmp_path / "folder").mkdir()
    takers = {
        (name, member): [
            importer
            for importer in importer_names()
            if load_importer(importer).takes(tmp_path / name, member)
        ]
        for name, member in (
            ("a.py", "Net"), ("a.py", ""), ("a.onnx", ""), ("a.keras", ""), ("a.pt2", ""),
            ("a.tflite", ""), ("folder", ""),
        )
    }  # fmt: skip
    assert takers == {
        ("a.py", "Net"): ["torch"],
        ("a.py", ""): [],
        ("a.onnx", ""): ["onnx"],
        ("a.keras", ""): ["tensorflow"],
        ("a.pt2", ""): ["torch"],
        ("a.tflite", ""): ["litert"],
        ("folder", ""): [],
    }


def test_an_int8_network_goes_through_untouched(checkout: Path) -> None:
    path = checkout / "models/digits/digits.tflite"
    assert source_of(str(path)) is None
    assert load_model(str(path)).path == path
    with pytest.raises(UsageError, match="nothing to convert"):
        load_model(str(path), {"quantization": "int16x8"})


@pytest.mark.parametrize(("name", "tool"), [("a.onnx", "onnx"), ("a.pt2", "torch")])
def test_a_converter_that_is_not_set_up_is_named_with_its_cost(
    tmp_path: Path, cache: Path, name: str, tool: str
) -> None:
    del cache
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ToolMissing) as caught:
        load_model(str(tmp_path / name))
    assert f"npubench tools setup {tool} (" in caught.value.hint
    assert "MB to download" in caught.value.hint


@needs_quantizer
def test_a_float_tflite_is_quantized_and_kept(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(float_dense())
    model = load_model(str(path))
    graph = read_tflite(model.path.read_bytes(), name="dense")
    assert {str(graph.tensor(index).dtype) for index in (*graph.inputs, *graph.outputs)} == {"int8"}
    assert model.brought is not None
    assert model.brought.network_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    (step,) = model.brought.steps
    assert step.tool == "ai-edge-quantizer"
    assert step.output_sha256 == graph.sha256
    details = dict(step.details)
    assert details["calibrated_on_real_data"] is False
    assert float(str(details["snr_db_of_outputs"])) > 30
    stamp = model.path.stat().st_mtime_ns
    assert load_model(str(path)).path.stat().st_mtime_ns == stamp
    model.path.write_bytes(b"damaged")
    assert load_model(str(path)).path.read_bytes() != b"damaged"
    other = load_model(str(path), {"quantization": "int8-per-tensor"})
    assert other.path != model.path
    assert (cache / "imports").is_dir()


@needs_quantizer
def test_a_calibration_that_cuts_the_range_is_an_error(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Samples a hundred times too small: the int8 network saturates; on those samples it agrees, so
    the noise is judged on them and the record says what they were; a threshold no network reaches
    shows that too much noise ends in an error and in no file."""
    del cache
    path, out = tmp_path / "dense.tflite", tmp_path / "out.tflite"
    path.write_bytes(float_dense())
    assert run(["import", str(path), "-o", str(out), "--min-snr-db", "90", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "90 dB are needed" in error["message"]
    assert "FULLY_CONNECTED" in error["message"]
    assert not out.exists()
    assert run(["import", str(path), "-o", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)["import"]
    assert document["artifact_sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert document["layers"][0]["op"] == "FULLY_CONNECTED"
    assert any("synthetic" in line for line in document["remarks"])


def test_signal_to_noise() -> None:
    ones = np.ones(10)
    assert snr_db(ones, ones) == PERFECT_DB
    assert snr_db(ones, ones * 1.1) == pytest.approx(20.0)
    assert snr_db(ones, np.full(10, np.nan)) == -PERFECT_DB
    assert snr_db(np.zeros(3), np.ones(3)) == 0.0


def test_another_network_than_the_source_is_seen() -> None:
    pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")
    value = np.float32([[[1, -1, 0.5, 0.25]]])
    weights = np.arange(12, dtype=np.float32).reshape(3, 4) / 6 - 1
    right = value[0] @ weights.T + np.float32([0.1, -0.1, 0])
    reference: dict[str, Any] = {"in:x": value, "out:0": right[np.newaxis]}
    assert against_source(float_dense(), reference)["snr_db"] > 100
    assert against_source(float_dense(1.01), reference)["snr_db"] < 60
    layers = by_layer(float_dense(), float_dense(1.1), [[value[0]]])
    assert layers["layers"][0]["snr_db"] < 30


@needs_quantizer
def test_a_changed_companion_file_makes_the_import_anew(tmp_path: Path, cache: Path) -> None:
    del cache
    companion = tmp_path / "weights.bin"
    companion.write_bytes(b"1")
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / kept.MODEL).write_bytes(b"model")
    meta = {
        "artifact_sha256": hashlib.sha256(b"model").hexdigest(),
        "dependencies": {str(companion): hashlib.sha256(b"1").hexdigest()},
    }
    (folder / kept.META).write_text(json.dumps(meta))
    assert kept.find(folder) is not None
    companion.write_bytes(b"2")
    assert kept.find(folder) is None


class Evil:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("it-ran",)


def test_pickles_opsets_shapes_and_branches_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By PyTorch's and ONNX's own readers, in their environments."""
    need_tool("torch")
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(Evil(), protocol=2))
        archive.writestr("evil/version", "3\n")
    (tmp_path / "evil.pt").write_bytes(stream.getvalue())
    with pytest.raises(UsageError, match="would run code"):
        load_model(str(tmp_path / "evil.pt"))
    assert not list(tmp_path.rglob("it-ran"))
    (tmp_path / "open.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n"
        "    def forward(self, x):\n        return x if x.sum() > 0 else -x\n"
    )
    with pytest.raises(UsageError, match="does not say the shape of input 'x'"):
        load_model(f"{tmp_path}/open.py:Net")
    with pytest.raises(CompileError, match="litert-torch cannot convert"):
        load_model(f"{tmp_path}/open.py:Net", {"shapes": (("x", (1, 4)),)})
    with pytest.raises(UsageError, match=r"its modules|has no 'Absent'") as caught:
        load_model(f"{tmp_path}/open.py:Absent")
    assert "Net" in caught.value.hint


ONNX_MISTAKES = """
import onnx
from onnx import TensorProto as T, helper as h
def save(name, nodes, shape, opset=17, domain="", weights=()):
    value = lambda n, s: h.make_tensor_value_info(n, T.FLOAT, s)
    graph = h.make_graph(nodes, "g", [value("x", shape)], [value("y", None)], weights)
    opsets = [h.make_opsetid("", opset)] + ([h.make_opsetid(domain, 1)] if domain else [])
    model = h.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    onnx.save(model, name)
relu = h.make_node("Relu", ["x"], ["y"])
save("free.onnx", [relu], ["n", "height", 4])
save("new.onnx", [relu], [1, 4], opset=25)
save("custom.onnx", [h.make_node("Magic", ["x"], ["y"], domain="mine")], [1, 4], domain="mine")
body = h.make_graph([h.make_node("Identity", ["x"], ["z"])], "b", [],
                    [h.make_tensor_value_info("z", T.FLOAT, [1, 4])])
yes = h.make_tensor("yes", T.BOOL, [], [True])
save("branch.onnx", [h.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=body)],
     [1, 4], weights=[yes])
w = h.make_tensor("w", T.FLOAT, [4, 400], b"\\0" * 6400, raw=True)
save("lost.onnx", [h.make_node("MatMul", ["x", "w"], ["y"])], [1, 4], weights=[w])
model = onnx.load("lost.onnx")
onnx.save_model(model, "lost.onnx", save_as_external_data=True, location="lost.bin",
                size_threshold=0)
"""


def test_onnx_mistakes_are_named(tmp_path: Path) -> None:
    need_tool("onnx")
    from npubench.toolenv.environment import environment

    (tmp_path / "make.py").write_text(ONNX_MISTAKES)
    environment("onnx").script(tmp_path / "make.py", cwd=tmp_path)
    (tmp_path / "lost.bin").unlink()
    words = {
        "free": "free axes: height",
        "new": "opset 25",
        "custom": "custom operators: mine::Magic",
        "branch": "branches or loops: If",
        "lost": "weights in another file",
    }
    for name, part in words.items():
        with pytest.raises(NpubenchError, match=part) as caught:
            load_model(str(tmp_path / f"{name}.onnx"))
        assert caught.value.hint


@needs_quantizer
@needs_tensorflow
def test_one_network_from_three_frameworks(tmp_path: Path) -> None:
    """Keras, ONNX and PyTorch: int8 outputs within one step of each other on 95 % of values."""
    need_tool("onnx")
    need_tool("torch")
    from npubench.compiler.quantize.litert import HostNetwork
    from npubench.toolenv.environment import environment

    write_two(tmp_path)
    quiet = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, str(tmp_path / "make_keras.py"), str(tmp_path)],
        check=True, capture_output=True, env=quiet,
    )  # fmt: skip
    environment("onnx").script(tmp_path / "make_onnx.py", tmp_path, cwd=tmp_path)
    models = [
        load_model(str(tmp_path / name)) for name in ("two.keras", "two.onnx", "two_torch.py:Two")
    ]
    networks = [HostNetwork(model.path.read_bytes()) for model in models]
    random = np.random.RandomState(5)
    scores = []
    for _ in range(100):
        values = [random.uniform(-1, 1, (1, 16, 16, 3)), random.uniform(-1, 1, (1, 4))]
        scores.append([network.run(values)[0] for network in networks])
    steps = np.round(np.asarray(scores) * 256)
    for left, right in ((0, 1), (0, 2), (1, 2)):
        near = np.abs(steps[:, left] - steps[:, right]) <= 1
        assert near.mean() >= 0.95, (left, right, near.mean())
