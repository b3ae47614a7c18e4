"""Who is right about a network of one operator: the NPU's model, TFLM, LiteRT, or real numbers."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.ethos_u.faults import known_faults, legacy_faults
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.compiler.graph import DType, Graph, Op, Tensor
from npubench.compiler.tflite.reader import load_tflite
from npubench.npu.ethosu.isa import StreamError
from support.npu_operators import operator_network
from support.npu_verdict import Interpreter
from support.vela_in_process import Reference, compile_network, run_compiled

EXACT = "exact"
TRUE = "true"
"""Nearest to what real numbers give, where both references are off."""
ON_CPU = "on the CPU"
REFUSED = "refused"
MISCOMPILED = "miscompiled, known"
UNPROVEN = "no reference"
DIFFERS = "differs"
CRASHED = "crashed"
"""Who calls from a process of its own finds no word."""

ARITHMETIC_LIMITS = {"ADD": 1 << 15, "SUB": 1 << 15, "MUL": 1 << 15, "SUM": 1 << 20}
"""Of 32-bit inputs, so that nothing leaves 32 bits: beyond, TFLite wraps, and no document says what
the NPU does."""

Values = NDArray[np.float64]


def operator_verdict(
    kind: str, dtype: str, seed: int, folder: Path, *, accelerator: str, legacy: bool = False
) -> str:
    """One of the words above for the network that ``seed`` draws.

    Exact is who equals TFLite Micro or LiteRT's reference kernels: where the two differ, one of
    them agrees with the NPU.
    """
    (folder / "in").mkdir(exist_ok=True)
    path = folder / "in" / "network.tflite"
    path.write_bytes(operator_network(kind, dtype, seed))
    _, graph = load_tflite(path)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            compiled = compile_network(path, folder, accelerator=accelerator, legacy=legacy)
    except (RuntimeError, AssertionError, KeyError):
        return REFUSED
    model = read_vela(compiled.read_bytes(), name=kind)
    if not model.ops or not all(op.is_job for op in model.ops):
        return ON_CPU
    rng = np.random.default_rng(seed)
    inputs: list[NDArray[np.generic]] = []
    for index in model.inputs:
        info = np.iinfo(str(model.tensors[index].dtype))
        low, high = info.min, info.max
        if str(info.dtype) == "int32" and kind in ARITHMETIC_LIMITS:
            low, high = -ARITHMETIC_LIMITS[kind], ARITHMETIC_LIMITS[kind]
        shape = model.tensors[index].shape
        inputs.append(rng.integers(low, high + 1, shape, dtype=info.dtype))
    try:
        state = {variable.name: variable.initial for variable in graph.variables}
        got = run_compiled(model, accelerator, inputs, state)
    except StreamError:
        return REFUSED  # as the product refuses it, before anything is built
    assert got is not None
    answers = [answer for answer in _answers(path, inputs, len(got)) if answer is not None]
    if got in answers:
        return EXACT
    if (legacy_faults if legacy else known_faults)(graph):
        return MISCOMPILED
    truth = _truth(graph, inputs)
    if truth is not None:
        output = graph.tensor(graph.outputs[0])
        values = np.frombuffer(got[0], dtype=str(output.dtype)).reshape(output.shape)
        if np.abs(values - truth).max() <= 1:
            return TRUE
    return DIFFERS if answers else UNPROVEN


def _answers(
    path: Path, inputs: list[NDArray[np.generic]], outputs: int
) -> list[list[bytes] | None]:
    found: list[list[bytes] | None] = []
    try:
        found.append(Reference(path).run(inputs, outputs))
    except (RuntimeError, ValueError):
        found.append(None)  # it has no kernel for this
    try:
        found.append(Interpreter(path).run(inputs))
    except (RuntimeError, ValueError):
        found.append(None)
    return found


def _scale(tensor: Tensor) -> tuple[float, int]:
    assert tensor.quantization is not None
    return float(tensor.quantization.scales[0]), int(tensor.quantization.zero_points[0])


def _real(tensor: Tensor, values: NDArray[np.generic]) -> Values:
    scale, zero = _scale(tensor)
    return (values.astype(np.float64) - zero) * scale


def _constant(tensor: Tensor) -> NDArray[np.generic]:
    assert tensor.data is not None
    return np.frombuffer(tensor.data, dtype=str(tensor.dtype)).reshape(tensor.shape)


def _truth(graph: Graph, inputs: list[NDArray[np.generic]]) -> Values | None:
    """The operator in real numbers, quantized at its end; None for those that need no such help."""
    (op,) = graph.ops if len(graph.ops) == 1 else (None,)
    if op is None or op.kind not in ("NEG", "SUM", "PRELU", "FULLY_CONNECTED"):
        return None
    if any(graph.tensor(index).quantization is None for index in (op.inputs[0], *op.outputs)):
        return None
    if op.kind == "FULLY_CONNECTED" and graph.tensor(op.inputs[0]).dtype is not DType.UINT8:
        return None  # TFLite Micro takes it
    output = graph.tensor(op.outputs[0])
    x = _real(graph.tensor(op.inputs[0]), inputs[0])
    scale, zero = _scale(output)
    info = np.iinfo(str(output.dtype))
    real = _operator(graph, op, x).reshape(output.shape)
    return np.clip(np.floor(real / scale + 0.5) + zero, info.min, info.max)


def _operator(graph: Graph, op: Op, x: Values) -> Values:
    if op.kind == "NEG":
        return -x
    second = graph.tensor(op.inputs[1])
    if op.kind == "FULLY_CONNECTED":
        product = x @ _real(second, _constant(second)).T
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            bias = graph.tensor(op.inputs[2])
            product = product + _real(bias, _constant(bias))
        active = op.options.get("fused_activation_function") == "RELU"
        return np.maximum(product, 0.0) if active else product
    if op.kind == "SUM":
        return np.asarray(x.sum(axis=tuple(int(axis) for axis in _constant(second).reshape(-1))))
    return np.where(x >= 0, x, x * _real(second, _constant(second)))
