"""Promise: only channels that provably cannot reach the output are taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.compiler.analyze import analyze
from npubench.compiler.backends import backend_names, settle
from npubench.compiler.compiled import (
    Network,
    compile_network,
    read_network,
    without_dead_channels,
)
from npubench.compiler.dead_channels import STEP, narrowed
from npubench.compiler.graph import Graph, Variable
from npubench.compiler.tflite.reader import load_tflite
from npubench.core.errors import CompileError
from npubench.golden import golden_outputs
from npubench.zoo import resolve_model

DROP = (("dead-channels", "drop"),)


@pytest.mark.parametrize(
    "file", ["kws_ref_model.tflite", "pretrainedResnet_quant.tflite", "ad01_int8.tflite"]
)
def test_a_network_without_dead_channels_stays_as_it_is(shared_models: Path, file: str) -> None:
    _, graph = load_tflite(shared_models / file)
    assert narrowed(graph).graph is graph


def test_half_of_the_person_detector_cannot_reach_its_output(shared_models: Path) -> None:
    _, graph = load_tflite(shared_models / "vww_96_int8.tflite")
    result = narrowed(graph)
    assert analyze(graph).macs == 7_489_664
    assert analyze(result.graph).macs == 3_766_476
    assert result.graph.inputs == graph.inputs
    for tensor in (*graph.inputs, *graph.outputs):
        assert result.graph.tensor(tensor).shape == graph.tensor(tensor).shape
    for op, kept in result.kept.items():
        shape = result.graph.tensor(graph.ops[op].outputs[0]).shape
        assert shape[-1] == len(kept.channels) < kept.total
        assert len(kept.channels) % STEP == 0
        assert not set(kept.channels) & set(kept.constants)


@pytest.mark.parametrize("backend", [name for name in backend_names() if name != "probe"])
def test_every_backend_can_be_given_the_narrower_network(backend: str) -> None:
    assert settle(backend, (("dead-channels", "drop"),)) == (("dead-channels", "drop"),)
    assert settle(backend, (("dead-channels", "keep"),)) == ()


def test_the_engine_keeps_them_unless_asked(shared_models: Path) -> None:
    network = read_network(resolve_model(str(shared_models / "vww_96_int8.tflite")))
    board = load_board("native")
    plain = compile_network(network, board, "cpu")
    dropped = compile_network(network, board, "cpu", DROP)
    assert plain.executed_macs is None
    assert not plain.plan.kept
    assert dropped.network is network
    assert dropped.executed_macs == 3_766_476
    assert dropped.plan.artifact == dropped.runs.data != network.data
    assert sum(len(item.data) for item in dropped.plan.constants) < 0.3 * sum(
        len(item.data) for item in plain.plan.constants
    )


def test_the_narrower_file_answers_as_the_network_does(shared_models: Path) -> None:
    pytest.importorskip("tflite_micro.python.tflite_micro.runtime", reason="no tflite-micro here")
    network = read_network(resolve_model(str(shared_models / "vww_96_int8.tflite")))
    narrow, _ = without_dead_channels(network)
    assert narrow is not None
    for seed in range(3):
        ours, theirs = golden_outputs(narrow.data, seed), golden_outputs(network.data, seed)
        assert ours.output_bytes == theirs.output_bytes


def test_vela_gets_the_narrower_network(shared_models: Path) -> None:
    pytest.importorskip("ethosu.vela", reason="Vela is not installed")
    network = read_network(resolve_model(str(shared_models / "vww_96_int8.tflite")))
    board = load_board("qemu-m55-u55")
    plain = compile_network(network, board, "ethos-u")
    dropped = compile_network(network, board, "ethos-u", DROP)
    assert dropped.executed_macs == 3_766_476
    assert plain.executed_macs is None
    cycles = [sum(item.cycles for item in case.plan.estimates) for case in (plain, dropped)]
    assert cycles[1] < 0.8 * cycles[0]


def test_a_network_with_state_keeps_its_channels() -> None:
    state = Graph(
        name="state",
        sha256="0" * 64,
        tensors=(),
        ops=(),
        inputs=(),
        outputs=(),
        variables=(Variable(tensor=0, name="v", initial=b"\0"),),
    )
    network = Network(resolved=None, data=b"", graph=state, analysis=None)  # type: ignore[arg-type]
    with pytest.raises(CompileError, match="keeps state"):
        without_dead_channels(network)
