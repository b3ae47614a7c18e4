"""From the bytes of a .tflite file to a Graph; a hostile file ends in a ModelFormatError.

What the schema allows and the bench cannot use (control flow, dynamic shapes, sparse or float
networks) is refused here, so that all later stages work on plain checked data.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from npubench.compiler.graph import Graph, Op, OptionValue
from npubench.compiler.tflite.dataflow import check_dataflow, check_indices
from npubench.compiler.tflite.flatbuffer import Reader, Table
from npubench.compiler.tflite.identify import describe_file
from npubench.compiler.tflite.known import with_known_values
from npubench.compiler.tflite.purpose import branches, compiled_by_a_vendor
from npubench.compiler.tflite.schema import BUILTIN_OPERATORS, OPTIONS, Option
from npubench.compiler.tflite.state import Subgraph, with_state
from npubench.compiler.tflite.tensors import (
    LARGEST_SCALE,
    NAME_LIMIT_BYTES,
    QUANTIZE_HINT,
    RANK_LIMIT,
    TensorReader,
)
from npubench.core.errors import ModelFormatError, UsageError

FILE_LIMIT_BYTES: Final = 256 << 20
_COUNT_LIMIT: Final = 65_536
_OPERATOR_LIMIT: Final = 4096
_OPERAND_LIMIT: Final = 4096


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


def read_tflite(data: bytes, *, name: str, floats: bool = False) -> Graph:
    """Parse and check a .tflite. ``name`` names the network and stands in messages. ``floats``:
    read a float or hybrid network as well, to look at it; no backend takes such a graph.

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
    return _Parser(data, name).graph(floats=floats)


def operator_kinds(data: bytes, *, name: str) -> tuple[tuple[str, str], ...]:
    """Builtin name and custom code of every operator code that the file's subgraphs use, in the
    file's order. For a file that was read before."""
    return _Parser(data, name).used_kinds()


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

    def _error(self, what: str, *, hint: str = "") -> ModelFormatError:
        return ModelFormatError(f"{self._name}: {what}", hint=hint)

    def used_kinds(self) -> tuple[tuple[str, str], ...]:
        model = self._reader.root()
        kinds = [
            self._operator_kind(code) for code in model.tables(1, _COUNT_LIMIT, "operator code")
        ]
        used = {
            item.integer(0, "I", 0, "opcode_index")
            for table in model.tables(2, _COUNT_LIMIT, "subgraph")
            for item in table.tables(3, _OPERATOR_LIMIT, "operator")
        }
        return tuple(kind for index, kind in enumerate(kinds) if index in used)

    def graph(self, *, floats: bool) -> Graph:
        model = self._reader.root()
        version = model.integer(0, "I", 0, "schema version")
        if version != 3:
            raise self._error(f"schema version {version}, only version 3 can be read")
        codes = model.tables(1, _COUNT_LIMIT, "operator code")
        kinds = tuple(self._operator_kind(code) for code in codes)
        subgraphs = model.tables(2, _COUNT_LIMIT, "subgraph")
        other = compiled_by_a_vendor(code for _, code in kinds) or branches(
            (kind for kind, _ in kinds), len(subgraphs)
        )
        if other is not None:
            raise self._error(other[0], hint=other[1])
        reader = TensorReader(self._reader, model.tables(4, _COUNT_LIMIT, "buffer"))
        subgraph = subgraphs[0]
        main = self._subgraph(subgraph, reader, kinds)
        graph = Graph(
            name=self._name,
            sha256=hashlib.sha256(self._data).hexdigest(),
            tensors=main.tensors,
            ops=main.ops,
            inputs=subgraph.integers(1, "i", _OPERAND_LIMIT, "graph inputs"),
            outputs=subgraph.integers(2, "i", _OPERAND_LIMIT, "graph outputs"),
        )
        others = {
            number: self._subgraph(table, reader, kinds)
            for number, table in enumerate(subgraphs)
            if number > 0
        }
        variables = [
            index
            for index, table in enumerate(subgraph.tables(0, _COUNT_LIMIT, "tensor"))
            if reader.is_variable(index, table)
        ]
        check_indices(graph)
        graph = with_state(graph, others, variables)
        check_dataflow(graph, hint=QUANTIZE_HINT, floats=floats)
        return with_known_values(graph)

    def _subgraph(
        self, table: Table, reader: TensorReader, kinds: tuple[tuple[str, str], ...]
    ) -> Subgraph:
        return Subgraph(
            tensors=tuple(
                reader.read(index, item)
                for index, item in enumerate(table.tables(0, _COUNT_LIMIT, "tensor"))
            ),
            ops=tuple(
                self._operator(index, item, kinds)
                for index, item in enumerate(table.tables(3, _OPERATOR_LIMIT, "operator"))
            ),
        )

    def _operator_kind(self, code: Table) -> tuple[str, str]:
        """(builtin name, custom code). Old files hold the number in one byte, new ones in both
        fields; the larger is the operator."""
        number = max(
            code.integer(0, "b", 0, "deprecated_builtin_code"),
            code.integer(3, "i", 0, "builtin_code"),
        )
        if number < 0:
            raise self._error(f"operator code {number} is negative")
        custom = code.text(1, NAME_LIMIT_BYTES, "custom_code")
        if number >= len(BUILTIN_OPERATORS):
            return f"BUILTIN_{number}", custom
        return BUILTIN_OPERATORS[number], custom

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
            return options.integers(field.slot, "i", RANK_LIMIT, what)
        if field.kind == "float":
            value = 0.0 if options is None else options.real(field.slot, 0.0, what)
            if not abs(value) <= LARGEST_SCALE:
                raise self._error(f"{what} is {value}")
            return value
        if field.kind == "text":
            return "" if options is None else options.text(field.slot, NAME_LIMIT_BYTES, what)
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
