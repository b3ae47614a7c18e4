"""A .tflite becomes a Graph, or an error that says what is wrong and where; never anything else."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npubench.compiler.graph import DType, Graph
from npubench.compiler.tflite.reader import FILE_LIMIT_BYTES, load_tflite, read_tflite
from npubench.compiler.tflite.schema import BUILTIN_OPERATORS, OPTIONS
from npubench.core.errors import ModelFormatError, NpubenchError, UsageError
from support.tflite_writer import ModelSpec, OpSpec, TensorSpec, write_model

CONV = ModelSpec(
    tensors=(
        TensorSpec(name="image", shape=(1, 4, 4, 2), signature=(-1, 4, 4, 2)),
        TensorSpec(
            name="weights", shape=(3, 1, 1, 2), data=bytes(range(6)), scales=(0.1, 0.2, 0.3),
            zero_points=(0, 0, 0),
        ),
        TensorSpec(name="bias", shape=(3,), dtype="int32", data=bytes(12), scales=(0.5,)),
        TensorSpec(name="out", shape=(1, 2, 2, 3), zero_points=(-128,)),
    ),
    ops=(
        OpSpec(
            kind="CONV_2D", inputs=(0, 1, 2), outputs=(3,),
            options={0: ("b", 1), 1: ("i", 2), 2: ("i", 2), 3: ("b", 3)},
        ),
    ),
    outputs=(3,),
)  # fmt: skip
CONV_BYTES = write_model(CONV)


def read(spec: ModelSpec) -> Graph:
    return read_tflite(write_model(spec), name="m")


def refused(spec: ModelSpec) -> ModelFormatError:
    with pytest.raises(ModelFormatError) as caught:
        read(spec)
    assert caught.value.message.startswith("m: ")
    assert "\n" not in caught.value.message
    return caught.value


def with_tensor(index: int, **changes: object) -> ModelSpec:
    tensors = list(CONV.tensors)
    tensors[index] = replace(tensors[index], **changes)  # type: ignore[arg-type]
    return replace(CONV, tensors=tuple(tensors))


def with_op(**changes: object) -> ModelSpec:
    return replace(CONV, ops=(replace(CONV.ops[0], **changes),))  # type: ignore[arg-type]


def test_reads_a_convolution() -> None:
    graph = read(CONV)
    assert graph.sha256 == hashlib.sha256(CONV_BYTES).hexdigest()
    assert (graph.inputs, graph.outputs) == ((0,), (3,))
    op = graph.ops[0]
    assert (op.kind, op.inputs, op.outputs) == ("CONV_2D", (0, 1, 2), (3,))
    assert op.options == {
        "padding": "VALID", "stride_w": 2, "stride_h": 2, "fused_activation_function": "RELU6",
        "dilation_w_factor": 1, "dilation_h_factor": 1,
        "quantized_bias_type": "float32",
    }  # fmt: skip
    weights = graph.tensor(1)
    assert weights.data == bytes(range(6))
    assert weights.quantization is not None
    assert weights.quantization.scales == pytest.approx((0.1, 0.2, 0.3))
    assert weights.quantization.zero_points == (0, 0, 0)
    output = graph.tensor(3)
    assert (output.name, output.shape, output.dtype) == ("out", (1, 2, 2, 3), DType.INT8)
    assert output.data is None
    assert output.quantization is not None
    assert output.quantization.zero_point == -128


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_options_are_read_from_the_slots_of_the_published_schema(kind: str) -> None:
    """The generated reader of TensorFlow's own package finds in our tables what we find."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    table = OPTIONS[kind]
    values = {"int": ("i", 3), "bool": ("B", 1), "float": ("f", 0.25), "enum": ("b", 1)}
    values["text"] = ("s", "name")
    others = (ModelSpec(ops=(), outputs=()),) * 3 if kind == "CALL_ONCE" else ()
    fields = {f.slot: values[f.kind] for f in table.fields if f.kind in values}
    data = write_model(ModelSpec(ops=(OpSpec(kind=kind, options=fields),), others=others))
    ours = read_tflite(data, name="m").ops[0].options
    op = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs[0].operators[0]
    assert type(op.builtinOptions).__name__ == f"{table.name}T"
    for item in table.fields:
        words = item.name.split("_")
        theirs = getattr(op.builtinOptions, words[0] + "".join(w.capitalize() for w in words[1:]))
        if item.kind == "enum":
            assert ours[item.name] == item.names[theirs]
        elif item.kind == "text":
            assert ours[item.name] == theirs.decode()
        elif item.kind != "ints":
            assert ours[item.name] == theirs


