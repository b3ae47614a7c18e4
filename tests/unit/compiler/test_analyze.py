"""Work, weights and live memory of a network equal the published figures and hand counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.compiler.analyze import Analysis, analyze
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model


def analysis(spec: ModelSpec) -> Analysis:
    return analyze(read_tflite(write_model(spec), name="m"))


@pytest.mark.parametrize(
    ("file", "macs", "parameters", "peak"),
    [
        ("kws_ref_model.tflite", 2_656_768, 22_016 + 588, 16_000),
        ("vww_96_int8.tflite", 7_489_664, 208_112 + 2_738, 55_296),
        ("pretrainedResnet_quant.tflite", 12_501_632, 77_360 + 346, 49_152),
        ("ad01_int8.tflite", 264_192, 264_192 + 1_672, 768),
    ],
)
def test_reference_models_have_the_published_costs(
    shared_models: Path, file: str, macs: int, parameters: int, peak: int
) -> None:
    _, graph = load_tflite(shared_models / file)
    result = analyze(graph)
    assert (result.macs, result.parameters, result.peak_live_bytes) == (macs, parameters, peak)
    assert sum(layer.macs for layer in result.layers) == macs
    assert max(layer.live_bytes for layer in result.layers) == peak


def weights(shape: tuple[int, ...]) -> TensorSpec:
    size = 1
    for item in shape:
        size *= item
    return TensorSpec(name="w", shape=shape, data=bytes(size))


def bias(count: int) -> TensorSpec:
    return TensorSpec(name="b", shape=(count,), dtype="int32", data=bytes(4 * count))


@pytest.mark.parametrize(
    ("kind", "image", "kernel", "result", "macs"),
    [
        ("CONV_2D", (1, 5, 5, 2), (3, 2, 3, 2), (1, 4, 3, 3), 4 * 3 * 3 * (2 * 3 * 2)),
        ("DEPTHWISE_CONV_2D", (1, 5, 5, 2), (1, 2, 3, 4), (1, 4, 3, 4), 4 * 3 * 4 * (2 * 3)),
        ("FULLY_CONNECTED", (2, 7), (3, 7), (2, 3), 2 * 3 * 7),
        ("ADD", (1, 4), (1, 4), (1, 4), 0),
    ],
)
def test_macs_are_outputs_times_taps(
    kind: str,
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    result: tuple[int, ...],
    macs: int,
) -> None:
    options = {
        "CONV_2D": {0: ("b", 1), 1: ("i", 1), 2: ("i", 1)},
        "DEPTHWISE_CONV_2D": {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2)},
    }.get(kind)
    spec = ModelSpec(
        tensors=(TensorSpec(shape=image), weights(kernel), TensorSpec(name="y", shape=result)),
        ops=(OpSpec(kind=kind, inputs=(0, 1), outputs=(2,), options=options),),
        outputs=(2,),
    )
    assert analysis(spec).macs == macs


@pytest.mark.parametrize(
    ("kind", "shapes", "result", "macs"),
    [
        # Output shape, weights O,H,W,I, input: 2 x 3 pixels of 4 channels, each over 3 x 2 taps.
        ("TRANSPOSE_CONV", ((4,), (5, 3, 2, 4), (1, 2, 3, 4)), (1, 4, 6, 5), 2 * 3 * 4 * 5 * 3 * 2),
        # Two batches of 7 values; 6 filters, each with a memory of 4.
        ("SVDF", ((2, 7), (6, 7), (6, 4)), (2, 6), 2 * (6 * 7 + 6 * 4)),
        # Ten steps of 3 values, 5 units: four gates with their own weights and the state's.
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            ((1, 10, 3), *((5, 3),) * 4, *((5, 5),) * 4),
            (1, 10, 5),
            10 * 4 * (5 * 3 + 5 * 5),
        ),
    ],
)
def test_macs_of_what_is_no_plain_product(
    kind: str, shapes: tuple[tuple[int, ...], ...], result: tuple[int, ...], macs: int
) -> None:
    moved = {"TRANSPOSE_CONV": 2}.get(kind, 0)
    tensors = [
        TensorSpec(name=f"t{at}", shape=shape) if at == moved else weights(shape)
        for at, shape in enumerate(shapes)
    ]
    spec = ModelSpec(
        tensors=(*tensors, TensorSpec(name="y", shape=result)),
        ops=(
            OpSpec(
                kind=kind,
                inputs=tuple(range(len(shapes))),
                outputs=(len(shapes),),
                options={1: ("i", 2), 2: ("i", 2)} if moved else None,
            ),
        ),
        inputs=(moved,),
        outputs=(len(shapes),),
    )
    (layer,) = analysis(spec).layers
    assert layer.macs == macs


@pytest.mark.parametrize(
    ("first", "second", "adjoint", "result"),
    [
        ((2, 3, 4), (2, 4, 5), False, (2, 3, 5)),
        ((2, 4, 3), (2, 4, 5), True, (2, 3, 5)),
        ((3, 4), (6, 4, 5), False, (6, 3, 5)),  # the first is taken for every batch
    ],
)
def test_macs_of_matrices_are_outputs_times_the_axis_that_they_share(
    first: tuple[int, ...], second: tuple[int, ...], adjoint: bool, result: tuple[int, ...]
) -> None:
    spec = ModelSpec(
        tensors=(
            TensorSpec(name="a", shape=first),
            TensorSpec(name="b", shape=second),
            TensorSpec(name="y", shape=result),
        ),
        ops=(
            OpSpec(
                kind="BATCH_MATMUL", inputs=(0, 1), outputs=(2,), options={0: ("B", int(adjoint))}
            ),
        ),
        inputs=(0, 1),
        outputs=(2,),
    )
    (layer,) = analysis(spec).layers
    assert layer.macs == result[0] * 3 * 5 * 4
    assert layer.intensity_macs_per_byte > 0


def test_one_layer_counted_by_hand() -> None:
    spec = ModelSpec(
        tensors=(
            TensorSpec(shape=(1, 8)), weights((3, 8)), bias(3), TensorSpec(name="y", shape=(1, 3)),
        ),
        ops=(OpSpec(kind="FULLY_CONNECTED", inputs=(0, 1, 2), outputs=(3,)),),
        outputs=(3,),
    )  # fmt: skip
    (layer,) = analysis(spec).layers
    assert (layer.op, layer.name, layer.index) == ("FULLY_CONNECTED", "y", 0)
    assert (layer.macs, layer.parameters, layer.weight_bytes) == (24, 27, 24 + 12)
    assert (layer.input_bytes, layer.output_bytes, layer.live_bytes) == (8, 3, 11)
    assert layer.intensity_macs_per_byte == pytest.approx(24 / (36 + 8 + 3))


def test_a_tensor_lives_until_its_last_reader_and_outputs_until_the_end() -> None:
    """0 → 1 → 2 → (2 + 1) = 3; 4 = relu(3); outputs 1 and 4."""
    spec = ModelSpec(
        tensors=tuple(TensorSpec(shape=(1, size)) for size in (10, 20, 30, 40, 50)),
        ops=(
            OpSpec(inputs=(0,), outputs=(1,)),
            OpSpec(inputs=(1,), outputs=(2,)),
            OpSpec(kind="ADD", inputs=(2, 1), outputs=(3,)),
            OpSpec(inputs=(3,), outputs=(4,)),
        ),
        outputs=(1, 4),
    )
    result = analysis(spec)
    assert [layer.live_bytes for layer in result.layers] == [30, 50, 90, 110]
    assert result.peak_live_bytes == 110


def test_output_that_nobody_reads_lives_at_its_operator() -> None:
    spec = ModelSpec(
        tensors=tuple(TensorSpec(shape=(1, size)) for size in (10, 20, 40)),
        ops=(OpSpec(inputs=(0,), outputs=(2,)), OpSpec(inputs=(0,), outputs=(1,))),
        outputs=(1,),
    )
    assert [layer.live_bytes for layer in analysis(spec).layers] == [50, 30]


def test_shared_weights_count_once_in_the_network() -> None:
    spec = ModelSpec(
        tensors=(TensorSpec(), weights((4, 4)), TensorSpec(), TensorSpec()),
        ops=(
            OpSpec(kind="FULLY_CONNECTED", inputs=(0, 1), outputs=(2,)),
            OpSpec(kind="FULLY_CONNECTED", inputs=(2, 1), outputs=(3,)),
        ),
        outputs=(3,),
    )
    result = analysis(spec)
    assert [layer.parameters for layer in result.layers] == [16, 16]
    assert (result.parameters, result.weight_bytes) == (16, 16)


def test_operands_that_steer_are_no_parameters() -> None:
    shape = TensorSpec(shape=(2,), dtype="int32", data=bytes(8), scales=None)
    spec = ModelSpec(
        tensors=(TensorSpec(), shape, TensorSpec()),
        ops=(OpSpec(kind="RESHAPE", inputs=(0, 1), outputs=(2,)),),
        outputs=(2,),
    )
    assert analysis(spec).parameters == 0


def test_network_without_operators() -> None:
    spec = ModelSpec(tensors=(TensorSpec(shape=(1, 6)),), ops=(), outputs=(0,))
    result = analysis(spec)
    assert (result.macs, result.peak_live_bytes, result.layers) == (0, 6, ())
