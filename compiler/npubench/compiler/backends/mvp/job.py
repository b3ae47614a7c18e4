"""Runs in the MLTK's environment, imports nothing of npubench: an int8 network on the MVP's
simulator. Its folder holds model.tflite and inputs.npz."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Leaves outputs.npz and report.json."""
    # The MLTK's core package imports TensorFlow when it is imported itself; its folder suffices.
    spec = importlib.util.find_spec("mltk")
    assert spec is not None
    assert spec.origin is not None
    core = types.ModuleType("mltk.core")
    core.__path__ = [str(Path(spec.origin).parent / "core")]
    importlib.import_module("mltk")
    sys.modules["mltk.core"] = core
    micro: Any = importlib.import_module("mltk.core.tflite_micro").TfliteMicro
    files: Any = importlib.import_module("mltk.core.tflite_model").TfliteModel
    model = micro.load_tflite_model(
        files.load_flatbuffer_file("model.tflite"),
        accelerator="mvp",
        enable_profiler=True,
        runtime_buffer_size=-1,
    )
    with np.load("inputs.npz") as arrays:
        inputs = [arrays[f"{index}"] for index in range(model.input_size)]
    outputs: list[list[Any]] = [[] for _ in range(model.output_size)]
    for sample in zip(*inputs):  # noqa: B905 - of one length, and the MLTK's Python may be older
        for index, value in enumerate(sample):
            model.input(index, value=value.reshape(model.input(index).shape))
        model.invoke()
        for index, kept in enumerate(outputs):
            kept.append(np.array(model.output(index)))
    found: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez("outputs.npz", **found)
    layers = []
    for index, layer in enumerate(model.get_profiling_results()):
        error = model.get_layer_error(index)
        layers.append(
            {
                "name": layer.name,
                "cycles": int(layer.accelerator_cycles),
                "error": "" if error is None else str(error),
            }
        )
    report = {"layers": layers, "ram_bytes": int(model.details.runtime_memory_size)}
    Path("report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
