"""The .tflite schema as data: operator names, element types, and which slot holds which option.

Numbers are those of the public schema (schema version 3); the order of a tuple is the numbering.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npubench.compiler.graph import DType

_OPERATOR_NAMES: Final = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
    RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM
    CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
    SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
    BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
    CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
    SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE
    POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
    UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
    RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL
    REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE
    MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
    SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM
    CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND
    HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE
    ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
    DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
    STABLEHLO_LOGISTIC STABLEHLO_ADD STABLEHLO_DIVIDE STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM
    STABLEHLO_RESHAPE STABLEHLO_CLAMP STABLEHLO_CONCATENATE STABLEHLO_BROADCAST_IN_DIM
    STABLEHLO_CONVOLUTION STABLEHLO_SLICE STABLEHLO_CUSTOM_CALL STABLEHLO_REDUCE STABLEHLO_ABS
    STABLEHLO_AND STABLEHLO_COSINE STABLEHLO_EXPONENTIAL STABLEHLO_FLOOR STABLEHLO_LOG
    STABLEHLO_MINIMUM STABLEHLO_NEGATE STABLEHLO_OR STABLEHLO_POWER STABLEHLO_REMAINDER
    STABLEHLO_RSQRT STABLEHLO_SELECT STABLEHLO_SUBTRACT STABLEHLO_TANH STABLEHLO_SCATTER
    STABLEHLO_COMPARE STABLEHLO_CONVERT STABLEHLO_DYNAMIC_SLICE STABLEHLO_DYNAMIC_UPDATE_SLICE
    STABLEHLO_PAD STABLEHLO_IOTA STABLEHLO_DOT_GENERAL STABLEHLO_REDUCE_WINDOW STABLEHLO_SORT
    STABLEHLO_WHILE STABLEHLO_GATHER STABLEHLO_TRANSPOSE DILATE STABLEHLO_RNG_BIT_GENERATOR
    REDUCE_WINDOW STABLEHLO_COMPOSITE STABLEHLO_SHIFT_LEFT STABLEHLO_CBRT STABLEHLO_CASE
"""
BUILTIN_OPERATORS: Final = tuple(_OPERATOR_NAMES.split())
"""Operator names by number."""

ELEMENT_TYPES: Final = (
    "float32",
    "float16",
    "int32",
    "uint8",
    "int64",
    "string",
    "bool",
    "int16",
    "complex64",
    "int8",
    "float64",
    "complex128",
    "uint64",
    "resource",
    "variant",
    "uint32",
    "uint16",
    "int4",
    "bfloat16",
    "int2",
    "uint4",
    "float8_e4m3fn",
    "float8_e5m2",
)
"""Names by number; what a Graph holds of them is in graph.DType."""

DTYPES: Final = {dtype.value: dtype for dtype in DType}

_PADDING: Final = ("SAME", "VALID")
_ACTIVATION: Final = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
_WEIGHTS_FORMAT: Final = ("DEFAULT", "SHUFFLED4x16INT8")


@dataclass(frozen=True, slots=True)
class Option:
    """One field of an options table. ``kind`` is its type: ``int``, ``bool``, ``float``, ``ints``,
    ``text`` or ``enum`` (``names`` are then its names in order). ``positive``: zero makes no
    sense."""

    slot: int
    name: str
    kind: str
    default: int = 0
    names: tuple[str, ...] = ()
    positive: bool = False


@dataclass(frozen=True, slots=True)
class OptionsTable:
    """An options table: its number in the union of options, its name and the fields we read."""

    number: int
    name: str
    fields: tuple[Option, ...]


def _activation(slot: int) -> Option:
    return Option(slot, "fused_activation_function", "enum", names=_ACTIVATION)


def _padding() -> Option:
    return Option(0, "padding", "enum", names=_PADDING)


def _size(slot: int, name: str, default: int = 0) -> Option:
    return Option(slot, name, "int", default, positive=True)


_POOL: Final = OptionsTable(
    5,
    "Pool2DOptions",
    (
        _padding(),
        _size(1, "stride_w"),
        _size(2, "stride_h"),
        _size(3, "filter_width"),
        _size(4, "filter_height"),
        _activation(5),
    ),
)

_REDUCE: Final = OptionsTable(27, "ReducerOptions", (Option(0, "keep_dims", "bool"),))