def test_operator_names_follow_the_published_schema() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    published = {
        number: name
        for name, number in vars(schema.BuiltinOperator).items()
        if isinstance(number, int)
    }
    assert {number: BUILTIN_OPERATORS[number] for number in published} == published


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ((18, 0), "MUL"),
        ((18, 18), "MUL"),
        ((127, 151), "DYNAMIC_UPDATE_SLICE"),
        ((0, 4000), "BUILTIN_4000"),
    ],
)
def test_operator_number_is_the_larger_of_both_fields(code: tuple[int, int], kind: str) -> None:
    assert read(ModelSpec(ops=(OpSpec(code=code, inputs=(0, 0)),))).ops[0].kind == kind


def test_custom_operators_keep_code_and_options() -> None:
    spec = ModelSpec(ops=(OpSpec(kind="CUSTOM", custom_code="my-op", custom_options=b"\1\2"),))
    op = read(spec).ops[0]
    assert (op.kind, op.custom_code, op.custom_options) == ("CUSTOM", "my-op", b"\1\2")


def test_absent_options_are_the_defaults_of_the_schema() -> None:
    op = read(ModelSpec(ops=(OpSpec(kind="ADD", inputs=(0, 0)),))).ops[0]
    assert op.options == {"fused_activation_function": "NONE", "pot_scale_int16": True}


def test_missing_optional_input_is_minus_one() -> None:
    assert read(with_op(inputs=(0, 1, -1))).ops[0].inputs == (0, 1, -1)


@pytest.mark.parametrize(
    "name",
    ["", "int", "a" * 10_000, '";}system("rm -rf /");{//', "dup", "löschen\n*/", b"\xff\xfe"],
)
def test_any_tensor_name_is_data(name: str | bytes) -> None:
    graph = read(with_tensor(0, name=name))
    if isinstance(name, str):
        assert graph.tensor(0).name == name
    else:
        assert graph.tensor(0).name == "��"


def test_long_names_are_cut_in_messages() -> None:
    message = refused(with_tensor(0, name="x\n" * 5000, shape=(1, -1))).message
    assert len(message) < 300


def test_buffer_behind_the_flatbuffer_is_read() -> None:
    tail = b"ABCDEF"
    bare = with_tensor(1, data=None, buffer=3)
    size = len(write_model(replace(bare, buffers=({1: ("Q", 0), 2: ("Q", 6)},))))
    spec = replace(bare, buffers=({1: ("Q", size), 2: ("Q", 6)},), tail=tail)
    with pytest.raises(ModelFormatError, match="buffer 3"):
        read(with_tensor(1, data=None, buffer=3))
    spec = replace(spec, tensors=(spec.tensors[0], replace(spec.tensors[1], buffer=2),
                                  spec.tensors[2], spec.tensors[3]))  # fmt: skip
    assert read(spec).tensor(1).data == tail
    cut = replace(spec, tail=tail[:-1])
    assert "outside the file" in refused(cut).message
    wild = replace(spec, buffers=({1: ("Q", 2**63), 2: ("Q", 6)},))
    assert "outside the file" in refused(wild).message


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"", "empty"),
        (b"abc", "3 bytes"),
        (b"\x7fELF" + bytes(60), "ELF"),
        (b"PK\x03\x04" + bytes(60), "zip"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5"),
        (b"\x08\x07\x12\x07pytorch" + bytes(9), "ONNX"),
        (b"import tensorflow as tf\n", "text"),
        (b"\x1c\0\0\0TFL2" + bytes(60), "TFL2"),
        (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
        (bytes(range(128, 200)), "identifier"),
    ],
)
def test_says_what_a_foreign_file_looks_like(data: bytes, looks: str) -> None:
    with pytest.raises(ModelFormatError, match=looks) as caught:
        read_tflite(data, name="m")
    assert caught.value.hint


FLOAT_CHAIN = (TensorSpec(dtype="float32", scales=None), TensorSpec(dtype="float32", scales=None))


def test_float_network_is_refused_with_how_to_quantize() -> None:
    error = refused(ModelSpec(tensors=FLOAT_CHAIN))
    assert "float model" in error.message
    assert "RELU (index 0)" in error.message
    assert "representative_dataset" in error.hint


def test_hybrid_network_is_named() -> None:
    spec = ModelSpec(
        tensors=(*FLOAT_CHAIN, TensorSpec(shape=(4, 4), data=bytes(16))),
        ops=(OpSpec(kind="FULLY_CONNECTED", inputs=(0, 2, -1)),),
    )
    error = refused(spec)
    assert "hybrid" in error.message
    assert "post-training quantization" in error.hint


def test_partly_float_network_is_named() -> None:
    spec = ModelSpec(
        tensors=(TensorSpec(), *FLOAT_CHAIN, TensorSpec()),
        ops=(
            OpSpec(kind="DEQUANTIZE", inputs=(0,), outputs=(1,)),
            OpSpec(kind="EXP", inputs=(1,), outputs=(2,)),
            OpSpec(kind="QUANTIZE", inputs=(2,), outputs=(3,)),
        ),
        outputs=(3,),
    )
    assert "only a part" in refused(spec).message


