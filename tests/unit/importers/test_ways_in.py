"""Promise: every way in leads to an int8 network that computes what was brought; every wrong turn
ends in words that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npubench.bench.job import Job, resolve_jobs
from npubench.bench.prepare import compile_job
from npubench.cli.main import run
from npubench.compiler.importers.load import load_model
from npubench.compiler.quantize.litert import HostNetwork
from npubench.core.errors import CompileError, NpubenchError, UsageError
from npubench.runs.reader import list_runs
from npubench.toolenv.environment import READY, environment, states
from support.needs import need_compiler
from support.two_inputs import write_two

QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
KERAS_FILES = """
import sys
import keras
import tensorflow as tf
from keras import layers
folder = sys.argv[1]
keras.utils.set_random_seed(1)
def net(**more):
    x = inputs = keras.Input((16, 4), name="signal", **more)
    x = layers.Conv1D(8, 3, activation="relu")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
model = net()
model.save(folder + "/net.keras")
model.save(folder + "/net.h5")
model.export(folder + "/saved", verbose=False)
model.save_weights(folder + "/bare.weights.h5")
x = inputs = keras.Input((None, 4), name="signal")
x = layers.GlobalAveragePooling1D()(layers.Conv1D(8, 3)(x))
keras.Model(inputs, layers.Dense(3)(x)).save(folder + "/free.keras")
x = inputs = keras.Input((16, 4), name="signal")
x = layers.Lambda(lambda v: v * 2.0, output_shape=(16, 4))(x)
keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x))).save(folder + "/lambda.keras")
class Sub(keras.Model):
    def __init__(self):
        super().__init__()
        self.d = layers.Dense(3)
    def call(self, v):
        return self.d(v)
class Odd(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((1, 4), tf.float32, name="signal")])
    def serve(self, v):
        return {"y": tf.linalg.matrix_rank(tf.reshape(v, (2, 2)))}