OPTIONS: Final[dict[str, OptionsTable]] = {
    "CONV_2D": OptionsTable(
        1,
        "Conv2DOptions",
        (
            _padding(),
            _size(1, "stride_w"),
            _size(2, "stride_h"),
            _activation(3),
            _size(4, "dilation_w_factor", 1),
            _size(5, "dilation_h_factor", 1),
            Option(6, "quantized_bias_type", "enum", names=ELEMENT_TYPES),
        ),
    ),
    "DEPTHWISE_CONV_2D": OptionsTable(
        2,
        "DepthwiseConv2DOptions",
        (
            _padding(),
            _size(1, "stride_w"),
            _size(2, "stride_h"),
            Option(3, "depth_multiplier", "int"),
            _activation(4),
            _size(5, "dilation_w_factor", 1),
            _size(6, "dilation_h_factor", 1),
        ),
    ),
    "FULLY_CONNECTED": OptionsTable(
        8,
        "FullyConnectedOptions",
        (
            _activation(0),
            Option(1, "weights_format", "enum", names=_WEIGHTS_FORMAT),
            Option(2, "keep_num_dims", "bool"),
            Option(3, "asymmetric_quantize_inputs", "bool"),
            Option(4, "quantized_bias_type", "enum", names=ELEMENT_TYPES),
        ),
    ),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "ADD": OptionsTable(
        11, "AddOptions", (_activation(0), Option(1, "pot_scale_int16", "bool", 1))
    ),
    "SUB": OptionsTable(
        28, "SubOptions", (_activation(0), Option(1, "pot_scale_int16", "bool", 1))
    ),
    "MUL": OptionsTable(21, "MulOptions", (_activation(0),)),
    "RESHAPE": OptionsTable(17, "ReshapeOptions", (Option(0, "new_shape", "ints"),)),
    "SQUEEZE": OptionsTable(30, "SqueezeOptions", (Option(0, "squeeze_dims", "ints"),)),
    "CONCATENATION": OptionsTable(
        10, "ConcatenationOptions", (Option(0, "axis", "int"), _activation(1))
    ),
    "SOFTMAX": OptionsTable(9, "SoftmaxOptions", (Option(0, "beta", "float"),)),
    "LEAKY_RELU": OptionsTable(75, "LeakyReluOptions", (Option(0, "alpha", "float"),)),
    "MEAN": _REDUCE,
    "SUM": _REDUCE,
    "REDUCE_MAX": _REDUCE,
    "REDUCE_MIN": _REDUCE,
    "REDUCE_ALL": _REDUCE,
    "REDUCE_PROD": _REDUCE,
    "DIV": OptionsTable(29, "DivOptions", (_activation(0),)),
    "CALL_ONCE": OptionsTable(103, "CallOnceOptions", (Option(0, "init_subgraph_index", "int"),)),
    "VAR_HANDLE": OptionsTable(
        111, "VarHandleOptions", (Option(0, "container", "text"), Option(1, "shared_name", "text"))
    ),
    "SPLIT": OptionsTable(35, "SplitOptions", (Option(0, "num_splits", "int"),)),
    "SPLIT_V": OptionsTable(79, "SplitVOptions", (Option(0, "num_splits", "int"),)),
    "PACK": OptionsTable(
        59, "PackOptions", (Option(0, "values_count", "int"), Option(1, "axis", "int"))
    ),
    "UNPACK": OptionsTable(
        64, "UnpackOptions", (Option(0, "num", "int"), Option(1, "axis", "int"))
    ),
    "GATHER": OptionsTable(
        23, "GatherOptions", (Option(0, "axis", "int"), Option(1, "batch_dims", "int"))
    ),
    "MIRROR_PAD": OptionsTable(
        77, "MirrorPadOptions", (Option(0, "mode", "enum", names=("REFLECT", "SYMMETRIC")),)
    ),
    "SPACE_TO_DEPTH": OptionsTable(19, "SpaceToDepthOptions", (_size(0, "block_size", 1),)),
    "DEPTH_TO_SPACE": OptionsTable(94, "DepthToSpaceOptions", (_size(0, "block_size", 1),)),
    "RESIZE_BILINEAR": OptionsTable(
        15,
        "ResizeBilinearOptions",
        (Option(2, "align_corners", "bool"), Option(3, "half_pixel_centers", "bool")),
    ),
    "TRANSPOSE_CONV": OptionsTable(
        49,
        "TransposeConvOptions",
        (_padding(), _size(1, "stride_w"), _size(2, "stride_h"), _activation(3)),
    ),
    "BATCH_MATMUL": OptionsTable(
        101,
        "BatchMatMulOptions",
        (
            Option(0, "adj_x", "bool"),
            Option(1, "adj_y", "bool"),
            Option(2, "asymmetric_quantize_inputs", "bool"),
        ),
    ),
    "L2_NORMALIZATION": OptionsTable(12, "L2NormOptions", (_activation(0),)),
    "GELU": OptionsTable(116, "GeluOptions", (Option(0, "approximate", "bool"),)),
    "SVDF": OptionsTable(6, "SVDFOptions", (Option(0, "rank", "int"), _activation(1))),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": OptionsTable(
        71,
        "UnidirectionalSequenceLSTMOptions",
        (
            _activation(0),
            Option(1, "cell_clip", "float"),
            Option(2, "proj_clip", "float"),
            Option(3, "time_major", "bool"),
            Option(5, "diagonal_recurrent_tensors", "bool"),
        ),
    ),
    "STRIDED_SLICE": OptionsTable(
        32,
        "StridedSliceOptions",
        (
            Option(0, "begin_mask", "int"),
            Option(1, "end_mask", "int"),
            Option(2, "ellipsis_mask", "int"),
            Option(3, "new_axis_mask", "int"),
            Option(4, "shrink_axis_mask", "int"),
            Option(5, "offset", "bool"),
        ),
    ),
    "RESIZE_NEAREST_NEIGHBOR": OptionsTable(
        74,
        "ResizeNearestNeighborOptions",
        (Option(0, "align_corners", "bool"), Option(1, "half_pixel_centers", "bool")),
    ),
}
"""Options by operator; an operator that is not here has none that we read."""
