"""The backend for Ethos-U: who runs what, where it lies, and what is said of it."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.compiler.backends import load_backend
from npubench.compiler.backends.cpu import BACKEND as CPU
from npubench.compiler.backends.ethos_u import settings_of, vela
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.compiler.backends.ethos_u.vela import compile_with_vela, read_reasons
from npubench.compiler.graph import Graph
from npubench.compiler.plan import KernelCall, NpuJob, Plan
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import CompileError, ModelFormatError, ToolError, ToolMissing
from support.vela_in_process import CHECKOUT

pytest.importorskip("ethosu.vela", reason="Vela is not installed")

BOARD = load_board("qemu-m55-u55")
NETWORKS = CHECKOUT / "tests" / "data" / "npu"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this module's own: each network is compiled once."""
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache))
    return cache


def plan_of(name: str) -> tuple[Graph, Plan]:
    path = NETWORKS / f"{name}.tflite"
    if not path.is_file():
        path = CHECKOUT / "models" / name / f"{name}.tflite"
    data, graph = load_tflite(path)
    return graph, load_backend("ethos-u").compile(graph, data, BOARD)


def test_a_network_that_fits_the_npu_is_one_job() -> None:
    graph, plan = plan_of("kws")
    (job,) = plan.steps
    assert isinstance(job, NpuJob)
    assert job.op_indices == tuple(range(len(graph.ops)))
    assert (job.inputs, job.outputs) == (graph.inputs, graph.outputs)
    assert plan.npu["macs_share"] == 1.0
    assert plan.fallbacks == ()
    assert plan.driver == "ethosu"
    assert plan.artifact != (CHECKOUT / "models/kws/kws.tflite").read_bytes()
    assert read_vela(plan.artifact, name="kws").ops[0].is_job


def test_streams_and_constants_are_aligned_for_the_npu() -> None:
    _, plan = plan_of("kws")
    assert len(plan.constants) == 2
    assert all(constant.align == 16 for constant in plan.constants)
    assert plan.constants[0].data[:4] == b"COP1"


def test_a_split_network_keeps_velas_places_and_reasons() -> None:
    graph, plan = plan_of("sandwich")
    first, middle, last = plan.steps
    assert isinstance(first, NpuJob)
    assert isinstance(middle, KernelCall)
    assert isinstance(last, NpuJob)
    model = read_vela(plan.artifact, name="sandwich")
    offsets = {
        tensor.name: tensor.offset_bytes
        for tensor in model.tensors
        if tensor.offset_bytes is not None
    }
    for tensor in (*first.outputs, *last.inputs):
        assert plan.arena.place(tensor).offset_bytes == offsets[graph.tensor(tensor).name]
    (fallback,) = plan.fallbacks
    assert fallback.op == "RESIZE_NEAREST_NEIGHBOR"
    assert "scale-factor" in fallback.reason


def test_velas_order_is_kept_where_it_differs_from_the_networks() -> None:
    """It planned the arena for its own order."""
    _, plan = plan_of("branches")
    order = [step.op_index for step in plan.steps if isinstance(step, KernelCall)]
    assert order == [3, 1]
    assert not plan.in_order
    assert list(plan.turns) == sorted(plan.turns)
    assert sorted(plan.turns.values()) == sorted(plan.turns)


def test_estimates_cover_the_job_and_add_up() -> None:
    _, plan = plan_of("ic")
    assert [estimate.op_index for estimate in plan.estimates] == [*range(13), 14, 15]
    assert sum(estimate.cycles for estimate in plan.estimates) == pytest.approx(296_000, rel=0.05)
    assert all(len(estimate.port_bytes) == 2 for estimate in plan.estimates)
    assert any(estimate.bound_by_memory for estimate in plan.estimates)


def test_the_second_compilation_comes_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = plan_of("digits")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("Vela was run again")

    monkeypatch.setattr(vela, "run_tool", never)
    _, second = plan_of("digits")
    assert first == second


def test_a_damaged_cache_is_not_believed(kept: Path) -> None:
    _, first = plan_of("digits")
    for path in (kept / "vela").glob("*/network.tflite"):
        path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    _, second = plan_of("digits")
    assert first == second


def test_without_vela_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ToolMissing) as caught:
        plan_of("digits")
    assert "npubench[ethos-u]" in caught.value.hint


def test_without_vela_the_cpu_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vela, "check_vela", lambda: pytest.fail("Vela was asked for"))
    data, graph = load_tflite(CHECKOUT / "models/digits/digits.tflite")
    assert CPU.compile(graph, data, BOARD).driver == "none"


def test_another_version_of_vela_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "4.2.0")
    with pytest.raises(ToolError, match=r"made for 5\.2\.0"):
        plan_of("digits")


def test_what_vela_does_not_take_is_a_compile_error() -> None:
    data = (NETWORKS / "sandwich.tflite").read_bytes()
    with pytest.raises((CompileError, ToolError)) as caught:
        compile_with_vela(data[:200], settings_of(BOARD))
    assert "--backend cpu" in caught.value.hint


def test_reasons_are_read_from_what_vela_prints() -> None:
    text = (
        "\nWarning (supported operators) operator: RESIZE, ofm: 'a/b'\n"
        "Reason: scale-factor\nother\nReason: stray\n"
        "Warning operator: MEAN, ofm: 'c'\n - note\nReason: Batch > 1: 2\n"
    )
    assert read_reasons(text) == {"a/b": "scale-factor", "c": "Batch > 1: 2"}


@pytest.mark.parametrize("cut", [0, 4, 100, 900])
def test_a_broken_output_of_vela_is_refused(cut: int) -> None:
    _, plan = plan_of("digits")
    with pytest.raises(ModelFormatError):
        read_vela(plan.artifact[:cut], name="broken")


def test_the_record_is_json() -> None:
    _, plan = plan_of("branches")
    assert json.loads(json.dumps(plan.npu))["accelerator"] == "ethos-u55-128"
