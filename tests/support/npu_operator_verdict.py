"""Who is right about a network of one operator: the NPU's model, TFLM, LiteRT, or real numbers."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.backends.ethos_u.faults import known_faults, legacy_faults
from npubench.compiler.backends.ethos_u.output import read_vela
from npubench.compiler.graph import DType, Graph, Tensor
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
    if op is None or op.kind not in _TRUTHS:
        return None
    tensors = [graph.tensor(index) for index in (*op.inputs, *op.outputs) if index >= 0]
    if tensors[0].quantization is None or tensors[-1].quantization is None:
        return None
    if op.kind == "FULLY_CONNECTED" and tensors[0].dtype is not DType.UINT8:
        return None  # TFLite Micro takes it
    given = dict(zip(graph.inputs, inputs, strict=True))
    output = graph.tensor(op.outputs[0])
    values = [
        _real(tensor, given[index] if index in given else _constant(tensor))
        if tensor.quantization is not None
        else _constant(tensor).astype(np.float64)
        for index, tensor in ((index, graph.tensor(index)) for index in op.inputs if index >= 0)
    ]
    scale, zero = _scale(output)
    info = np.iinfo(str(output.dtype))
    with np.errstate(divide="ignore", over="ignore"):
        real = np.asarray(_TRUTHS[op.kind](*values)).reshape(output.shape)
        if op.options.get("fused_activation_function") == "RELU":
            real = np.maximum(real, 0.0)
        return np.clip(np.floor(real / scale + 0.5) + zero, info.min, info.max)


def _dense(x: Values, weights: Values, bias: Values | float = 0.0) -> Values:
    return x @ weights.T + bias


_TRUTHS: dict[str, Callable[..., Values]] = {
    "ABS": lambda x: np.abs(x),
    "EXP": lambda x: np.exp(x),
    "FULLY_CONNECTED": _dense,
    "NEG": lambda x: -x,
    "PRELU": lambda x, slope: np.where(x >= 0, x, x * slope),
    "QUANTIZE": lambda x: x,
    "RELU_0_TO_1": lambda x: np.clip(x, 0.0, 1.0),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1.0, 1.0),
    "RSQRT": lambda x: 1.0 / np.sqrt(x),
    "SQUARED_DIFFERENCE": lambda x, y: (x - y) ** 2,
    "SUM": lambda x, axes: x.sum(axis=tuple(int(axis) for axis in axes.reshape(-1))),
}
"""Where a reference is off, or there is none: with real numbers."""
