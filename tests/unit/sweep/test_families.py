"""Families: each is a network that TFLM runs, in any size; equal wishes give equal bytes."""

from __future__ import annotations

import numpy as np
import pytest

from npubench.compiler.analyze import analyze
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import UsageError
from npubench.golden import golden_outputs, tflm_version
from npubench.sweep.families import divisible, family_names, load_family


@pytest.mark.parametrize("name", family_names())
def test_a_family_is_a_network_whose_answers_spread(name: str) -> None:
    family = load_family(name)
    data = family.build({})
    assert data == family.build({})
    graph = read_tflite(data, name=name)
    assert analyze(graph).macs > 0
    if tflm_version() is None:
        pytest.skip("tflite-micro is not installed")
    codes = np.frombuffer(golden_outputs(data, 1).output_bytes, np.int8)
    assert codes.std() > 2, "the answers are all alike: the scales are off"
    assert (np.abs(codes.astype(int)) >= 127).mean() < 0.6


@pytest.mark.parametrize("name", family_names())
def test_every_parameter_changes_the_network(name: str) -> None:
    family = load_family(name)
    usual = family.build({})
    for parameter in family.parameters:
        more = parameter.default * 2
        assert family.build({parameter.name: more}) != usual, parameter.name


def test_wrong_wishes_are_refused() -> None:
    with pytest.raises(UsageError, match="no family 'mobilenet'") as caught:
        load_family("mobilenet")
    assert "mobilenetv2" in caught.value.hint
    family = load_family("mobilenetv2")
    with pytest.raises(UsageError, match="no parameter 'inputs'") as caught:
        family.build({"inputs": 3})
    assert caught.value.hint == "did you mean input?"
    with pytest.raises(UsageError, match="whole number"):
        family.build({"input": 32.5})
    with pytest.raises(UsageError, match="the least is 1"):
        family.build({"input": 0})


def test_channels_of_the_published_mobilenets() -> None:
    """MobileNetV2 0.35's, as its published models have them."""
    assert [divisible(channels * 0.35) for channels in (32, 16, 24, 32, 64, 96, 160, 320)] == [
        16, 8, 8, 16, 24, 32, 56, 112,
    ]  # fmt: skip
