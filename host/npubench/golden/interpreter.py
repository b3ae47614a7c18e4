"""TensorFlow Lite Micro in this process, which it may end: only the worker comes here."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npubench.core.seeded import seeded_input

NO_CRC = -1  # equals no CRC-32
ARENA_FLOOR_BYTES = 1 << 20
ARENA_LIMIT_BYTES = 1 << 30

_RESOURCE = 13  # the schema's element type of a handle; it has no bytes

Array = np.ndarray[Any, Any]


def load() -> None:
    """Load TensorFlow Lite Micro before it is needed."""
    from tflite_micro.python.tflite_micro import runtime  # noqa: F401


def answer_of(
    model: bytes,
    *,
    seed: int | None,
    raw: bytes | None,
    inferences: int = 1,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, object]:
    """Run a network on a generated (``seed``) or a given (``raw``) input, ``inferences`` times in a
    row; the last one's answer as JSON values.

    ``kept``: by operator, what another form of the network keeps of its output (``channels``) and
    which others it takes for ``constants``; the operator's CRC is then that of the kept channels,
    or none where a constant is none.
    """
    from tflite_micro.python.tflite_micro import runtime

    graph = runtime.schema_fb.Model.GetRootAsModel(model, 0).Subgraphs(0)
    interpreter = open_tflm(model)
    for _ in range(inferences):
        crc = _set_inputs(interpreter, graph.InputsLength(), seed=seed, raw=raw)
        interpreter.invoke()
    outputs = [interpreter.get_output(index) for index in range(graph.OutputsLength())]
    op_crcs = {}
    for index in range(graph.OperatorsLength()):
        op = graph.Operators(index)
        if op.OutputsLength() and graph.Tensors(op.Outputs(0)).Type() != _RESOURCE:
            tensor = interpreter.GetTensor(op.Outputs(0), 0)["tensor_data"]
            found = _crc(np.asarray(tensor), (kept or {}).get(str(index)))
            op_crcs[index] = NO_CRC if found is None else found
    return {
        "input_crc": crc,
        "output_bytes": b"".join(output.tobytes() for output in outputs).hex(),
        "output_item_bytes": outputs[0].dtype.itemsize,
        "output_count": len(outputs),
        "op_crcs": op_crcs,
    }


def _crc(tensor: Array, kept: Mapping[str, Any] | None) -> int | None:
    """The CRC-32 of a tensor or of what is kept of it; None where a constant channel varies."""
    if kept is None:
        return zlib.crc32(tensor.tobytes())
    if any(
        np.any(tensor[..., int(channel)] != code) for channel, code in kept["constants"].items()
    ):
        return None
    return zlib.crc32(np.ascontiguousarray(tensor[..., kept["channels"]]).tobytes())


def run_tflm(model: bytes, inputs: list[Array], outputs: int) -> list[Array]:
    """The outputs of a network for the arrays of its inputs."""
    interpreter = open_tflm(model)
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    return [np.array(interpreter.get_output(index)) for index in range(outputs)]


def run_many(model: bytes, source: Path, target: Path) -> int:
    """The outputs of a network for many inputs, from one .npz to another; how many there were."""
    from tflite_micro.python.tflite_micro import runtime

    graph = runtime.schema_fb.Model.GetRootAsModel(model, 0).Subgraphs(0)
    interpreter = open_tflm(model)
    with np.load(source) as arrays:
        inputs = [arrays[f"{index}"] for index in range(graph.InputsLength())]
    outputs: list[list[Array]] = [[] for _ in range(graph.OutputsLength())]
    for sample in zip(*inputs, strict=True):
        for index, value in enumerate(sample):
            shape = interpreter.get_input_details(index)["shape"]
            interpreter.set_input(value.reshape([int(size) for size in shape]), index)
        interpreter.invoke()
        for index, kept in enumerate(outputs):
            kept.append(np.array(interpreter.get_output(index)))
    named: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez(target, **named)
    return len(inputs[0])


def run_real(model: bytes, source: Path, target: Path) -> int:
    """As run_many, of a float network through LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    places, results = interpreter.get_input_details(), interpreter.get_output_details()
    with np.load(source) as arrays:
        inputs = [arrays[f"{index}"] for index in range(len(places))]
    outputs: list[list[Array]] = [[] for _ in results]
    for sample in zip(*inputs, strict=True):
        for place, value in zip(places, sample, strict=True):
            interpreter.set_tensor(place["index"], value.reshape(place["shape"]))
        interpreter.invoke()
        for result, kept in zip(results, outputs, strict=True):
            kept.append(np.array(interpreter.get_tensor(result["index"])))
    named: dict[str, Any] = {f"{index}": np.stack(kept) for index, kept in enumerate(outputs)}
    np.savez(target, **named)
    return len(inputs[0])


def _set_inputs(interpreter: Any, count: int, *, seed: int | None, raw: bytes | None) -> int:
    """Fill every input; the CRC-32 of the raw bytes of all."""
    details = [interpreter.get_input_details(index) for index in range(count)]
    shapes = [tuple(int(size) for size in detail["shape"]) for detail in details]
    dtypes = [np.dtype(detail["dtype"]) for detail in details]
    sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
    if raw is None:
        names = (dtype.name for dtype in dtypes)
        raw = seeded_input(seed or 0, zip(names, sizes, strict=True))
    wanted = sum(size * dtype.itemsize for size, dtype in zip(sizes, dtypes, strict=True))
    if len(raw) != wanted:
        raise ValueError(f"the input has {len(raw)} bytes, the network takes {wanted}")
    at = 0
    for index, (shape, dtype, size) in enumerate(zip(shapes, dtypes, sizes, strict=True)):
        data = np.frombuffer(raw, dtype, count=size, offset=at).reshape(shape)
        interpreter.set_input(data, index)
        at += size * dtype.itemsize
    return zlib.crc32(raw)


def open_tflm(model: bytes) -> Any:
    """An interpreter that keeps every tensor. The package's own arena, ten times the model, is too
    small for small networks with large activations; a far too small one makes it crash."""
    from tflite_micro.python.tflite_micro import runtime

    arena_bytes = max(ARENA_FLOOR_BYTES, 10 * len(model))
    while True:
        try:
            return runtime.Interpreter.from_bytes(
                model,
                arena_size=arena_bytes,
                intrepreter_config=runtime.InterpreterConfig.kPreserveAllTensors,
            )
        except RuntimeError as error:
            if "allocate" not in str(error) or arena_bytes * 8 > ARENA_LIMIT_BYTES:
                raise
            arena_bytes *= 8
