"""Promise: a network that TensorFlow's converter quantized to int16 activations and int8 weights
computes what TensorFlow Lite Micro computes, tensor by tensor."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npubench.cli.main import run

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is Linux on x86-64 only"
)

CONVERT = """
import sys
import numpy as np
import tensorflow as tf
layers = tf.keras.layers
start = layers.Input((25, 10, 1), batch_size=1)
x = layers.Conv2D(16, (10, 4), strides=2, padding="same", activation="relu")(start)
for _ in range(2):
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Add()([x, layers.Conv2D(16, 1, activation="relu6")(x)])
x = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(layers.MaxPooling2D(2)(x))
x = layers.LeakyReLU()(x)
x = layers.Multiply()([x, layers.Activation("sigmoid")(x)])
x = layers.AveragePooling2D(2)(x)
x = layers.Concatenate()([x, layers.Activation("tanh")(x)])
x = layers.Softmax()(layers.Dense(12)(layers.GlobalAveragePooling2D()(x)))
converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(start, x))
rng = np.random.default_rng(0)
sample = lambda: [rng.normal(0, 1, (1, 25, 10, 1)).astype(np.float32)]
converter.representative_dataset = lambda: (sample() for _ in range(8))
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.target_spec.supported_ops = [
    tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
]
converter.inference_input_type = converter.inference_output_type = tf.int16
with open(sys.argv[1], "wb") as file:
    file.write(converter.convert())
"""


@pytest.mark.long
@pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is not installed"
)
def test_a_converted_network_equals_the_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "wide.tflite"
    done = subprocess.run(
        [sys.executable, "-c", CONVERT, str(model)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    words = ["bench", str(model), "--backend", "cpu", "--verify-layers", "--json"]
    words += ["--board", "native", "--board", "qemu-m4", "--runs-dir", str(tmp_path / "runs")]
    assert run([*words, "--report", str(tmp_path / "report.html")]) == 0
    records = json.loads(capsys.readouterr().out)["runs"]
    assert len(records) == 2
    for record in records:
        assert (record["status"], record["golden"]["status"]) == ("ok", "match")
        assert record["golden"]["reference"] == "tflm"
