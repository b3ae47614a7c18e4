"""Vela's output: a .tflite in which operators became CUSTOM ops "ethos-u", with a memory plan.

Such a file is no network that anybody else could run (its scratch tensors are produced by nothing),
so that the ordinary importer refuses it; what is needed of it is read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from npubench.compiler.graph import DType
from npubench.compiler.tflite.flatbuffer import Reader, Table
from npubench.compiler.tflite.schema import BUILTIN_OPERATORS
from npubench.core.errors import ModelFormatError

CUSTOM_CODE: Final = "ethos-u"
PLAN_METADATA: Final = "OfflineMemoryAllocation"
_COUNT_LIMIT: Final = 65_536
_OPERAND_LIMIT: Final = 4096
_NAME_LIMIT_BYTES: Final = 65_536
_BLOB_LIMIT_BYTES: Final = 256 << 20
_RANK_LIMIT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaTensor:
    """A tensor; ``data`` is None unless it is constant, ``offset_bytes`` None outside the arena.

    ``element_bytes`` is 0 for a type that no NPU touches, ``dtype`` None for one that no network of
    ours holds.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    element_bytes: int
    data: bytes | None
    offset_bytes: int | None
    dtype: DType | None = None

    @property
    def size_bytes(self) -> int:
        size = self.element_bytes
        for extent in self.shape:
            size *= extent
        return size


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaOp:
    """An operator: a builtin that stayed on the CPU, or a job of the NPU (``is_job``)."""

    kind: str
    custom_code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def is_job(self) -> bool:
        return self.kind == "CUSTOM" and self.custom_code == CUSTOM_CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class VelaModel:
    """The file's one subgraph."""

    tensors: tuple[VelaTensor, ...]
    ops: tuple[VelaOp, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTensors:
    """The operands of a job, by their roles: command stream, constants, scratch memories, data."""

    stream: VelaTensor
    constants: VelaTensor
    scratch: VelaTensor
    fast_scratch: VelaTensor
    inputs: tuple[VelaTensor, ...]
    outputs: tuple[VelaTensor, ...]


def job_tensors(model: VelaModel, op: VelaOp) -> JobTensors:
    """The operands of an ``ethos-u`` operator. Raises ModelFormatError when they are not there."""
    operands = tuple(model.tensors[index] for index in op.inputs)
    if len(operands) < 4 or operands[0].data is None:
        raise ModelFormatError("an ethos-u operator lacks its command stream or its memories")
    return JobTensors(
        stream=operands[0],
        constants=operands[1],
        scratch=operands[2],
        fast_scratch=operands[3],
        inputs=operands[4:],
        outputs=tuple(model.tensors[index] for index in op.outputs),
    )


def read_vela(data: bytes, *, name: str) -> VelaModel:
    """Parse Vela's output. Raises ModelFormatError with what is wrong and where."""
    if data[4:8] != b"TFL3":
        raise ModelFormatError(f"{name}: not a .tflite model")
    reader = Reader(data, name=name)
    model = reader.root()
    subgraphs = model.tables(2, _COUNT_LIMIT, "subgraph")
    if len(subgraphs) != 1:
        raise ModelFormatError(f"{name}: has {len(subgraphs)} subgraphs, exactly one can be run")
    buffers = model.tables(4, _COUNT_LIMIT, "buffer")
    tables = subgraphs[0].tables(0, _COUNT_LIMIT, "tensor")
    offsets = _offsets(model, buffers, len(tables), name)
    tensors = tuple(
        _tensor(index, table, buffers, offsets.get(index), name)
        for index, table in enumerate(tables)
    )
    kinds = tuple(_kind(code) for code in model.tables(1, _COUNT_LIMIT, "operator code"))
    ops = tuple(
        _operator(table, kinds, len(tensors), name)
        for table in subgraphs[0].tables(3, _COUNT_LIMIT, "operator")
    )
    return VelaModel(
        tensors=tensors,
        ops=ops,
        inputs=subgraphs[0].integers(1, "i", _OPERAND_LIMIT, "graph inputs"),
        outputs=subgraphs[0].integers(2, "i", _OPERAND_LIMIT, "graph outputs"),
    )


def _offsets(model: Table, buffers: tuple[Table, ...], tensors: int, name: str) -> dict[int, int]:
    """Arena offset of each planned tensor: int32 version, subgraphs, tensors, then the offsets."""
    for entry in model.tables(6, _COUNT_LIMIT, "metadata"):
        if entry.text(0, _NAME_LIMIT_BYTES, "name of metadata") != PLAN_METADATA:
            continue
        number = entry.integer(1, "I", 0, "buffer of metadata")
        blob = _buffer(buffers, number, name)
        if blob is None or len(blob) != 4 * (3 + tensors):
            raise ModelFormatError(f"{name}: {PLAN_METADATA} does not fit {tensors} tensors")
        values = struct.unpack(f"<{3 + tensors}i", blob)
        return {index: value for index, value in enumerate(values[3:]) if value >= 0}
    return {}


# Element sizes of schema.fbs's TensorType: float32, float16, int32, uint8, int64, string, bool,
# int16, complex64, int8.
_ELEMENT_BYTES: Final = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 8: 8, 9: 1}
_DTYPES: Final = {
    0: DType.FLOAT32,
    2: DType.INT32,
    3: DType.UINT8,
    4: DType.INT64,
    6: DType.BOOL,
    7: DType.INT16,
    9: DType.INT8,
}


def _tensor(
    index: int, table: Table, buffers: tuple[Table, ...], offset_bytes: int | None, name: str
) -> VelaTensor:
    title = table.text(3, _NAME_LIMIT_BYTES, f"name of tensor {index}")
    kind = table.integer(1, "b", 0, f"type of tensor {index}")
    return VelaTensor(
        index=index,
        name=title,
        shape=table.integers(0, "i", _RANK_LIMIT, f"shape of tensor {index}"),
        element_bytes=_ELEMENT_BYTES.get(kind, 0),
        dtype=_DTYPES.get(kind),
        data=_buffer(buffers, table.integer(2, "I", 0, f"buffer of tensor {index}"), name),
        offset_bytes=offset_bytes,
    )


def _buffer(buffers: tuple[Table, ...], number: int, name: str) -> bytes | None:
    if number >= len(buffers):
        raise ModelFormatError(f"{name}: buffer {number} of {len(buffers)}")
    return buffers[number].blob(0, _BLOB_LIMIT_BYTES, f"buffer {number}") or None


def _kind(code: Table) -> tuple[str, str]:
    number = max(
        code.integer(0, "b", 0, "deprecated_builtin_code"),
        code.integer(3, "i", 0, "builtin_code"),
    )
    custom = code.text(1, _NAME_LIMIT_BYTES, "custom_code")
    known = 0 <= number < len(BUILTIN_OPERATORS)
    return (BUILTIN_OPERATORS[number] if known else f"BUILTIN_{number}"), custom


def _operator(table: Table, kinds: tuple[tuple[str, str], ...], tensors: int, name: str) -> VelaOp:
    code = table.integer(0, "I", 0, "opcode_index")
    inputs = table.integers(1, "i", _OPERAND_LIMIT, "inputs of an operator")
    outputs = table.integers(2, "i", _OPERAND_LIMIT, "outputs of an operator")
    if code >= len(kinds) or any(not -1 <= index < tensors for index in (*inputs, *outputs)):
        raise ModelFormatError(f"{name}: an operator uses what the file does not have")
    kind, custom = kinds[code]
    return VelaOp(kind=kind, custom_code=custom, inputs=inputs, outputs=outputs)
