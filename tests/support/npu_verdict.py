"""Who is off, where a network on the NPU's model and TFLite Micro differ."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from numpy.typing import NDArray

from npubench.compiler.backends.ethos_u.faults import known_faults
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.compiler.graph import Graph
from npubench.compiler.tflite.reader import load_tflite
from npubench.npu.ethosu.isa import StreamError
from support.vela_in_process import Reference, compile_network, run_compiled

EXACT = "exact"
ON_CPU = "on the CPU"
REFUSED = "refused by Vela"
COMPILER = "Vela's compiler, known"
TFLM = "TFLM"
UNEXPLAINED = "unexplained"


class Interpreter:
    """A network in LiteRT's reference kernels."""

    def __init__(self, model: Path) -> None:
        litert = pytest.importorskip(
            "ai_edge_litert.interpreter", reason="ai-edge-litert is not installed"
        )
        self._interpreter = litert.Interpreter(
            model_path=str(model),
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        self._interpreter.allocate_tensors()

    def run(self, inputs: list[NDArray[np.generic]]) -> list[bytes]:
        """The outputs as bytes."""
        for details, values in zip(self._interpreter.get_input_details(), inputs, strict=True):
            self._interpreter.set_tensor(details["index"], values)
        self._interpreter.invoke()
        return [
            self._interpreter.get_tensor(details["index"]).tobytes()
            for details in self._interpreter.get_output_details()
        ]


def verdict(network: Path, folder: Path, *, accelerator: str, seed: int = 0) -> str:
    """One of the words above: whether the NPU's model equals TFLM, else who is off.

    TFLM is where LiteRT equals the NPU, or where both references already disagree at an operator
    before. Vela's compiler is where its fault is one that the product knows before it runs Vela, or
    sees in the stream.
    """
    _, graph = load_tflite(network)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            compiled = compile_network(network, folder, accelerator=accelerator)
    except RuntimeError:
        return REFUSED
    model = read_vela(compiled.read_bytes(), name=network.stem)
    if not model.ops or not all(op.is_job for op in model.ops):
        return ON_CPU
    reference = Reference(network)
    inputs = reference.inputs(len(model.inputs), seed)
    expected = reference.run(inputs, len(model.outputs))
    try:
        got = run_compiled(model, accelerator, inputs)
    except StreamError:
        return COMPILER  # as the product refuses it, before anything is built
    assert got is not None
    wrong = [
        number for number, pair in enumerate(zip(got, expected, strict=True)) if len(set(pair)) > 1
    ]
    if not wrong:
        return EXACT
    second = Interpreter(network).run(inputs)
    open_ones = [number for number in wrong if got[number] != second[number]]
    if open_ones:
        disputed = _disputed(network, folder, graph, inputs)
        open_ones = [
            number for number in open_ones if not _before(graph, graph.outputs[number]) & disputed
        ]
    if not open_ones:
        return TFLM
    blamed = {fault.op_index for fault in known_faults(graph)}
    outputs = {tensor for op in graph.ops if op.index in blamed for tensor in op.outputs}
    if all(_before(graph, graph.outputs[number]) & outputs for number in open_ones):
        return COMPILER
    return UNEXPLAINED


def _before(graph: Graph, tensor: int) -> set[int]:
    """A tensor and all from which it is computed."""
    producers = {output: op for op in graph.ops for output in op.outputs}
    found: set[int] = set()
    waiting = [tensor]
    while waiting:
        index = waiting.pop()
        if index in found:
            continue
        found.add(index)
        if index in producers:
            waiting += [other for other in producers[index].inputs if other >= 0]
    return found


def _disputed(
    network: Path, folder: Path, graph: Graph, inputs: list[NDArray[np.generic]]
) -> set[int]:
    """Tensors at which TFLM and LiteRT differ for the first time."""
    from make_ops import schema

    model = schema.ModelT.InitFromPackedBuf(network.read_bytes(), 0)
    made = [tensor for op in graph.ops for tensor in op.outputs]
    model.subgraphs[0].outputs = made
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    copy = folder / "all_tensors.tflite"
    copy.write_bytes(bytes(builder.Output()))
    ours = Reference(copy).run(inputs, len(made))
    theirs = Interpreter(copy).run(inputs)
    differ = {t for t, a, b in zip(made, ours, theirs, strict=True) if a != b}
    return {tensor for tensor in differ if not (_before(graph, tensor) - {tensor}) & differ}
