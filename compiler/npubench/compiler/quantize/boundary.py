"""A .tflite's face: its inputs and outputs put into the source's order, under the source's names.

Converters order and rename them each in its own way; whoever feeds a network wants neither. Runs
in the worker process, with LiteRT's own reader and writer of the format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from npubench.core.errors import CompileError

SIGNATURE = "serving_default"
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """Names and shapes of a network's inputs, and the number of its outputs, as its source has
    them. ``output_names`` is empty where the source has none."""

    names: tuple[str, ...]
    shapes: tuple[Shape, ...]
    outputs: int
    output_names: tuple[str, ...] = ()


def with_face(data: bytes, face: Face) -> bytes:
    """The same network with its inputs and outputs as the source has them, and one signature.

    Raises CompileError when the converter's inputs cannot be matched with the source's.
    """
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(data), 0))
    graph = model.subgraphs[0]
    known = _signature(model)
    inputs = _ordered(graph, list(graph.inputs), known[0], face.names, face.shapes, "input")
    wanted = face.output_names or tuple(f"output_{index}" for index in range(face.outputs))
    outputs = _ordered(graph, list(graph.outputs), known[1], wanted, (), "output")
    graph.inputs, graph.outputs = inputs, outputs
    for name, index in zip(face.names, inputs, strict=True):
        graph.tensors[index].name = name.encode()
        graph.tensors[index].shapeSignature = None
    model.signatureDefs = [_definition(face.names, inputs, wanted, outputs)]
    return _packed(model)


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _signature(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Inputs and outputs by the names of the file's own signature, where it has one."""
    if not model.signatureDefs:
        return {}, {}
    first = model.signatureDefs[0]
    return (
        {_text(item.name): item.tensorIndex for item in first.inputs or ()},
        {_text(item.name): item.tensorIndex for item in first.outputs or ()},
    )


def _ordered(
    graph: Any,
    given: list[int],
    named: dict[str, int],
    wanted: Sequence[str],
    shapes: Sequence[Shape],
    what: str,
) -> list[int]:
    """Tensor indices in the order of ``wanted``: by the signature's names, by tensors' names, by
    a number at their end, else by shape where that decides."""
    if len(given) != len(wanted):
        raise CompileError(
            f"the converter left {len(given)} {what}s of {len(wanted)}",
            hint="remove those that nothing depends on from the model",
        )
    tensors = {_plain(_text(graph.tensors[index].name)): index for index in given}
    for candidates in ({_plain(name): index for name, index in named.items()}, tensors):
        found = [candidates.get(_plain(name), -1) for name in wanted]
        if sorted(found) == sorted(given):
            return found
    for candidates in (named, {_text(graph.tensors[index].name): index for index in given}):
        numbered = {_number(name): index for name, index in candidates.items()}
        found = [numbered.get(position, -1) for position in range(len(wanted))]
        if sorted(found) == sorted(given):
            return found
    if len(given) == 1:
        return given
    if shapes:
        have = {index: sorted(map(int, graph.tensors[index].shape)) for index in given}
        found = [
            next((i for i, own in have.items() if own == sorted(shape)), -1) for shape in shapes
        ]
        if sorted(found) == sorted(given):
            return found
    if what == "output":
        return given
    raise CompileError(
        f"the converter's {what}s ({', '.join(tensors)}) cannot be matched with the model's "
        f"({', '.join(wanted)})",
        hint="give the inputs distinct names or shapes",
    )


def _definition(
    names: Sequence[str], inputs: Sequence[int], out_names: Sequence[str], outputs: Sequence[int]
) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    definition = schema.SignatureDefT()
    definition.signatureKey = SIGNATURE.encode()
    definition.subgraphIndex = 0
    definition.inputs = [_entry(schema, *pair) for pair in zip(names, inputs, strict=True)]
    definition.outputs = [_entry(schema, *pair) for pair in zip(out_names, outputs, strict=True)]
    return definition


def _entry(schema: Any, name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name


def _number(name: str) -> int:
    """``Identity`` is 0, ``Identity_2``, ``args_2`` and ``call:2`` are 2."""
    name = name.removesuffix(":0")
    match = re.search(r"[_:](\d+)$", name)
    return int(match[1]) if match else 0


def _plain(name: str) -> str:
    name = name.removeprefix(f"{SIGNATURE}_")
    return re.sub(r"[^A-Za-z0-9]", "_", re.sub(r":\d+$", "", name)).lower()
