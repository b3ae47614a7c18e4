"""Networks with an LSTM on the NPU: its state lives from one inference to the next."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from npubench.boards import load_board
from npubench.compiler.backends.ethos_u import BACKEND
from npubench.compiler.backends.ethos_u.choice import Choice, choose
from npubench.compiler.backends.ethos_u.options import settings_of
from npubench.compiler.backends.ethos_u.output import job_tensors, read_vela
from npubench.compiler.backends.ethos_u.state import check_state
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import CompileError
from npubench.npu.ethosu.config import accelerator
from npubench.npu.ethosu.functional import FunctionalCore
from npubench.npu.ethosu.payload import parse_payload
from npubench.npu.ethosu.stream import operations
from support.npu_operators import Draw, _lstm, filled, schema
from support.operator_networks import networks
from support.vela_in_process import Reference

pytest.importorskip("ethosu.vela", reason="Vela is not installed")

BOARD = load_board("qemu-m55-u55")


def recurrent(seed: int, dtype: str, folder: Path) -> Path:
    """An LSTM between two other operators, so that its state lies among other tensors."""
    d = Draw(seed, dtype)
    _lstm(d)
    graph = d.net.graph
    (x,), (y,) = graph.inputs, graph.outputs
    source, target = graph.tensors[x], graph.tensors[y]
    at = float(source.quantization.scale[0]), int(source.quantization.zeroPoint[0])
    first = d.net.tensor(source.shape, *at, dtype=dtype)
    (lstm,) = graph.operators
    graph.operators = []
    other = d.constant(tuple(source.shape), d.quantization())
    options = filled(schema.AddOptionsT(), potScaleInt16=False)
    d.net.op("ADD", [first, other], [x], options)
    graph.operators.append(lstm)
    graph.inputs = [first]
    last = d.net.tensor(target.shape, *d.quantization(), dtype=dtype)
    gain = d.constant(tuple(target.shape), d.quantization())
    d.net.op("MUL", [y, gain], [last], schema.MulOptionsT())
    d.net.model.operatorCodes = [d.net.model.operatorCodes[i] for i in (1, 0, 2)]
    for index, op in enumerate(graph.operators):
        op.opcodeIndex = index
    graph.outputs = [last]
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "in" / "lstm.tflite"
    path.write_bytes(d.net.bytes())
    return path


def chosen(path: Path, *, legacy: bool) -> tuple[Graph, Choice]:
    data, graph = load_tflite(path)
    settings = dataclasses.replace(settings_of(BOARD), legacy=legacy)
    return graph, choose(graph, data, settings, "legacy" if legacy else "default")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this module's own: each network is compiled once."""
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache))


@pytest.mark.parametrize(
    ("seed", "dtype", "legacy"),
    [(1, "int8", False), (3, "int8", True), (3, "int16", False), (1, "int16", True)],
    ids=["int8", "int8-legacy", "int16", "int16-legacy"],
)
def test_every_inference_equals_tflm(seed: int, dtype: str, legacy: bool, tmp_path: Path) -> None:
    path = recurrent(seed, dtype, tmp_path)
    graph, choice = chosen(path, legacy=legacy)
    check_state(graph, choice.split, BOARD.id)
    model = read_vela(choice.result.model, name="lstm")
    (op,) = model.ops
    tensors = job_tensors(model, op)
    assert tensors.stream.data is not None
    program = tuple(operations(parse_payload(tensors.stream.data).words))
    arena = np.zeros(1 << 16, dtype=np.uint8)
    for variable in graph.variables:
        begin = choice.split.offsets[variable.tensor]
        first = np.frombuffer(variable.initial, np.uint8)
        arena[begin : begin + first.size] = first
    reference = Reference(path)
    core = FunctionalCore(accelerator("ethos-u55-128"))
    constants = np.frombuffer(tensors.constants.data or b"", np.uint8).copy()
    begin = model.tensors[model.inputs[0]].offset_bytes or 0
    output = model.tensors[model.outputs[0]]
    end = (output.offset_bytes or 0) + output.size_bytes
    for number in range(4):
        (values,) = reference.inputs(1, number)
        raw = np.frombuffer(values.tobytes(), np.uint8)
        arena[begin : begin + raw.size] = raw
        core.run(program, {0: constants, 1: arena, 2: arena})
        got = arena[(output.offset_bytes or 0) : end].tobytes()
        assert got == reference.run([values], 1)[0], f"inference {number}"


def test_the_plan_keeps_the_state_where_vela_put_it(tmp_path: Path) -> None:
    data, graph = load_tflite(recurrent(1, "int8", tmp_path))
    plan = BACKEND.compile(graph, data, BOARD)
    places = {place.tensor: place.offset_bytes for place in plan.arena.places}
    _, choice = chosen(tmp_path / "in" / "lstm.tflite", legacy=False)
    assert len(graph.variables) == 2
    for variable in graph.variables:
        assert places[variable.tensor] == choice.split.offsets[variable.tensor]
    assert not plan.fallbacks


def test_a_job_that_writes_over_the_state_is_refused(tmp_path: Path) -> None:
    graph, choice = chosen(recurrent(1, "int8", tmp_path), legacy=False)
    state = graph.variables[0].tensor
    output = choice.split.offsets[graph.outputs[0]]
    moved = dataclasses.replace(choice.split, offsets={**choice.split.offsets, state: output + 1})
    with pytest.raises(CompileError, match="would be lost between inferences: a job"):
        check_state(graph, moved, BOARD.id)
    lost = dataclasses.replace(
        choice.split, offsets={k: v for k, v in choice.split.offsets.items() if k != state}
    )
    with pytest.raises(CompileError, match="no place in the arena"):
        check_state(graph, lost, BOARD.id)


def test_resource_variables_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "state.tflite"
    path.write_bytes(networks()["state_first"])
    data, graph = load_tflite(path)
    with pytest.raises(CompileError, match=r"resource variables \(state\)"):
        BACKEND.compile(graph, data, BOARD)
