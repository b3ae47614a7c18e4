"""Runs in esp-ppq's environment, imports nothing of npubench: quantize a network for ESP-DL on the
ESP32-S3, write it as .espdl, execute it. Its folder holds nodes.json, constants.npz, inputs.npz and
calibration.npz."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from esp_ppq.api.espdl_interface import espdl_quantize_onnx  # type: ignore[import-not-found]
from esp_ppq.executor import TorchExecutor  # type: ignore[import-not-found]

TARGET = "esp32s3"


def main() -> None:
    """Leaves network.espdl, outputs.npz and report.json."""
    torch.manual_seed(1)
    # Networks of this size gain nothing by threads, and wait for each other where others are busy.
    torch.set_num_threads(1)
    document = json.loads(Path("nodes.json").read_text(encoding="utf-8"))
    onnx.save(network(document), "network.onnx")
    shapes = list(document["inputs"].values())
    inputs = _tensors("inputs.npz", shapes)
    calibration = _tensors("calibration.npz", shapes)
    count = len(inputs)
    _tell(0, 1, "quantization")
    try:
        graph = espdl_quantize_onnx(
            onnx_import_file="network.onnx",
            espdl_export_file="network.espdl",
            calib_dataloader=calibration,
            calib_steps=len(calibration),
            input_shape=shapes,
            inputs=calibration[0],
            target=TARGET,
            quant_type=sys.argv[1],
            error_report=False,
            export_config=False,
            collate_fn=lambda batch: batch,
            device="cpu",
        )
    except (NotImplementedError, RuntimeError, TypeError, ValueError, LookupError) as error:
        words = " ".join(str(error).split())
        raise SystemExit(f"npubench refuses: {type(error).__name__}: {words}") from error
    executor = TorchExecutor(graph=graph, device="cpu")
    outputs: list[list[Any]] = [[] for _ in document["outputs"]]
    for done, sample in enumerate(inputs):
        answers = executor.forward(inputs=sample, output_names=list(document["outputs"]))
        for kept, answer in zip(outputs, answers, strict=True):
            values = answer.detach().numpy()[0]
            kept.append(values.transpose(1, 2, 0) if values.ndim == 3 else values)
        _tell(done + 1, count)
    named: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez("outputs.npz", **named)
    numbers = {node["output"]: node["op"] for node in document["nodes"]}
    operators = [
        {
            "op": numbers[output.name],
            "kind": operation.type,
            "quantized": type(operation).__name__ == "QuantableOperation",
        }
        for operation in graph.operations.values()
        for output in operation.outputs
        if output.name in numbers
    ]
    Path("report.json").write_text(json.dumps({"operators": operators}), encoding="utf-8")


def network(document: dict[str, Any]) -> Any:
    """The ONNX network of nodes and constants."""
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    nodes = []
    for number, node in enumerate(document["nodes"]):
        attributes = {key: value for key, value in node["attributes"].items() if key != "bounds"}
        nodes.append(
            helper.make_node(
                node["kind"], node["inputs"], [node["output"]], name=f"n{number}", **attributes
            )
        )
    with np.load("constants.npz") as arrays:
        constants = [onnx.numpy_helper.from_array(arrays[name], name) for name in arrays.files]
    ends = [
        [helper.make_tensor_value_info(name, real, shape) for name, shape in document[end].items()]
        for end in ("inputs", "outputs")
    ]
    graph = helper.make_graph(nodes, "network", ends[0], ends[1], initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _tensors(file: str, shapes: list[list[int]]) -> list[list[Any]]:
    """Every sample's inputs as torch takes them, channels first."""
    with np.load(file) as arrays:
        given = [arrays[f"{index}"].astype(np.float32) for index in range(len(arrays.files))]
    found = []
    for sample in range(len(given[0])):
        tensors = []
        for array, shape in zip(given, shapes, strict=True):
            values = array[sample]
            values = values.transpose(2, 0, 1) if values.ndim == 3 else values
            tensors.append(torch.from_numpy(np.ascontiguousarray(values)).reshape(shape))
        found.append(tensors)
    return found


def _tell(done: int, count: int, words: str = "") -> None:
    sys.stdout.write(f"npubench {done}/{count} {words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
