"""TensorFlow in a process of its own: quiet, on one thread, deterministic, and without leftovers.

The parent calls ``run_isolated``; the child is ``python -m npubench.compiler.tf_worker JOB``, where
JOB is a JSON file beside which the child writes its answer. Errors of ours cross as they are.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from npubench.core import errors
from npubench.core.errors import NpubenchError, ToolError
from npubench.core.tool import run_tool

TIMEOUT_S = 1800.0
ANSWER = "answer.json"
_CROSSING = ("ConfigError", "UsageError", "CompileError", "ModelFormatError", "ToolMissing")


def run_isolated(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job of ``_JOBS`` in a child process and return its answer (JSON values both ways).

    Relative paths in the job do not survive: the child works in a temporary folder. Raises what
    the child raised, or ToolError with its last output when it crashed.
    """
    with tempfile.TemporaryDirectory(prefix="npubench-tf-") as folder:
        job_file = Path(folder) / "job.json"
        job_file.write_text(json.dumps(job), encoding="utf-8")
        result = run_tool(
            [sys.executable, "-P", "-B", "-m", "npubench.compiler.tf_worker", job_file],
            cwd=Path(folder),
            env=_environment(Path(folder)),
            timeout_s=TIMEOUT_S,
        )
        try:
            answer = json.loads((Path(folder) / ANSWER).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ToolError(
                "the TensorFlow process ended without an answer",
                argv=result.argv,
                code=result.code,
                tail=result.stdout[-2000:] + result.stderr[-2000:],
            ) from error
    if "error" in answer:
        kind = getattr(errors, answer["error"]["kind"])
        raise kind(answer["error"]["message"], hint=answer["error"]["hint"])
    assert isinstance(answer, dict)
    return answer


def _environment(folder: Path) -> dict[str, str]:
    """One thread, no accelerator, no oneDNN, fixed hashes, matrix products as on any processor with
    AVX2; Keras writes its settings to a folder that goes away. The child finds the same npubench as
    the parent."""
    import npubench

    roots = [str(Path(entry).parent) for entry in npubench.__path__]
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*roots, *([inherited] if inherited else [])]),
        "PYTHONHASHSEED": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": str(folder / "keras"),
        "OMP_NUM_THREADS": "1",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_DETERMINISTIC_OPS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _zoo(job: dict[str, Any]) -> dict[str, Any]:
    """Build a zoo network: ``script``, ``out``. Answers accuracies where there is a test set."""
    import importlib.util

    from npubench.compiler.accuracy import int8_accuracy
    from npubench.compiler.quantize import import_tensorflow, quantize_keras
    from npubench.core.errors import ConfigError

    tensorflow = import_tensorflow()
    script = Path(job["script"])
    spec = importlib.util.spec_from_file_location("npubench_zoo_script", script)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{script} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        raise ConfigError(
            f"{script} cannot be run: {error}", hint="pip install 'npubench[train]'"
        ) from error
    network = module.build()
    data = quantize_keras(network.model, network.representative, batch=network.batch)
    Path(job["out"]).write_bytes(data)
    answer: dict[str, Any] = {"tensorflow": tensorflow.__version__}
    if network.test_inputs is not None:
        scores = network.model.predict(network.test_inputs, verbose=0)
        answer["float_ratio"] = float((scores.argmax(axis=1) == network.test_labels).mean())
        answer["int8_ratio"] = int8_accuracy(data, network.test_inputs, network.test_labels)
        answer["test_count"] = len(network.test_labels)
    return answer


def _saved(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize a user's float model: ``model``, ``samples``, ``out``, ``per_channel_dense``."""
    from npubench.compiler.quantize import import_tensorflow, quantize_file
    from npubench.compiler.samples import read_samples

    samples = read_samples(Path(job["samples"]))
    tensorflow = import_tensorflow()
    data = quantize_file(
        Path(job["model"]), samples, per_channel_dense=bool(job["per_channel_dense"])
    )
    Path(job["out"]).write_bytes(data)
    return {"tensorflow": tensorflow.__version__, "samples": len(samples)}


_JOBS = {"zoo": _zoo, "saved": _saved}


def main(job_file: Path) -> None:
    """The child's side: do the job of ``job_file`` and leave the answer beside it."""
    job = json.loads(job_file.read_text(encoding="utf-8"))
    try:
        answer = _JOBS[job["do"]](job)
    except NpubenchError as error:
        if error.kind not in _CROSSING:
            raise
        answer = {"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}
    (job_file.parent / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
