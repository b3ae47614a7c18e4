"""Runs in the MLTK's environment, imports nothing of npubench: an int8 network on the MVP's
simulator, on all processors. Its folder holds model.tflite and inputs.npz."""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np

_here: dict[str, Any] = {}
"""The network and the inputs of this process."""
_LAYERS_AFTER_S = 10.0
"""A first inference that takes longer is told layer by layer."""


def main() -> None:
    """Leaves outputs.npz and report.json."""
    with np.load("inputs.npz") as arrays:
        count = len(arrays["0"])
    # The simulator takes seconds for one inference and knows one thread.
    workers = min(os.cpu_count() or 1, count)
    with multiprocessing.get_context("fork").Pool(workers, initializer=_load) as pool:
        answers: list[Any] = [None] * count
        report: dict[str, Any] = {}
        for done, (sample, answer, said) in enumerate(
            pool.imap_unordered(_ask, [(sample, count) for sample in range(count)]), start=1
        ):
            if "refusal" in said:
                raise SystemExit(f"npubench refuses: {said['refusal']}")
            answers[sample] = answer
            report = said or report
            _tell(done, count)
    found: dict[str, Any] = {
        f"{index}": np.stack([answer[index] for answer in answers])
        for index in range(len(answers[0]))
    }
    np.savez("outputs.npz", **found)
    Path("report.json").write_text(json.dumps(report), encoding="utf-8")


def _load() -> None:
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
    try:
        _here["model"] = micro.load_tflite_model(
            files.load_flatbuffer_file("model.tflite"),
            accelerator="mvp",
            enable_profiler=True,
            runtime_buffer_size=-1,
        )
    except RuntimeError as error:
        _here["refusal"] = " ".join(str(error).split())
        return
    with np.load("inputs.npz") as arrays:
        _here["inputs"] = [arrays[f"{index}"] for index in range(_here["model"].input_size)]


def _tell(done: int, count: int, words: str = "") -> None:
    sys.stdout.write(f"npubench {done}/{count} {words}\n")
    sys.stdout.flush()


def _ask(question: tuple[int, int]) -> tuple[int, list[Any], dict[str, Any]]:
    """One sample; with the first one, the report on it."""
    sample, count = question
    if "refusal" in _here:
        return sample, [], {"refusal": _here["refusal"]}
    if sample:
        return sample, _infer(sample), {}
    begin = time.monotonic()

    def told(index: int, outputs: Any) -> bool:
        del outputs
        if time.monotonic() - begin > _LAYERS_AFTER_S:
            _tell(0, count, f"layer {index + 1} of the first one")
        return True

    model = _here["model"]
    model.set_layer_callback(told)
    answer = _infer(sample)
    model.set_layer_callback(None)
    return sample, answer, _report()


def _infer(sample: int) -> list[Any]:
    model = _here["model"]
    for index, values in enumerate(_here["inputs"]):
        model.input(index, value=values[sample].reshape(model.input(index).shape))
    model.invoke()
    return [np.array(model.output(index)) for index in range(model.output_size)]


def _report() -> dict[str, Any]:
    """Cycles by layer of the last inference, the tool's reasons, and its memory."""
    model = _here["model"]
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
    return {"layers": layers, "ram_bytes": int(model.details.runtime_memory_size)}


if __name__ == "__main__":
    main()