def test_float16_network_is_named() -> None:
    spec = ModelSpec(
        tensors=(*FLOAT_CHAIN, TensorSpec(dtype="float16", data=bytes(8), scales=None)),
        ops=(OpSpec(kind="DEQUANTIZE", inputs=(2,), outputs=(1,)),),
    )
    error = refused(spec)
    assert "float16 model" in error.message
    assert "int8" in error.hint


def test_float_is_allowed_at_the_border() -> None:
    spec = ModelSpec(
        tensors=(FLOAT_CHAIN[0], TensorSpec(), TensorSpec(), FLOAT_CHAIN[1]),
        ops=(
            OpSpec(kind="QUANTIZE", inputs=(0,), outputs=(1,)),
            OpSpec(kind="RELU", inputs=(1,), outputs=(2,)),
            OpSpec(kind="DEQUANTIZE", inputs=(2,), outputs=(3,)),
        ),
        outputs=(3,),
    )
    graph = read(spec)
    assert graph.tensor(0).dtype is DType.FLOAT32
    assert graph.tensor(3).dtype is DType.FLOAT32


def test_batch_unknown_to_keras_is_one_but_other_unknown_sizes_are_refused() -> None:
    assert read(with_tensor(0, signature=(-1, 4, 4, 2))).tensor(0).shape == (1, 4, 4, 2)
    spec = with_tensor(0, shape=(1, 1, 1, 2), signature=(-1, -1, -1, 2))
    assert "dynamic shape [-1, -1, -1, 2]" in refused(spec).message


