"""Promise: a sound file that is no network for this bench is told what it is, and the way out; what
TensorFlow Lite Micro runs is not called damaged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from npubench.boards import load_board
from npubench.compiler.backends import load_backend
from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import ModelFormatError
from support.operator_networks import networks
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

DEPTHWISE = ModelSpec(
    tensors=(
        TensorSpec(shape=(1, 4, 4, 8), name="in"),
        TensorSpec(
            shape=(1, 3, 3, 8), data=bytes(72), scales=(0.5,) * 8, zero_points=(0,) * 8, axis=3
        ),
        TensorSpec(
            shape=(8,), dtype="int32", data=bytes(32), scales=(0.25,) * 8, zero_points=(0,) * 8
        ),
        TensorSpec(shape=(1, 4, 4, 8), name="out"),
    ),
    ops=(
        OpSpec(
            kind="DEPTHWISE_CONV_2D",
            inputs=(0, 1, 2),
            outputs=(3,),
            options={0: ("b", 0), 1: ("i", 1), 2: ("i", 1), 3: ("i", 1)},
        ),
    ),
    outputs=(3,),
)


def _bias(**fields: object) -> ModelSpec:
    tensors = list(DEPTHWISE.tensors)
    tensors[2] = replace(tensors[2], **fields)  # type: ignore[arg-type]
    return replace(DEPTHWISE, tensors=tuple(tensors))


def _refused(spec: ModelSpec) -> ModelFormatError:
    with pytest.raises(ModelFormatError) as caught:
        read_tflite(write_model(spec), name="net")
    return caught.value


@pytest.mark.parametrize(
    "fields",
    [
        {"axis": 3},
        {"axis": -1},
        {"axis": 1},
        {"scales": (0.25,) * 3, "zero_points": (0,) * 3, "axis": 3},
        {"shape": (1, 1, 1, 8), "axis": 0},
    ],
    ids=["the weights' axis", "from the end", "of a dense layer", "too few", "as an image"],
)
def test_the_scales_of_a_bias_are_not_read_as_tflm_does_not(fields: dict[str, object]) -> None:
    graph = read_tflite(write_model(_bias(**fields)), name="net")
    bias = graph.tensor(2).quantization
    assert bias is None or graph.tensor(2).shape[bias.axis] == len(bias.scales) == 8


def test_the_axis_of_weights_is_still_checked() -> None:
    tensors = list(DEPTHWISE.tensors)
    tensors[1] = replace(tensors[1], axis=2)
    error = _refused(replace(DEPTHWISE, tensors=tuple(tensors)))
    assert "8 scales along axis 2" in error.message


@pytest.mark.parametrize(
    ("code", "maker"),
    [
        ("ethos-u", "Vela"),
        ("edgetpu-custom-op", "Edge TPU"),
        ("NeutronGraph", "Neutron"),
        ("DISPATCH_OP", "LiteRT"),
    ],
)
def test_a_file_that_a_vendors_compiler_made_is_named(code: str, maker: str) -> None:
    # As Vela writes it: scratch tensors that nothing produces, which would look like damage.
    spec = ModelSpec(
        tensors=(
            TensorSpec(name="in"),
            TensorSpec(name="scratch", dtype="uint8", scales=None),
            TensorSpec(name="out"),
        ),
        ops=(OpSpec(kind="CUSTOM", custom_code=code, inputs=(0, 1), outputs=(2,)),),
        outputs=(2,),
    )
    error = _refused(spec)
    assert f"was made by {maker}" in error.message.replace("NXP's ", "").replace("the ", "")
    assert "bring the int8 .tflite" in error.hint
    assert "damaged" not in error.hint


def test_a_network_that_keeps_state_is_read_with_what_it_starts_with() -> None:
    graph = read_tflite(networks()["state_first"], name="net")
    (variable,) = graph.variables
    assert graph.inferences > 1
    assert graph.tensor(variable.tensor).shape == (1, 3, 4)
    assert len(variable.initial) == 12
    assert len(set(variable.initial)) > 1
    (resting,) = read_tflite(networks()["state_zero_point"], name="net").variables
    assert resting.initial == bytes([256 - 7]) * 12


def test_state_that_no_straight_run_gives_is_refused() -> None:
    error = _refused(ModelSpec(ops=(OpSpec(kind="READ_VARIABLE", options=None),)))
    assert "no handle of a variable" in error.message
    error = _refused(ModelSpec(ops=(OpSpec(kind="CALL_ONCE", outputs=(), options={0: ("i", 1)}),)))
    assert "calls subgraph 1" in error.message


def test_control_flow_and_signatures_are_told_apart() -> None:
    assert (
        "control flow (WHILE)"
        in _refused(ModelSpec(ops=(OpSpec(kind="WHILE", options=None),), subgraphs=3)).message
    )
    error = _refused(ModelSpec(subgraphs=2))
    assert "2 subgraphs" in error.message
    assert "one signature" in error.hint


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("uint32", "cast"),
        ("string", "text"),
        ("complex64", "Fourier"),
        ("uint16", "cast"),
        ("float64", "float32"),
    ],
)
def test_foreign_elements_are_not_told_to_be_quantized(dtype: str, words: str) -> None:
    spec = ModelSpec(tensors=(TensorSpec(dtype=dtype, scales=None), TensorSpec()))
    error = _refused(spec)
    assert f"elements of {dtype}" in error.message
    assert words in error.hint
    assert "representative_dataset" not in error.hint


def test_a_shape_asked_at_run_time_is_known_when_it_is_compiled() -> None:
    data = networks()["shape_known"]
    graph = read_tflite(data, name="net")
    assert [graph.tensor(index).is_constant for index in (1, 5, 7)] == [True] * 3
    plan = load_backend("cpu").compile(graph, data, load_board("qemu-m4"))
    assert [type(step).__name__ for step in plan.steps] == ["Free", "Free", "Free", "Alias"]


CONSTANT = TensorSpec(shape=(1, 4), data=bytes([1, 2, 3, 255]), name="constant")


@pytest.mark.parametrize("outputs", [(1, 2), (2, 1), (2,)])
def test_an_output_that_is_a_constant_is_compiled(outputs: tuple[int, ...]) -> None:
    spec = ModelSpec(tensors=(TensorSpec(), TensorSpec(), CONSTANT), outputs=outputs)
    data = write_model(spec)
    graph = read_tflite(data, name="net")
    plan = load_backend("cpu").compile(graph, data, load_board("qemu-m4"))
    assert all(place.tensor != 2 for place in plan.arena.places)
