"""Accuracy of an int8 .tflite on a test set, by the golden reference: TFLM."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from npubench.core.errors import ToolMissing
from npubench.stats.proportion import area_under_curve


def int8_accuracy(
    data: bytes,
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    metric: Literal["top1", "auc"] = "top1",
) -> float:
    """Share of samples whose largest output is at their label, or the area under the ROC curve of
    the mean squared error of a network that gives its input back; between 0 and 1.

    ``inputs`` is (samples, ...) in real units and is quantized to the network's input scale.
    TFLM runs the network where its package exists, else TensorFlow's reference kernels (one
    rounding instead of two, so that single samples may differ). Raises ToolMissing when neither
    is there.
    """
    from npubench.compiler.tflite.reader import read_tflite

    graph = read_tflite(data, name="network")
    source, target = graph.tensor(graph.inputs[0]), graph.tensor(graph.outputs[0])
    assert source.quantization is not None
    assert target.quantization is not None
    steps = np.round(inputs / source.quantization.scale) + source.quantization.zero_point
    quantized = np.clip(steps, -128, 127).astype(np.int8).reshape(len(inputs), *source.shape)
    infer = _tflm(data) or _tensorflow(data)
    outputs = np.stack([infer(sample).ravel() for sample in quantized]).astype(np.float64)
    if metric == "top1":
        return float((outputs.argmax(axis=1) == labels).mean())
    given = quantized.reshape(len(inputs), -1).astype(np.float64) - source.quantization.zero_point
    rebuilt = (outputs - target.quantization.zero_point) * target.quantization.scale
    errors = np.square(rebuilt - given * source.quantization.scale).mean(axis=1)
    return area_under_curve(errors, labels == 1)


def float_accuracy(
    model: Any,
    inputs: NDArray[np.float32],
    labels: NDArray[np.int64],
    metric: Literal["top1", "auc"] = "top1",
) -> float:
    """The same of a Keras model."""
    outputs = np.asarray(model.predict(inputs, verbose=0))
    if metric == "top1":
        return float((outputs.argmax(axis=1) == labels).mean())
    return area_under_curve(np.square(outputs - inputs).mean(axis=1), labels == 1)


def _tflm(data: bytes) -> Any:
    """A function from an input array to TFLM's output array, or None without its package."""
    try:
        from tflite_micro import runtime
    except ImportError:
        return None
    interpreter = runtime.Interpreter.from_bytes(data)

    def infer(sample: NDArray[np.int8]) -> NDArray[np.int8]:
        interpreter.set_input(sample, 0)
        interpreter.invoke()
        return np.asarray(interpreter.get_output(0))

    return infer


def _tensorflow(data: bytes) -> Any:
    """The same through TensorFlow's reference kernels."""
    try:
        import tensorflow
    except ImportError as error:
        raise ToolMissing(
            "neither tflite-micro nor TensorFlow is installed",
            hint="pip install 'npubench[train]'",
        ) from error
    interpreter = tensorflow.lite.Interpreter(
        model_content=data,
        experimental_op_resolver_type=tensorflow.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def infer(sample: NDArray[np.int8]) -> NDArray[np.int8]:
        interpreter.set_tensor(source, sample)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(target))

    return infer
