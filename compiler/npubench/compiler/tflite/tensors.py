"""The tensors of a .tflite: static shapes, known element types, whole constants, sane scales."""

from __future__ import annotations

import math
from typing import Final

from npubench.compiler.graph import DType, Quantization, Tensor
from npubench.compiler.tflite.flatbuffer import Reader, Table
from npubench.compiler.tflite.purpose import element_hint
from npubench.compiler.tflite.schema import DTYPES, ELEMENT_TYPES
from npubench.core.errors import ModelFormatError

TENSOR_LIMIT_BYTES: Final = 1 << 30
RANK_LIMIT: Final = 8
NAME_LIMIT_BYTES: Final = 1 << 20
SMALLEST_SCALE: Final = 2.0**-149
"""Of activations: what is always zero may have been given any scale above zero."""
LARGEST_SCALE: Final = 2.0**40
"""Beyond what quantization gives, and such that quotients of scales stay finite in float32."""

QUANTIZE_HINT: Final = (
    "quantize it to int8, from the Keras file or SavedModel that it was made from: npubench models "
    "quantize my.keras --samples inputs.npy --output my.tflite (or by TensorFlow's own converter: "
    "full-integer post-training quantization with a representative_dataset)"
)


class TensorReader:
    """Reads tensors of one file; a buffer that several tensors use is copied out once."""

    def __init__(self, reader: Reader, buffers: tuple[Table, ...]) -> None:
        self._reader = reader
        self._buffers = buffers
        self._buffer_bytes: dict[int, bytes | None] = {}

    def _error(self, what: str, *, hint: str = "") -> ModelFormatError:
        return ModelFormatError(f"{self._reader.name}: {what}", hint=hint)

    def read(self, index: int, table: Table) -> Tensor:
        """Tensor ``index`` of the subgraph. Raises ModelFormatError."""
        name = table.text(3, NAME_LIMIT_BYTES, f"name of tensor {index}")
        where = f"tensor {index} ({name[:60]!r})"
        dtype = self._dtype(table, where)
        shape = table.integers(0, "i", RANK_LIMIT, f"shape of {where}")
        signature = table.integers(7, "i", RANK_LIMIT, f"shape_signature of {where}")
        self._check_shape(shape, signature, where)
        size_bytes = math.prod(shape) * dtype.size_bytes
        if size_bytes > TENSOR_LIMIT_BYTES:
            raise self._error(f"{where} has {size_bytes} bytes, the limit is {TENSOR_LIMIT_BYTES}")
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

    def is_variable(self, index: int, table: Table) -> bool:
        """Whether an operator keeps tensor ``index`` from one inference to the next."""
        return table.boolean(5, f"is_variable of tensor {index}")

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
                f"{where} has elements of {name}, which no kernel reads", hint=element_hint(name)
            )
        return DTYPES[name]

    def _check_shape(self, shape: tuple[int, ...], signature: tuple[int, ...], where: str) -> None:
        """Static. The converter writes -1 for the batch of an ordinary Keras model
        and sizes it 1 in ``shape``; any other -1 is a dimension that is not known."""
        hint = "export the model with a fixed input shape, batch 1"
        if any(size < 0 for size in shape):
            raise self._error(f"{where} has the dynamic shape {list(shape)}", hint=hint)
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
        inside = table.blob(0, len(self._reader.data), what)
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
        elif constant and dtype in (DType.INT32, DType.INT64):
            # A bias: its scales follow from those of input and weights, and TensorFlow Lite Micro
            # reads neither them nor their axis. Converters write the weights' axis here.
            fits = math.prod(shape) == len(scales) and len(scales) in shape
            if not fits or len(zero_points) not in (0, 1, len(scales)):
                return None
            axis = shape.index(len(scales))
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
        """Scales are sane (those of a dead channel's weights and bias may underflow to zero); zero
        points lie in the element type's range."""
        for scale in scales:
            low = 0.0 if constant else SMALLEST_SCALE
            if not low <= scale <= LARGEST_SCALE:
                raise self._error(f"{where} has the scale {scale}")
        # int16 codes are symmetric but for what a softmax of int8 makes.
        low, high = {
            DType.INT8: (-128, 127),
            DType.UINT8: (0, 255),
            DType.INT16: (-32768, 32767),
        }.get(dtype, (0, 0))
        for zero_point in zero_points:
            if not low <= zero_point <= high:
                raise self._error(f"{where} of {dtype} has the zero point {zero_point}")
