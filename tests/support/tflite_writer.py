"""Writes small .tflite files for tests, sound ones and ones that lie, slot by slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np

from npubench.compiler.tflite.schema import BUILTIN_OPERATORS, ELEMENT_TYPES, OPTIONS

Field = tuple[str, float | str]
"""(type letter, value); ``ref`` marks an offset, ``s`` a text."""

_SLOT_WRITERS = {
    "b": "PrependInt8Slot",
    "B": "PrependUint8Slot",
    "i": "PrependInt32Slot",
    "I": "PrependUint32Slot",
    "Q": "PrependUint64Slot",
    "f": "PrependFloat32Slot",
    "ref": "PrependUOffsetTRelativeSlot",
}


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """A tensor to write. ``extra`` adds or overrides slots of its table."""

    shape: Sequence[int] = (1, 4)
    dtype: str = "int8"
    data: bytes | None = None
    scales: Sequence[float] | None = (0.5,)
    zero_points: Sequence[int] = (0,)
    axis: int = 0
    name: str | bytes = "t"
    signature: Sequence[int] | None = None
    buffer: int | None = None
    quantization_extra: dict[int, Field] = field(default_factory=dict)
    extra: dict[int, Field] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OpSpec:
    """An operator to write. ``options`` are by slot of the kind's options table; None leaves the
    table out. ``code`` overrides (deprecated_builtin_code, builtin_code)."""

    kind: str = "RELU"
    inputs: Sequence[int] = (0,)
    outputs: Sequence[int] = (1,)
    options: dict[int, Field] | None = None
    options_type: int | None = None
    custom_code: str = ""
    custom_options: bytes = b""
    code: tuple[int, int] | None = None
    opcode_index: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model to write. ``tail`` is appended behind the flatbuffer; ``buffers`` are extra buffers'
    tables by slot (their number starts after the tensors' own); ``others``: further subgraphs."""

    tensors: Sequence[TensorSpec] = (TensorSpec(name="in"), TensorSpec(name="out"))
    ops: Sequence[OpSpec] = (OpSpec(),)
    inputs: Sequence[int] = (0,)
    outputs: Sequence[int] = (1,)
    version: int = 3
    subgraphs: int = 1
    others: Sequence[ModelSpec] = ()
    buffers: Sequence[dict[int, Field]] = ()
    identifier: bytes = b"TFL3"
    tail: bytes = b""


def write_model(spec: ModelSpec) -> bytes:
    """The bytes of the model."""
    builder = flatbuffers.Builder(4096)
    builder.ForceDefaults(True)
    buffers: list[int] = [_table(builder, {})]
    tensors = [_tensor(builder, item, buffers) for item in spec.tensors]
    others = [[_tensor(builder, item, buffers) for item in other.tensors] for other in spec.others]
    buffers += [_table(builder, fields) for fields in spec.buffers]
    codes: list[int] = []
    subgraph = _subgraph(builder, spec, tensors, codes)
    further = [
        _subgraph(builder, other, made, codes)
        for other, made in zip(spec.others, others, strict=True)
    ]
    model = _table(
        builder,
        {
            0: ("I", spec.version),
            1: ("ref", _refs(builder, codes)),
            2: ("ref", _refs(builder, [subgraph] * spec.subgraphs + further)),
            4: ("ref", _refs(builder, buffers)),
        },
    )
    builder.Finish(model, file_identifier=spec.identifier)
    return bytes(builder.Output()) + spec.tail


def _subgraph(
    builder: flatbuffers.Builder, spec: ModelSpec, tensors: list[int], codes: list[int]
) -> int:
    first = len(codes)
    codes += [_code(builder, item) for item in spec.ops]
    ops = [_op(builder, item, first + index) for index, item in enumerate(spec.ops)]
    return _table(
        builder,
        {
            0: ("ref", _refs(builder, tensors)),
            1: ("ref", _numbers(builder, spec.inputs, np.int32)),
            2: ("ref", _numbers(builder, spec.outputs, np.int32)),
            3: ("ref", _refs(builder, ops)),
        },
    )


def _table(builder: flatbuffers.Builder, fields: dict[int, Field]) -> int:
    fields = {
        slot: ("ref", builder.CreateString(value)) if code == "s" else (code, value)
        for slot, (code, value) in fields.items()
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, (code, value) in sorted(fields.items()):
        getattr(builder, _SLOT_WRITERS[code])(slot, value, 0)
    return int(builder.EndObject())


def _refs(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _numbers(builder: flatbuffers.Builder, values: Sequence[float], dtype: type) -> int:
    array = np.asarray(values, dtype=dtype)
    if array.size == 0:
        return _refs(builder, [])
    return int(builder.CreateNumpyVector(array))


def _tensor(builder: flatbuffers.Builder, spec: TensorSpec, buffers: list[int]) -> int:
    number = 0
    if spec.data is not None:
        data = builder.CreateByteVector(spec.data)
        number = len(buffers)
        buffers.append(_table(builder, {0: ("ref", data)}))
    if spec.buffer is not None:
        number = spec.buffer
    fields: dict[int, Field] = {
        0: ("ref", _numbers(builder, spec.shape, np.int32)),
        1: ("b", ELEMENT_TYPES.index(spec.dtype)),
        2: ("I", number),
        3: ("ref", builder.CreateString(spec.name)),
    }
    if spec.scales is not None:
        quantization: dict[int, Field] = {
            2: ("ref", _numbers(builder, spec.scales, np.float32)),
            3: ("ref", _numbers(builder, spec.zero_points, np.int64)),
            6: ("i", spec.axis),
        }
        fields[4] = ("ref", _table(builder, quantization | spec.quantization_extra))
    if spec.signature is not None:
        fields[7] = ("ref", _numbers(builder, spec.signature, np.int32))
    return _table(builder, fields | spec.extra)


def _code(builder: flatbuffers.Builder, spec: OpSpec) -> int:
    number = BUILTIN_OPERATORS.index(spec.kind)
    deprecated, new = spec.code or (min(number, 127), number)
    fields: dict[int, Field] = {0: ("b", deprecated), 3: ("i", new)}
    if spec.custom_code:
        fields[1] = ("ref", builder.CreateString(spec.custom_code))
    return _table(builder, fields)


def _op(builder: flatbuffers.Builder, spec: OpSpec, index: int) -> int:
    fields: dict[int, Field] = {
        0: ("I", index if spec.opcode_index is None else spec.opcode_index),
        1: ("ref", _numbers(builder, spec.inputs, np.int32)),
        2: ("ref", _numbers(builder, spec.outputs, np.int32)),
    }
    if spec.options is not None:
        number = OPTIONS[spec.kind].number if spec.options_type is None else spec.options_type
        fields[3] = ("B", number)
        fields[4] = ("ref", _table(builder, spec.options))
    if spec.custom_options:
        fields[5] = ("ref", builder.CreateByteVector(spec.custom_options))
    return _table(builder, fields)