odd = Odd()
tf.saved_model.save(odd, folder + "/odd", signatures={"serving_default": odd.serve})
tf.saved_model.save(odd, folder + "/unsigned", signatures={"other": odd.serve})
"""
PT2 = """
import sys
import torch
sys.path.insert(0, sys.argv[1])
from two_torch import Two, example_inputs
model = Two().eval()
torch.export.save(torch.export.export(model, example_inputs()), sys.argv[1] + "/two.pt2")
torch.save(model, sys.argv[1] + "/whole.pt")
torch.save(model.state_dict(), sys.argv[1] + "/state.pt")
torch.jit.trace(model, example_inputs()).save(sys.argv[1] + "/script.pt")
"""


def need_tool(tool: str) -> None:
    found = {state.id: state for state in states()}[tool]
    if found.status != READY:
        pytest.skip(f"{found.title} is {found.status}: {found.hint}")


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    pytest.importorskip("ai_edge_quantizer", reason="npubench[import] is not installed")
    folder = tmp_path_factory.mktemp("keras")
    (folder / "make.py").write_text(KERAS_FILES)
    subprocess.run(
        [sys.executable, str(folder / "make.py"), str(folder)],
        check=True, capture_output=True, env=os.environ | QUIET,
    )  # fmt: skip
    return folder


@pytest.mark.long
def test_keras_h5_and_savedmodel_are_one_network(keras_files: Path) -> None:
    networks = [
        HostNetwork(load_model(str(keras_files / name)).path.read_bytes())
        for name in ("net.keras", "net.h5", "saved")
    ]
    random = np.random.RandomState(3)
    for _ in range(20):
        value = random.uniform(-1, 1, (1, 16, 4))
        answers = [network.run([value])[0] for network in networks]
        assert np.abs(np.diff(answers, axis=0)).max() <= 1 / 256


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("free.keras", "free axes: 1 x \\? x 4|free axes", "--shape signal=1,"),
        ("lambda.keras", "Lambda layer, which is code", "--trust"),
        ("bare.weights.h5", "weights alone|cannot load", "save"),
        ("unsigned", "no signature 'serving_default'", "export"),
        ("odd", "cannot convert|no TFLite form|no integer form", ""),
    ],
    ids=("free", "lambda", "bare", "unsigned", "odd"),
)
def test_wrong_turns_with_keras(keras_files: Path, name: str, words: str, hint: str) -> None:
    with pytest.raises(NpubenchError, match=words) as caught:
        load_model(str(keras_files / name))
    assert hint in caught.value.hint


@pytest.mark.long
def test_trusted_code_is_run_and_a_free_axis_is_said(keras_files: Path) -> None:
    trusted = load_model(str(keras_files / "lambda.keras"), {"trust": True})
    assert trusted.brought is not None
    fixed = load_model(str(keras_files / "free.keras"), {"shapes": (("signal", (1, 24, 4)),)})
    assert HostNetwork(fixed.path.read_bytes()).inputs[0]["shape"].tolist() == [1, 24, 4]
    with pytest.raises(UsageError, match="does not fit"):
        load_model(str(keras_files / "net.keras"), {"shapes": (("signal", (1, 24, 4)),)})


@pytest.mark.long
def test_the_other_schemes(keras_files: Path) -> None:
    """Per tensor runs; what no board has kernels for is refused by name, not run wrong."""
    path = str(keras_files / "net.keras")
    (job,) = resolve_jobs([path], ["native"], said={"quantization": "int8-per-tensor"})
    compile_job(job)
    (job,) = resolve_jobs([path], ["native"], said={"quantization": "int16x8"})
    network = HostNetwork(job.model.path.read_bytes())
    assert network.inputs[0]["dtype"] is np.int16
    refusal = _refusal(job)
    assert refusal is None or ("int16" in refusal.message and refusal.hint)


def _refusal(job: Job) -> CompileError | None:
    try:
        compile_job(job)
    except CompileError as error:
        return error
    return None


@pytest.mark.long
def test_every_form_of_pytorch(tmp_path: Path) -> None:
    need_tool("torch")
    pytest.importorskip("ai_edge_quantizer", reason="npubench[import] is not installed")
    write_two(tmp_path)
    (tmp_path / "export.py").write_text(PT2)
    environment("torch").script(tmp_path / "export.py", tmp_path, cwd=tmp_path)
    brought = [
        load_model(str(tmp_path / "two.pt2")),
        load_model(f"{tmp_path / 'two_torch.py'}:Two", {"weights": tmp_path / "state.pt"}),
    ]
    networks = [HostNetwork(model.path.read_bytes()) for model in brought]
    random = np.random.RandomState(3)
    values = [random.uniform(-1, 1, (1, 16, 16, 3)), random.uniform(-1, 1, (1, 4))]
    left, right = (network.run(values)[0] for network in networks)
    assert np.abs(left - right).max() <= 1 / 256
    for name, words, hint in (
        ("whole.pt", "would run code", "--trust"),
        ("state.pt", "weights alone", "module.py:Model"),
        ("script.pt", "TorchScript", "torch.export"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            load_model(str(tmp_path / name))
        assert hint in caught.value.hint


@pytest.mark.long
def test_a_failed_conversion_names_its_log(keras_files: Path) -> None:
    with pytest.raises(CompileError) as caught:
        load_model(str(keras_files / "odd"))
    log = Path(caught.value.hint.rsplit(": ", 1)[-1])
    assert log.is_file()
    assert log.name.startswith("odd-")
    assert "Traceback" in log.read_text()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_three_frameworks_two_boards_and_the_npu_in_one_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One network with two inputs as Keras, ONNX and PyTorch: benched, asked, and told together."""
    need_tool("onnx")
    need_tool("torch")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    pytest.importorskip("ethosu.vela", reason="Vela is not installed")
    for board in ("qemu-m4", "qemu-m55", "qemu-m55-u55"):
        need_compiler(board)
    write_two(tmp_path)
    monkeypatch.chdir(tmp_path)
    subprocess.run(
        [sys.executable, "make_keras.py", "."],
        check=True,
        capture_output=True,
        env=os.environ | QUIET,
    )
    environment("onnx").script(tmp_path / "make_onnx.py", tmp_path, cwd=tmp_path)
    random = np.random.RandomState(7)
    images = random.uniform(-1, 1, (6, 16, 16, 3)).astype(np.float32)
    meta = random.uniform(-1, 1, (6, 4)).astype(np.float32)
    truth = load_model("two.keras")
    assert truth.brought is not None
    exact = HostNetwork(truth.brought.float_path.read_bytes())
    labels = [exact.run([images[n : n + 1], meta[n : n + 1]])[0].argmax() for n in range(6)]
    np.savez("test.npz", image=images, meta=meta, labels=labels)
    boards = [word for board in ("qemu-m4", "qemu-m55", "qemu-m55-u55") for word in ("-b", board)]
    for model in ("two.keras", "two.onnx", "two_torch.py:Two"):
        words = ["accuracy", model, "--data", "test.npz", "--samples", "6", *boards, "--json"]
        assert run(words) == 0, model
    runs = list_runs(Path("runs")).runs
    assert len(runs) == 9
    for stored in runs:
        forms = {item.form: item for item in stored.record.accuracy}
        assert forms["float"].value == 1.0
        assert forms["target"].value >= 0.8
        assert forms["target"].agreement_ratio == 1.0
        assert stored.record.memory is not None
        assert stored.record.stages["infer"].median
    capsys.readouterr()
    assert run(["report"]) == 0
    page = Path("npubench-report.html").read_text(encoding="utf-8")
    assert page.count("Top-1") >= 9
    for target in ("qemu-m4:cpu", "qemu-m55:cpu", "qemu-m55-u55:ethos-u"):
        assert page.count(target) >= 3
