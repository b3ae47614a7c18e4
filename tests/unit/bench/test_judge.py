"""Promise: a run is ok only if board and host had one input and the outputs are right."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from npubench.bench import run
from npubench.bench.job import Settings, resolve_jobs
from npubench.bench.prepare import compile_job
from npubench.bench.record import Findings
from npubench.bench.session import Session
from npubench.core.progress import Silent
from npubench.core.seeded import seeded_bytes
from npubench.golden import Golden
from npubench.wire.answers import Caps, KatResult, MemResult
from support.several_inputs import NETWORKS

GOLDEN_IN = 0x1234ABCD


def _judged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    *,
    input_crc: int,
    right: bool,
    brought: bool = False,
) -> Findings:
    path = tmp_path / "net.tflite"
    path.write_bytes(NETWORKS[name])
    (job,) = resolve_jobs([str(path)], ["native"])
    compiled = compile_job(job)
    graph = compiled.network.graph
    size = sum(graph.tensor(index).size_bytes for index in graph.outputs)
    output = seeded_bytes(1, size)
    golden = Golden(
        reference="tflm",
        version="1",
        input_crc=GOLDEN_IN,
        output_bytes=output if right else bytes(byte ^ 1 for byte in output),
        output_item_bytes=1,
        output_count=len(graph.outputs),
        op_crcs={},
    )
    monkeypatch.setattr(run, "reference_answer", lambda *_, **__: (golden, None))
    monkeypatch.setattr(run, "with_second_opinion", lambda record, *_, **__: record)
    session = Session(
        caps=Caps(proto=1, firmware="x"),
        bench=None,
        layers=None,
        kat=KatResult(
            input_crc=input_crc, output_crc=zlib.crc32(output), output=output, tensors=()
        ),
        mem=MemResult(stack_used_bytes=100, stack_size_bytes=4096, arena_bytes=10),
        clock=None,
        input_bytes=b"mine" if brought else None,
        transport="x",
    )
    findings = Findings()
    run.judge(job, compiled, Settings(), findings, session, Silent(), look=False)
    return findings


@pytest.mark.parametrize("name", ["two-int8", "three-int8", "three-float-uint8-int8"])
@pytest.mark.parametrize("right", [True, False], ids=["same-output", "other-output"])
def test_another_input_on_the_board_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, right: bool
) -> None:
    """Whatever the outputs then are: equal ones prove nothing, and different ones accuse nobody."""
    found = _judged(tmp_path, monkeypatch, name, input_crc=0xDEADBEEF, right=right)
    assert found.status == "failed"
    assert found.error is not None
    assert found.error.kind == "InputMismatch"
    assert "deadbeef" in found.error.message
    assert "1234abcd" in found.error.message
    assert "the outputs were not compared" in found.error.message
    assert (found.golden.status, found.golden.mismatches) == ("mismatch", 0)
    assert "kernel" not in found.error.hint


def test_an_input_of_ones_own_that_did_not_arrive_is_told_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _judged(tmp_path, monkeypatch, "two-int8", input_crc=1, right=True, brought=True)
    assert found.status == "failed"
    assert found.golden.input_seed is None


@pytest.mark.parametrize(("right", "status"), [(True, "ok"), (False, "failed")])
def test_with_one_input_the_outputs_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: bool, status: str
) -> None:
    found = _judged(tmp_path, monkeypatch, "two-int8", input_crc=GOLDEN_IN, right=right)
    assert found.status == status
    assert (found.error is None) == right
