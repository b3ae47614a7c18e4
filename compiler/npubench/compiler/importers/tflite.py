"""From the bytes of a .tflite file to a Graph; a hostile file ends in a ModelFormatError.

What the schema allows and the bench cannot use (several subgraphs, dynamic shapes, variables,
sparse or float networks) is refused here, so that all later stages work on plain checked data.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Final

from npubench.compiler.graph import DType, Graph, Op, OptionValue, Quantization, Tensor
from npubench.compiler.importers.dataflow import check_dataflow
from npubench.compiler.importers.flatbuffer import Reader, Table
from npubench.compiler.importers.identify import describe_file
from npubench.compiler.importers.schema import (
    BUILTIN_OPERATORS,
    DTYPES,
    ELEMENT_TYPES,
    OPTIONS,
    Option,
)
from npubench.core.errors import ModelFormatError, UsageError

FILE_LIMIT_BYTES: Final = 256 << 20
TENSOR_LIMIT_BYTES: Final = 1 << 30
_COUNT_LIMIT: Final = 65_536
_RANK_LIMIT: Final = 8
_OPERAND_LIMIT: Final = 4096
_NAME_LIMIT_BYTES: Final = 1 << 20

QUANTIZE_HINT: Final = (
    "quantize it to int8 with TensorFlow's full-integer post-training quantization: "
    "tf.lite.TFLiteConverter with optimizations = [tf.lite.Optimize.DEFAULT], a "
    "representative_dataset, target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8], "
    "inference_input_type = inference_output_type = tf.int8"
)


def load_tflite(path: Path) -> tuple[bytes, Graph]:
    """Read a model file: its bytes as they are, and its Graph named by the file's stem.

    Raises UsageError when there is no such file, ModelFormatError when it is no usable model.
    """
    try:
        if path.is_dir():
            raise ModelFormatError(
                f"{path}: is a folder, not a .tflite file",
                hint="a TensorFlow SavedModel is a folder; convert it to an int8 .tflite first",
            )
        size_bytes = path.stat().st_size
        if size_bytes > FILE_LIMIT_BYTES:
            raise _too_large(str(path), size_bytes)
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read model {path}: {error.strerror or error}") from error
    return data, read_tflite(data, name=path.stem)


def read_tflite(data: bytes, *, name: str) -> Graph:
    """Parse and check a .tflite. ``name`` names the network and stands in messages.

    Raises ModelFormatError with what is wrong and where: not a .tflite, truncated, wild offsets,
    dynamic shapes, a float or hybrid network, inconsistent data flow.
    """
    if len(data) > FILE_LIMIT_BYTES:
        raise _too_large(name, len(data))
    if data[4:8] != b"TFL3":
        raise ModelFormatError(
            f"{name}: not a .tflite model: {describe_file(data)}",
            hint="bring an int8 .tflite file; Keras, SavedModel and ONNX models convert to one",
        )
    return _Parser(data, name).graph()


def _too_large(name: str, size_bytes: int) -> ModelFormatError:
    return ModelFormatError(
        f"{name}: the file has {size_bytes} bytes, the limit is {FILE_LIMIT_BYTES}",
        hint="no microcontroller holds such a model",
    )


class _Parser:
    """One pass over one file."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        self._reader = Reader(data, name=name)
        self._buffers: tuple[Table, ...] = ()
        self._buffer_bytes: dict[int, bytes | None] = {}

    def _error(self, what: str, *, hint: str = "") -> ModelFormatError:
        return ModelFormatError(f"{self._name}: {what}", hint=hint)

    def graph(self) -> Graph:
        model = self._reader.root()
        version = model.integer(0, "I", 0, "schema version")
        if version != 3:
            raise self._error(f"schema version {version}, only version 3 can be read")
        codes = model.tables(1, _COUNT_LIMIT, "operator code")
        kinds = tuple(self._operator_kind(code) for code in codes)
        subgraphs = model.tables(2, _COUNT_LIMIT, "subgraph")
        if len(subgraphs) != 1:
            raise self._error(
                f"has {len(subgraphs)} subgraphs, exactly one can be run",
                hint="export one function without control flow (IF, WHILE, CALL_ONCE)",
            )
        self._buffers = model.tables(4, _COUNT_LIMIT, "buffer")
        subgraph = subgraphs[0]
        tensors = tuple(
            self._tensor(index, table)
            for index, table in enumerate(subgraph.tables(0, _COUNT_LIMIT, "tensor"))
        )
        ops = tuple(
            self._operator(index, table, kinds)
            for index, table in enumerate(subgraph.tables(3, _COUNT_LIMIT, "operator"))
        )
        graph = Graph(
            name=self._name,
            sha256=hashlib.sha256(self._data).hexdigest(),
            tensors=tensors,
            ops=ops,
            inputs=subgraph.integers(1, "i", _OPERAND_LIMIT, "graph inputs"),
            outputs=subgraph.integers(2, "i", _OPERAND_LIMIT, "graph outputs"),
        )
        check_dataflow(graph, hint=QUANTIZE_HINT)
        return graph

    def _operator_kind(self, code: Table) -> tuple[str, str]:
        """(builtin name, custom code). Old files hold the number in one byte, new ones in both
        fields; the larger is the operator."""
        number = max(
            code.integer(0, "b", 0, "deprecated_builtin_code"),
            code.integer(3, "i", 0, "builtin_code"),
        )
        if number < 0:
            raise self._error(f"operator code {number} is negative")
        custom = code.text(1, _NAME_LIMIT_BYTES, "custom_code")
        if number >= len(BUILTIN_OPERATORS):
            return f"BUILTIN_{number}", custom
        return BUILTIN_OPERATORS[number], custom

    def _tensor(self, index: int, table: Table) -> Tensor:
        name = table.text(3, _NAME_LIMIT_BYTES, f"name of tensor {index}")
        where = f"tensor {index} ({name[:60]!r})"
        dtype = self._dtype(table, where)
        shape = table.integers(0, "i", _RANK_LIMIT, f"shape of {where}")
        signature = table.integers(7, "i", _RANK_LIMIT, f"shape_signature of {where}")
        self._check_shape(shape, signature, where)
        size_bytes = math.prod(shape) * dtype.size_bytes
        if size_bytes > TENSOR_LIMIT_BYTES:
            raise self._error(f"{where} has {size_bytes} bytes, the limit is {TENSOR_LIMIT_BYTES}")
        if table.boolean(5, f"is_variable of {where}"):
            raise self._error(
                f"{where} is a variable",
                hint="networks that keep state between inferences are not supported",
            )
        if table.has(6):
            raise self._error(f"{where} is sparse", hint="export the model without sparsity")
        if table.integer(10, "I", 0, f"external_buffer of {where}"):
            raise self._error(
                f"{where} keeps its data in another file", hint="export the model as one file"
            )
        data = self._constant(table.integer(2, "I", 0, f"buffer of {where}"), where)
        if data is not None and len(data) != size_bytes:
            raise self._error(
                f"{where} of {dtype} {list(shape)} needs {size_bytes} bytes of data, "
                f"its buffer has {len(data)}"
            )
        return Tensor(
            index=index,
            name=name,
            shape=shape,
            dtype=dtype,
            quantization=self._quantization(table, shape, dtype, data is not None, where),
            data=data,
        )

    def _dtype(self, table: Table, where: str) -> DType:
        number = table.integer(1, "b", 0, f"type of {where}")
        if not 0 <= number < len(ELEMENT_TYPES):
            raise self._error(f"{where} has the unknown element type {number}")
        name = ELEMENT_TYPES[number]
        if name in ("float16", "bfloat16"):
            raise self._error(
                f"{where} is {name}: this is a {name} model, not an int8 model", hint=QUANTIZE_HINT
            )
        if name not in DTYPES:
            raise self._error(
                f"{where} has elements of {name}, which no kernel reads", hint=QUANTIZE_HINT
            )
        return DTYPES[name]

    def _check_shape(self, shape: tuple[int, ...], signature: tuple[int, ...], where: str) -> None:
        """Static and positive. The converter writes -1 for the batch of an ordinary Keras model
        and sizes it 1 in ``shape``; any other -1 is a dimension that is not known."""
        hint = "export the model with a fixed input shape, batch 1"
        if any(size < 0 for size in shape):
            raise self._error(f"{where} has the dynamic shape {list(shape)}", hint=hint)
        if any(size == 0 for size in shape):
            raise self._error(f"{where} has no elements: shape {list(shape)}", hint=hint)
        if signature and len(signature) != len(shape):
            raise self._error(
                f"{where} has shape {list(shape)} but shape_signature {list(signature)}", hint=hint
            )
        for axis, size in enumerate(signature):
            if size < 0 and not (axis == 0 and shape[0] == 1):
                raise self._error(
                    f"{where} has the dynamic shape {list(signature)} (shape_signature)", hint=hint
                )

    def _constant(self, number: int, where: str) -> bytes | None:
        """The bytes of buffer ``number``; None when it is empty, so the tensor is not constant."""
        if number >= len(self._buffers) and not (number == 0 and not self._buffers):
            raise self._error(
                f"{where} uses buffer {number}, the file has {len(self._buffers)}",
                hint="the file is damaged; export or download it again",
            )
        if number == 0:
            return None
        if number not in self._buffer_bytes:
            self._buffer_bytes[number] = self._read_buffer(number)
        return self._buffer_bytes[number]

    def _read_buffer(self, number: int) -> bytes | None:
        table = self._buffers[number]
        what = f"buffer {number}"
        inside = table.blob(0, FILE_LIMIT_BYTES, what)
        if inside:
            return inside
        offset = table.integer(1, "Q", 0, what)
        size_bytes = table.integer(2, "Q", 0, what)
        if offset > 1 and size_bytes:
            return self._reader.take_bytes(offset, size_bytes, what)
        return None

    def _quantization(
        self, tensor: Table, shape: tuple[int, ...], dtype: DType, constant: bool, where: str
    ) -> Quantization | None:
        table = tensor.table(4, f"quantization of {where}")
        if table is None:
            return None
        if table.integer(4, "B", 0, f"quantization of {where}"):
            raise self._error(f"{where} has a custom or blockwise quantization", hint=QUANTIZE_HINT)
        most = max((1, *shape))
        scales = table.numbers(2, "f", most, f"scales of {where}") or ()
        zero_points = table.integers(3, "q", most, f"zero points of {where}")
        if not scales:
            return None
        axis = table.integer(6, "i", 0, f"quantized_dimension of {where}")
        if len(scales) == 1:
            axis = 0
        elif not constant:
            raise self._error(f"{where} is an activation with {len(scales)} scales, not one")
        elif not 0 <= axis < len(shape) or shape[axis] != len(scales):
            raise self._error(
                f"{where} of shape {list(shape)} has {len(scales)} scales along axis {axis}"
            )
        if len(zero_points) not in (0, 1, len(scales)):
            raise self._error(
                f"{where} has {len(scales)} scales but {len(zero_points)} zero points"
            )
        if len(zero_points) != len(scales):
            zero_points = (zero_points or (0,)) * len(scales)
        self._check_quantization(scales, zero_points, dtype, constant, where)
        return Quantization(
            scales=tuple(float(scale) for scale in scales), zero_points=zero_points, axis=axis
        )

    def _check_quantization(
        self,
        scales: tuple[int | float, ...],
        zero_points: tuple[int, ...],
        dtype: DType,
        constant: bool,
        where: str,
    ) -> None:
        """Scales are finite and not negative (a dead channel's may underflow to zero); zero
        points lie in the element type's range."""
        for scale in scales:
            if not math.isfinite(scale) or scale < 0 or (scale == 0 and not constant):
                raise self._error(f"{where} has the scale {scale}")
        low, high = {DType.INT8: (-128, 127), DType.UINT8: (0, 255)}.get(dtype, (0, 0))
        for zero_point in zero_points:
            if not low <= zero_point <= high:
                raise self._error(f"{where} of {dtype} has the zero point {zero_point}")

    def _operator(self, index: int, table: Table, kinds: tuple[tuple[str, str], ...]) -> Op:
        where = f"operator {index}"
        code = table.integer(0, "I", 0, f"opcode_index of {where}")
        if code >= len(kinds):
            raise self._error(f"{where} uses operator code {code}, the file has {len(kinds)}")
        kind, custom_code = kinds[code]
        where = f"{kind} (index {index})"
        if table.integer(9, "Q", 0, f"custom options of {where}") > 1:
            raise self._error(f"{where} keeps its custom options outside the model's structure")
        return Op(
            index=index,
            kind=kind,
            inputs=table.integers(1, "i", _OPERAND_LIMIT, f"inputs of {where}"),
            outputs=table.integers(2, "i", _OPERAND_LIMIT, f"outputs of {where}"),
            options=self._options(kind, table, where),
            custom_code=custom_code,
            custom_options=table.blob(5, FILE_LIMIT_BYTES, f"custom options of {where}") or b"",
        )

    def _options(self, kind: str, table: Table, where: str) -> dict[str, OptionValue]:
        layout = OPTIONS.get(kind)
        if layout is None:
            return {}
        number = table.integer(3, "B", 0, f"options type of {where}")
        if number not in (0, layout.number):
            raise self._error(
                f"{where} carries options of type {number}, not {layout.name} ({layout.number})"
            )
        options = table.table(4, f"options of {where}") if number else None
        return {
            field.name: self._option(field, options, f"{field.name} of {where}")
            for field in layout.fields
        }

    def _option(self, field: Option, options: Table | None, what: str) -> OptionValue:
        """One option's value; the schema's default where the file is silent."""
        if field.kind == "ints":
            if options is None:
                return ()
            return options.integers(field.slot, "i", _RANK_LIMIT, what)
        if field.kind == "float":
            value = 0.0 if options is None else options.real(field.slot, 0.0, what)
            if not math.isfinite(value):
                raise self._error(f"{what} is {value}")
            return value
        code = "i" if field.kind == "int" else "b"
        number = (
            field.default
            if options is None
            else options.integer(field.slot, code, field.default, what)
        )
        if field.kind == "bool":
            return number != 0
        if field.kind == "enum":
            if not 0 <= number < len(field.names):
                raise self._error(f"{what} has the unknown value {number}")
            return field.names[number]
        if field.positive and number <= 0:
            raise self._error(f"{what} is {number}")
        return number
