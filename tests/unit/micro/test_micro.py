"""The suite is fixed; models fitted on it give back what made the costs; a network is left out."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from npubench.compiler.analyze import analyze
from npubench.compiler.synthetic import NetworkBuilder
from npubench.compiler.tflite.reader import read_tflite
from npubench.golden import golden_outputs, tflm_version
from npubench.micro.features import NAMES, features
from npubench.micro.model import LeftOut, Sample, fit, median_error, predict
from npubench.micro.suite import VERSION, suite

KNOWN = {1: "3d50013994a1ba8122f2ec3d996fe356b85af0e9e4a5ad1bc35d968e1a890a5a"}
"""Of each version's bytes: a table is worth something only while the suite stands still."""


def test_the_suite_of_a_version_never_changes() -> None:
    made = suite()
    assert hashlib.sha256(made.data).hexdigest() == KNOWN[VERSION], "raise VERSION"
    assert len({shape.name for shape in made.shapes}) == len(made.shapes) >= 100


def test_every_shape_is_one_operator_whose_output_counts() -> None:
    made = suite()
    graph = read_tflite(made.data, name="micro")
    outputs = [graph.ops[index].outputs[0] for index in made.operators]
    assert tuple(outputs) == graph.outputs
    kinds = {op.kind for op in graph.ops} - {"RESHAPE"}
    assert {graph.ops[index].kind for index in made.operators} == kinds
    assert {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "ADD", "SOFTMAX"} <= kinds


@pytest.mark.skipif(tflm_version() is None, reason="tflite-micro is not installed")
def test_tflm_runs_the_suite() -> None:
    assert golden_outputs(suite().data, 1).output_count == len(suite().shapes)


def columns(shape: tuple[int, ...], channels: int, **options: object) -> dict[str, float]:
    net = NetworkBuilder("n")
    data = net.finish(net.conv(net.input(shape), channels, **options))  # type: ignore[arg-type]
    graph = read_tflite(data, name="n")
    return dict(zip(NAMES, features(graph, graph.ops[0]), strict=True))


def test_macs_on_padding_are_none() -> None:
    inner = columns((1, 6, 6, 4), 8, kernel=3, padding="VALID")
    assert inner["macs"] == inner["outputs"] * 36
    assert inner["border outputs"] == 0
    same = columns((1, 4, 4, 4), 8, kernel=3)
    assert same["macs"] == (10 * 10) * 4 * 8  # 2+3+3+2 taps along each axis
    assert same["border outputs"] == 12 * 8
    assert same["weight bytes"] == 8 * 9 * 4


def test_dense_layers_count_their_weights() -> None:
    net = NetworkBuilder("n")
    graph = read_tflite(net.finish(net.dense(net.input((1, 20)), 6)), name="n")
    found = dict(zip(NAMES, features(graph, graph.ops[0]), strict=True))
    assert (found["macs"], found["outputs"], found["weight bytes"]) == (120, 6, 120)
    assert found["macs in steps of 16"] == 6 * 32
    assert analyze(graph).macs == 120


def samples(network: str, seed: int, count: int) -> list[Sample]:
    """Operators that cost 500 + 2 an output + 1.5 a MAC."""
    rng = np.random.default_rng(seed)
    made = []
    for layer in range(count):
        row = [0.0] * len(NAMES)
        outputs, depth = int(rng.integers(10, 3000)), int(rng.integers(8, 300))
        row[0], row[2], row[3] = 1.0, outputs, outputs * depth
        made.append(
            Sample(
                network=network, layer=layer, kernel="k", engine="cpu", columns=tuple(row),
                cost=500 + 2 * outputs + 1.5 * outputs * depth,
            )
        )  # fmt: skip
    return made


def test_a_fit_gives_back_what_made_the_costs() -> None:
    model = fit(samples("a", 1, 12))["k"]
    by_name = dict(zip(NAMES, model.coefficients, strict=True))
    assert by_name["macs"] == pytest.approx(1.5, rel=1e-3)
    assert by_name["outputs"] == pytest.approx(2.0, rel=0.05)
    for sample in samples("b", 2, 5):
        assert model.cost(sample.columns) == pytest.approx(sample.cost, rel=1e-3)


def test_a_kind_that_was_never_run_is_told() -> None:
    net = NetworkBuilder("n")
    x = net.conv(net.input((1, 8, 8, 4)), 8)
    graph = read_tflite(net.finish(net.softmax(net.mean(x))), name="n")
    models = fit(samples("a", 1, 12))
    places = {0: ("cpu", "k"), 1: ("cpu", "mean"), 2: ("cpu", "softmax")}
    made = predict(models, graph, places)
    assert made is not None
    assert made.unseen_ratio > 0
    assert predict(models, graph, {0: ("npu", "job 0")}) is None
    assert predict(models, graph, {0: ("none", "alias")}).cpu == 0  # type: ignore[union-attr]


def test_the_median_error_is_of_sizes() -> None:
    found = [
        LeftOut(network=f"n{index}", predicted=predicted, actual=100.0)
        for index, predicted in enumerate((90.0, 104.0, 101.0))
    ]
    assert median_error(found) == pytest.approx(0.04)
    assert median_error([]) is None
