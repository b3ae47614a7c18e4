"""TensorFlow in a process of its own: quiet, on one thread, deterministic, and without leftovers.

The parent calls ``run_isolated``; the child is ``python -m npubench.compiler.quantize.jobs JOB``,
where JOB is a JSON file beside which the child writes its answer. Errors of ours cross as they are.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from npubench.compiler.quantize.words import keep_words
from npubench.core import errors
from npubench.core.errors import CompileError, ToolError
from npubench.core.tool import own_python, run_tool

TIMEOUT_S = 1800.0
ANSWER = "answer.json"
JOBS = "npubench.compiler.quantize.jobs"
CROSSING = ("ConfigError", "UsageError", "CompileError", "ModelFormatError", "ToolMissing")
"""Errors that the child hands over by name."""


def run_isolated(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job of ``jobs.py`` in a child process and return its answer (JSON values both ways).

    Relative paths in the job do not survive: the child works in a temporary folder. Raises what
    the child raised, or ToolError with its last output when it crashed.
    """
    with tempfile.TemporaryDirectory(prefix="npubench-tf-") as folder:
        job_file = Path(folder) / "job.json"
        job_file.write_text(json.dumps(job), encoding="utf-8")
        try:
            result = run_tool(
                [sys.executable, "-P", "-B", "-m", JOBS, job_file],
                cwd=Path(folder),
                env=_environment(Path(folder)),
                timeout_s=TIMEOUT_S,
            )
        except ToolError as error:
            if error.code is None or error.code >= 0:
                raise
            raise _crash(error) from error
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
        hint = answer["error"]["hint"]
        said = result.stdout + result.stderr
        if kind is CompileError and said.strip() and "model" in job:
            hint += f"; the converter's own words: {keep_words(said, Path(job['model']).stem)}"
        raise kind(answer["error"]["message"], hint=hint)
    assert isinstance(answer, dict)
    return answer


def _crash(error: ToolError) -> ToolError:
    """TensorFlow ended by a signal: its log says nothing of use, the network decides."""
    assert error.code is not None
    try:
        name = signal.Signals(-error.code).name
    except ValueError:
        name = f"signal {-error.code}"
    return ToolError(
        f"TensorFlow's converter crashed on this network ({name})",
        argv=error.argv,
        code=error.code,
        hint="mostly a layer that it cannot lower: unroll recurrent layers (LSTM and GRU with "
        "unroll=True), give the input a fixed batch of 1 and a fixed length, and leave layers out "
        "until it converts, to find the one",
    )


def _environment(folder: Path) -> dict[str, str]:
    """One thread, no accelerator, no oneDNN, fixed hashes, matrix products as on any processor with
    AVX2; Keras writes its settings to a folder that goes away. The child finds the same npubench as
    the parent."""
    _, places = own_python(JOBS)
    return {
        **places,
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