BAD = {
    "version": (replace(CONV, version=2), "schema version 2"),
    "no subgraph": (replace(CONV, subgraphs=0), "0 subgraphs"),
    "two subgraphs": (replace(CONV, subgraphs=2), "2 subgraphs"),
    "negative shape": (with_tensor(0, shape=(1, -1, 4, 2), signature=None), "dynamic shape"),
    "zero shape": (with_tensor(0, shape=(1, 0, 4, 2), signature=None), "no elements"),
    "signature rank": (with_tensor(0, signature=(1, 4)), "shape_signature"),
    "huge tensor": (with_tensor(0, shape=(1, 65536, 65536, 2), signature=None), "limit"),
    "rank": (with_tensor(0, shape=(1,) * 9, signature=None), "more than 8"),
    "short buffer": (with_tensor(1, data=bytes(5)), "needs 6 bytes of data, its buffer has 5"),
    "long buffer": (with_tensor(1, data=bytes(7)), "needs 6 bytes"),
    "buffer index": (with_tensor(1, buffer=99), "uses buffer 99"),
    "element type": (with_tensor(0, extra={1: ("b", 99)}), "unknown element type 99"),
    "string": (with_tensor(0, dtype="string"), "elements of string"),
    "variable": (with_tensor(0, extra={5: ("B", 1)}), "is a variable"),
    "external buffer": (with_tensor(0, extra={10: ("I", 1)}), "another file"),
    "no scale": (with_tensor(0, scales=None), "no scale"),
    "scale zero": (with_tensor(0, scales=(0.0,)), "scale 0.0"),
    "scale nan": (with_tensor(1, scales=(float("nan"),), zero_points=(0,)), "scale nan"),
    "scale infinite": (with_tensor(0, scales=(float("inf"),)), "scale inf"),
    "scale huge": (with_tensor(1, scales=(1e30,), zero_points=(0,)), "the scale 1.0"),
    "scale negative": (with_tensor(0, scales=(-1.0,)), "scale -1.0"),
    "zero point": (with_tensor(0, zero_points=(128,)), "zero point 128"),
    "bias zero point": (with_tensor(2, zero_points=(1,)), "zero point 1"),
    "scales of activation": (
        with_tensor(0, scales=(1.0, 1.0), zero_points=(0, 0)), "activation with 2 scales",
    ),
    "scale count": (with_tensor(1, scales=(1.0, 1.0), zero_points=(0, 0)), "2 scales along axis 0"),
    "scale axis": (with_tensor(1, axis=-1), "along axis -1"),
    "too many scales": (with_tensor(1, scales=(1.0,) * 99), "more than 3"),
    "zero point count": (with_tensor(1, zero_points=(0, 0)), "2 zero points"),
    "blockwise": (with_tensor(1, quantization_extra={4: ("B", 2)}), "blockwise"),
    "opcode index": (with_op(opcode_index=7), "operator code 7"),
    "negative opcode": (with_op(code=(-3, -1)), "negative"),
    "options of another operator": (with_op(options_type=9), "not Conv2DOptions"),
    "padding value": (with_op(options={0: ("b", 5)}), "padding"),
    "stride zero": (with_op(options={0: ("b", 0)}), "stride_w of CONV_2D (index 0) is 0"),
    "stride negative": (with_op(options={1: ("i", -1), 2: ("i", 1)}), "stride_w"),
    "dilation zero": (with_op(options={1: ("i", 1), 2: ("i", 1), 4: ("i", 0)}), "dilation_w"),
    "input index": (with_op(inputs=(0, 1, 44)), "reads tensor 44"),
    "input index negative": (with_op(inputs=(0, 1, -2)), "reads tensor -2"),
    "output index": (with_op(outputs=(44,)), "writes tensor 44"),
    "output optional": (with_op(outputs=(-1,)), "writes tensor -1"),
    "operators": (ModelSpec(ops=(OpSpec(),) * 4097), "4097 items, more than 4096"),
    "no output": (with_op(outputs=()), "has no outputs"),
    "writes a constant": (with_op(outputs=(2,)), "writes the constant"),
    "reads its own output": (with_op(inputs=(3, 1, 2)), "before anything produces it"),
    "writes an input": (with_op(outputs=(0,)), "a second time"),
    "graph input index": (replace(CONV, inputs=(9,)), "graph input is tensor 9"),
    "graph input constant": (replace(CONV, inputs=(1,)), "is a constant"),
    "graph input twice": (replace(CONV, inputs=(0, 0)), "twice"),
    "graph output index": (replace(CONV, outputs=(-1,)), "graph output is tensor -1"),
    "no graph inputs": (replace(CONV, inputs=()), "no inputs"),
    "no graph outputs": (replace(CONV, outputs=()), "no outputs"),
    "cycle": (
        ModelSpec(
            tensors=(TensorSpec(), TensorSpec(), TensorSpec()),
            ops=(OpSpec(inputs=(2,), outputs=(1,)), OpSpec(inputs=(1,), outputs=(2,))),
        ),
        "RELU (index 0) reads tensor 2 ('t') before anything produces it",
    ),
    "two producers": (ModelSpec(ops=(OpSpec(), OpSpec())), "RELU (index 1) writes tensor 1"),
    "output never produced": (
        ModelSpec(tensors=(TensorSpec(),) * 3, outputs=(2,)), "is never produced",
    ),
    "beta": (
        ModelSpec(ops=(OpSpec(kind="SOFTMAX", options={0: ("f", float("inf"))}),)), "beta",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_model_is_refused_with_what_and_where(case: str) -> None:
    spec, words = BAD[case]
    assert words in refused(spec).message


@pytest.mark.parametrize("length", range(8, len(CONV_BYTES), 7))
def test_truncated_model_is_refused(length: int) -> None:
    with pytest.raises(ModelFormatError):
        read_tflite(CONV_BYTES[:length], name="m")


def graph_or_error(data: bytes) -> Graph | None:
    """None for one of our errors that blames the file; anything else fails the test."""
    try:
        return read_tflite(data, name="m")
    except NpubenchError as error:
        if error.exit_code != 2:
            raise
        return None


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(8, len(CONV_BYTES) - 1), st.integers(0, 7)), min_size=1, max_size=6
    )
)
def test_flipped_bits_give_a_graph_or_our_error(flips: list[tuple[int, int]]) -> None:
    data = bytearray(CONV_BYTES)
    for position, bit in flips:
        data[position] ^= 1 << bit
    graph = graph_or_error(bytes(data))
    for tensor in graph.tensors if graph else ():
        assert tensor.data is None or len(tensor.data) == tensor.size_bytes


@settings(max_examples=200, deadline=None)
@given(st.integers(2, len(CONV_BYTES) // 4 - 1), st.integers(0, 2**32 - 1))
def test_wild_words_give_a_graph_or_our_error(word: int, value: int) -> None:
    data = bytearray(CONV_BYTES)
    data[4 * word : 4 * word + 4] = value.to_bytes(4, "little")
    graph_or_error(bytes(data))


def test_load_names_the_network_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "my net.tflite"
    path.write_bytes(CONV_BYTES)
    data, graph = load_tflite(path)
    assert data == CONV_BYTES
    assert graph.name == "my net"


def test_load_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.tflite"):
        load_tflite(tmp_path / "none.tflite")
    with pytest.raises(ModelFormatError, match="folder"):
        load_tflite(tmp_path)


def test_load_refuses_an_absurd_size_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "big.tflite"
    with path.open("wb") as file:
        file.truncate(FILE_LIMIT_BYTES + 1)
    with pytest.raises(ModelFormatError, match="limit"):
        load_tflite(path)
