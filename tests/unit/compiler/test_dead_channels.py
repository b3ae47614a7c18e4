"""Promise: only channels that provably cannot reach the output are taken out."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.compiler.analyze import analyze
from npubench.compiler.backends import configured_backend
from npubench.compiler.dead_channels import STEP, narrowed
from npubench.compiler.tflite.reader import load_tflite


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


def test_the_engine_keeps_them_unless_asked(shared_models: Path) -> None:
    data, graph = load_tflite(shared_models / "vww_96_int8.tflite")
    board = load_board("native")
    plain = configured_backend("cpu", ()).compile(graph, data, board)
    dropped = configured_backend("cpu", (("dead-channels", "drop"),)).compile(graph, data, board)
    assert plain.graph is None
    assert not plain.kept
    assert dropped.graph is not None
    assert sum(len(item.data) for item in dropped.constants) < 0.3 * sum(
        len(item.data) for item in plain.constants
    )
