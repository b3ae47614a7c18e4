"""The child of the worker: builds a network of the zoo, or quantizes a user's float model."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from npubench.compiler.quantize.worker import ANSWER, CROSSING
from npubench.core.errors import NpubenchError


def _zoo(job: dict[str, Any]) -> dict[str, Any]:
    """Build a zoo network: ``script``, ``out``. Answers accuracies where there is a test set, which
    is kept as ``test_set`` where that is named."""
    import importlib.util

    import numpy as np

    from npubench.compiler.quantize.accuracy import float_accuracy, int8_accuracy
    from npubench.compiler.quantize.keras import import_tensorflow, quantize_keras
    from npubench.core.errors import ConfigError

    tensorflow = import_tensorflow()
    script = Path(job["script"])
    spec = importlib.util.spec_from_file_location("npubench_zoo_script", script)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{script} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    try:
        spec.loader.exec_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        raise ConfigError(
            f"{script} cannot be run: {error}", hint="pip install 'npubench[train]'"
        ) from error
    try:
        network = module.build()
    except OSError as error:  # a program that the script starts is missing
        raise ConfigError(
            f"{script} needs what is not here: {error}",
            hint="its docstring says which program; install it, e.g. espeak-ng",
        ) from error
    data = quantize_keras(network.model, network.representative, batch=network.batch)
    Path(job["out"]).write_bytes(data)
    answer: dict[str, Any] = {"tensorflow": tensorflow.__version__}
    if network.test_inputs is not None:
        tests = (network.test_inputs, network.test_labels, network.metric)
        answer["float_ratio"] = float_accuracy(network.model, *tests)
        answer["int8_ratio"] = int8_accuracy(data, *tests)
        answer["test_count"] = len(network.test_labels)
        if job.get("test_set"):
            np.savez(job["test_set"], input=tests[0], labels=tests[1])
    return answer


def _saved(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize a user's float model: ``model``, ``samples``, ``out``, ``per_channel_dense``."""
    from npubench.compiler.quantize.keras import import_tensorflow, quantize_file
    from npubench.compiler.quantize.samples import read_samples, samples_count

    samples = read_samples(Path(job["samples"]))
    tensorflow = import_tensorflow()
    data = quantize_file(
        Path(job["model"]), samples, per_channel_dense=bool(job["per_channel_dense"])
    )
    Path(job["out"]).write_bytes(data)
    return {"tensorflow": tensorflow.__version__, "samples": samples_count(samples)}


def _float(job: dict[str, Any]) -> dict[str, Any]:
    """A Keras file or SavedModel to a float .tflite: ``model``, ``shapes``, ``range``, ``trust``,
    ``out``, ``reference``."""
    from npubench.compiler.quantize.floating import float_network
    from npubench.compiler.quantize.keras import import_tensorflow

    data, details = float_network(
        Path(job["model"]),
        {name: tuple(shape) for name, shape in job["shapes"].items()},
        trust=bool(job["trust"]),
        bounds=(float(job["range"][0]), float(job["range"][1])),
        reference=Path(job["reference"]),
    )
    Path(job["out"]).write_bytes(data)
    return {"tensorflow": import_tensorflow().__version__, "details": details}


def _face(job: dict[str, Any]) -> dict[str, Any]:
    from npubench.compiler.quantize.post import faced

    return faced(job)


def _post(job: dict[str, Any]) -> dict[str, Any]:
    from npubench.compiler.quantize.post import quantize_float

    return quantize_float(job)


_JOBS = {"zoo": _zoo, "saved": _saved, "float": _float, "face": _face, "post": _post}


def main(job_file: Path) -> None:
    """The child's side: do the job of ``job_file`` and leave the answer beside it."""
    job = json.loads(job_file.read_text(encoding="utf-8"))
    try:
        answer = _JOBS[job["do"]](job)
    except NpubenchError as error:
        if error.kind not in CROSSING:
            raise
        if error.kind == "CompileError":  # for the log that the parent keeps
            traceback.print_exc()
        answer = {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}
    (job_file.parent / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
