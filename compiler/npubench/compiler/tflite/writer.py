"""A Graph as a .tflite: the inverse of the reader, for networks that are made or narrowed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from npubench.compiler.graph import Graph, Op, Tensor
from npubench.compiler.tflite.schema import BUILTIN_OPERATORS, ELEMENT_TYPES, OPTIONS, Option
from npubench.core.errors import CompileError

if TYPE_CHECKING:
    from flatbuffers import Builder

Field = tuple[str, Any]
"""(kind of slot, value)."""

SCHEMA_VERSION: Final = 3
_SLOTS: Final = {
    "b": "PrependInt8Slot",
    "bool": "PrependBoolSlot",
    "B": "PrependUint8Slot",
    "i": "PrependInt32Slot",
    "I": "PrependUint32Slot",
    "f": "PrependFloat32Slot",
    "ref": "PrependUOffsetTRelativeSlot",
}
_OLD_CODES: Final = 127


def write_tflite(graph: Graph) -> bytes:
    """The bytes of a .tflite that reads back as ``graph``; equal graphs give equal bytes.

    Raises CompileError for a network that keeps state in variables, and for an operator that has
    options which the schema here does not describe.
    """
    from flatbuffers import Builder

    if graph.variables:
        raise CompileError(
            f"{graph.name} keeps state between inferences, which is not written as a file",
            hint="use the file that it came from",
        )
    builder = Builder(1 << 16)
    builder.ForceDefaults(True)
    codes = list(dict.fromkeys((op.kind, op.custom_code) for op in graph.ops))
    buffers = [_table(builder, {})]
    tensors = [_tensor(builder, tensor, buffers) for tensor in graph.tensors]
    ops = [_operator(builder, op, codes.index((op.kind, op.custom_code))) for op in graph.ops]
    subgraph = _table(
        builder,
        {
            0: ("ref", _references(builder, tensors)),
            1: ("ref", _numbers(builder, graph.inputs, "int32")),
            2: ("ref", _numbers(builder, graph.outputs, "int32")),
            3: ("ref", _references(builder, ops)),
            4: ("ref", builder.CreateString(graph.name)),
        },
    )
    model = _table(
        builder,
        {
            0: ("I", SCHEMA_VERSION),
            1: ("ref", _references(builder, [_code(builder, *code) for code in codes])),
            2: ("ref", _references(builder, [subgraph])),
            3: ("ref", builder.CreateString("npubench")),
            4: ("ref", _references(builder, buffers)),
        },
    )
    builder.Finish(model, file_identifier=b"TFL3")
    return bytes(builder.Output())


def _code(builder: Builder, kind: str, custom_code: str) -> int:
    if kind not in BUILTIN_OPERATORS:
        raise CompileError(f"{kind} is no operator of the schema, so that it cannot be written")
    number = BUILTIN_OPERATORS.index(kind)
    fields: dict[int, Field] = {
        0: ("b", min(number, _OLD_CODES)),
        2: ("i", 1),
        3: ("i", number),
    }
    if custom_code:
        fields[1] = ("ref", builder.CreateString(custom_code))
    return _table(builder, fields)


def _tensor(builder: Builder, tensor: Tensor, buffers: list[int]) -> int:
    number = 0
    if tensor.data is not None:
        builder.StartVector(1, len(tensor.data), 16)  # as the schema's force_align says
        builder.head = builder.head - len(tensor.data)
        builder.Bytes[builder.head : builder.head + len(tensor.data)] = tensor.data
        data = int(builder.EndVector())
        number = len(buffers)
        buffers.append(_table(builder, {0: ("ref", data)}))
    fields: dict[int, Field] = {
        0: ("ref", _numbers(builder, tensor.shape, "int32")),
        1: ("b", ELEMENT_TYPES.index(tensor.dtype.value)),
        2: ("I", number),
        3: ("ref", builder.CreateString(tensor.name)),
    }
    if tensor.quantization is not None:
        scheme = tensor.quantization
        fields[4] = (
            "ref",
            _table(
                builder,
                {
                    2: ("ref", _numbers(builder, scheme.scales, "float32")),
                    3: ("ref", _numbers(builder, scheme.zero_points, "int64")),
                    6: ("i", scheme.axis),
                },
            ),
        )
    return _table(builder, fields)


def _operator(builder: Builder, op: Op, code: int) -> int:
    fields: dict[int, Field] = {
        0: ("I", code),
        1: ("ref", _numbers(builder, op.inputs, "int32")),
        2: ("ref", _numbers(builder, op.outputs, "int32")),
    }
    layout = OPTIONS.get(op.kind)
    if layout is not None:
        known = {option.name: option for option in layout.fields}
        values = {
            known[name].slot: _option(builder, known[name], value)
            for name, value in op.options.items()
        }
        fields[3] = ("B", layout.number)
        fields[4] = ("ref", _table(builder, values))
    elif op.options:
        raise CompileError(
            f"operator {op.index} {op.kind}: its options {sorted(op.options)} have no place"
        )
    if op.custom_options:
        fields[5] = ("ref", builder.CreateByteVector(op.custom_options))
    return _table(builder, fields)


def _option(builder: Builder, option: Option, value: Any) -> Field:
    match option.kind:
        case "ints":
            return "ref", _numbers(builder, value, "int32")
        case "text":
            return "ref", builder.CreateString(value)
        case "float":
            return "f", float(value)
        case "bool":
            return "bool", bool(value)
        case "enum":
            return "b", option.names.index(value)
        case _:
            return "i", int(value)


def _table(builder: Builder, fields: Mapping[int, Field]) -> int:
    """A table whose offsets were made before."""
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (kind, value) in sorted(fields.items()):
        getattr(builder, _SLOTS[kind])(slot, value, 0)
    return int(builder.EndObject())


def _references(builder: Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _numbers(builder: Builder, values: Sequence[float], dtype: str) -> int:
    array = np.asarray(values, dtype=dtype)
    if array.size == 0:
        return _references(builder, [])
    return int(builder.CreateNumpyVector(array))
