"""Promise: of a batch every model is looked at before the first is compiled, and one that fails
fails alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npubench.bench import matrix
from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.matrix import Outcome, run_matrix
from npubench.core.errors import (
    CompileError,
    ModelFormatError,
    NpubenchError,
    ToolMissing,
    UnsupportedOp,
)
from npubench.core.progress import Silent
from support.several_inputs import NETWORKS
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

FLOAT = TensorSpec(dtype="float32", scales=None)
FILES = {
    "good": NETWORKS["two-int8"],
    "float": write_model(ModelSpec(tensors=(FLOAT, FLOAT))),
    "partly": write_model(
        ModelSpec(
            tensors=(TensorSpec(), FLOAT, FLOAT),
            ops=(
                OpSpec(kind="DEQUANTIZE", inputs=(0,), outputs=(1,)),
                OpSpec(kind="RELU", inputs=(1,), outputs=(2,)),
            ),
            outputs=(2,),
        )
    ),
    "text": b"not a model at all",
    "stateful": write_model(ModelSpec(ops=(OpSpec(kind="CALL_ONCE"),), subgraphs=2)),
    "unknown": write_model(ModelSpec(ops=(OpSpec(kind="GELU"),))),
}


class _Log:
    """What was done, in order: reading and compiling."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        for verb in ("read_remarked", "compile_job"):
            monkeypatch.setattr(matrix, verb, self._wrapped(verb, getattr(matrix, verb)))

    def _wrapped(self, verb: str, real: Any) -> Any:
        def call(*args: Any) -> Any:
            self.lines.append(verb)
            return real(*args)

        return call


def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Outcome:
    def ran(job: Any, product: Any, _: Settings, *, runs_dir: Path, **more: object) -> Any:
        """Stands in for the board: the point is who gets this far."""
        del more
        return matrix.failed_before_start(
            job, product.network, NpubenchError(f"{job.model.id} ran"), runs_dir
        )

    monkeypatch.setattr(matrix, "run_job", ran)
    files = []
    for name in names:
        (tmp_path / f"{name}.tflite").write_bytes(FILES[name])
        files.append(str(tmp_path / f"{name}.tflite"))
    jobs = resolve_jobs(files, ["native"])
    return run_matrix(jobs, Settings(), runs_dir=tmp_path / "runs", reporter=Silent())


@pytest.mark.parametrize("bad", ["float", "partly", "text", "stateful", "unknown"])
@pytest.mark.parametrize("first", [True, False])
def test_one_that_fails_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, first: bool
) -> None:
    log = _Log(monkeypatch)
    outcome = _run(tmp_path, monkeypatch, *((bad, "good") if first else ("good", bad)))
    by_name = {run.record.model.name: run.record for run in outcome.stored}
    assert set(by_name) == {"good", bad}
    assert by_name["good"].error is not None
    assert by_name["good"].error.message == "good ran"
    failed = by_name[bad]
    assert failed.error is not None
    kinds = {"unknown": "UnsupportedOp", "float": "CompileError"}
    assert failed.error.kind == kinds.get(bad, "ModelFormatError")
    assert (failed.model.macs is None) == (bad != "unknown")
    assert outcome.exit_code == 1
    reads = [line == "read_remarked" for line in log.lines]
    assert reads == sorted(reads, reverse=True), "something was compiled before all were read"


def test_where_all_fail_the_first_reason_is_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CompileError, match="cannot quantize"):
        _run(tmp_path, monkeypatch, "float", "text")
    with pytest.raises(ModelFormatError):
        _run(tmp_path, monkeypatch, "text", "float")
    with pytest.raises(UnsupportedOp, match="GELU"):
        _run(tmp_path, monkeypatch, "unknown", "text")
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_a_compiler_that_is_missing_fails_its_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = matrix.compile_job

    def compile_job(job: Any, network: Any) -> Any:
        if job.model.id == "partner":
            raise ToolMissing("no compiler", argv=("cc",), hint="get one")
        return real(job, network)

    monkeypatch.setattr(matrix, "compile_job", compile_job)
    monkeypatch.setitem(FILES, "partner", NETWORKS["three-int8"])
    outcome = _run(tmp_path, monkeypatch, "partner", "good")
    kinds = {run.record.model.name: run.record.error for run in outcome.stored}
    assert kinds["partner"] is not None
    assert kinds["partner"].kind == "ToolMissing"
