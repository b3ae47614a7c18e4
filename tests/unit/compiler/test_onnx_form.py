"""A network as nodes of ONNX is the network that it was: same answers on real numbers."""

from __future__ import annotations

import numpy as np
import pytest

from npubench.compiler.backends.esp_dl.onnx_form import onnx_form
from npubench.compiler.backends.esp_dl.simulator import placed
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.golden.many import float_network, real_answers
from npubench.zoo import resolve_model
from support.onnx_play import play

pytest.importorskip("ai_edge_litert", reason="the reference of real numbers")


@pytest.mark.parametrize("model", ["digits", "kws", "ic", "ad"])
def test_the_nodes_compute_what_the_network_does(model: str) -> None:
    data, graph = load_tflite(resolve_model(model).path)
    real = float_network(data)
    form = onnx_form(read_tflite(real, name=model, floats=True))
    shape = graph.tensor(graph.inputs[0]).shape
    given = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    (wanted,) = real_answers(real, [given])
    first = given.transpose(0, 3, 1, 2) if given.ndim == 4 else given
    (got,) = play(form, [first])
    assert np.abs(wanted.reshape(-1) - got.reshape(-1)).max() < 1e-4 * np.abs(wanted).max()
    assert {node.op for node in form.nodes} == {op.index for op in graph.ops}


def test_an_operator_is_on_integers_where_one_of_its_nodes_is() -> None:
    rows = [
        {"op": 0, "kind": "Conv", "quantized": True},
        {"op": 0, "kind": "Clip", "quantized": False},
        {"op": 1, "kind": "Softmax", "quantized": False},
    ]
    ops = placed(rows)
    assert ops[0].engine == "npu"
    assert (ops[1].engine, ops[1].reason) == ("cpu", "esp-ppq leaves it on real numbers (Softmax)")
