"""The ends of an .espdl file: names, types and shapes of inputs and outputs as the part will see
them. The format is that of espdl.fbs in espressif/esp-dl: 16 bytes of header, then a FlatBuffer."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from npubench.compiler.tflite.flatbuffer import Reader, Table
from npubench.core.errors import ModelFormatError

HEADER_BYTES = 16
_ENCRYPTED, _MOST_ENDS, _MOST_AXES, _MOST_CHARS = 1, 64, 8, 4096
TYPES = {1: "float32", 3: "int8", 5: "int16"}
"""Of the schema's TensorDataType, those that the driver knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An input or output. ``dtype``: of TYPES, or the schema's number; ``shape`` as on the part,
    images channels last; the scale is 2 to the ``exponent`` (without meaning for float32)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    exponent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Of a network."""

    inputs: tuple[End, ...]
    outputs: tuple[End, ...]


def read_ends(data: bytes) -> Ends:
    """Raises ModelFormatError for what is no plain .espdl file."""
    kind, size_bytes = struct.unpack_from("<II", data, 4) if len(data) >= HEADER_BYTES else (0, 0)
    if data[:4] != b"EDL2" or size_bytes > len(data) - HEADER_BYTES:
        raise ModelFormatError("network.espdl is no .espdl file", hint="make it with esp-ppq again")
    if kind == _ENCRYPTED:
        raise ModelFormatError("network.espdl is encrypted", hint="export it without encryption")
    reader = Reader(data[HEADER_BYTES : HEADER_BYTES + size_bytes], name="network.espdl")
    graph = reader.root().table(7, "graph")
    if graph is None:
        raise reader.fail("the graph is missing", 0)
    return Ends(
        inputs=tuple(_end(item) for item in graph.tables(4, _MOST_ENDS, "input")),
        outputs=tuple(_end(item) for item in graph.tables(5, _MOST_ENDS, "output")),
    )


def _end(info: Table) -> End:
    kind = info.table(1, "type of an end")
    tensor = None if kind is None else kind.table(1, "tensor type")
    shape = None if tensor is None else tensor.table(1, "shape")
    axes = () if shape is None else shape.tables(0, _MOST_AXES, "axis")
    sizes = [axis.table(0, "size of an axis") for axis in axes]
    number = 0 if tensor is None else tensor.integer(0, "i", 0, "element type")
    exponents = info.integers(3, "q", 1 << 16, "exponents")
    return End(
        name=info.text(0, _MOST_CHARS, "name of an end"),
        dtype=TYPES.get(number, f"type {number}"),
        shape=tuple(0 if size is None else size.integer(1, "q", 0, "size") for size in sizes),
        exponent=exponents[0] if exponents else 0,
    )
