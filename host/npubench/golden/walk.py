"""One walk through a network, operator by operator, on what the board had: who is off, and where.

Runs in the worker. At each operator TensorFlow Lite Micro, LiteRT's reference kernels and the float
truth compute from the same inputs, so that one mistake is not told of every operator after it.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from npubench.golden.interpreter import run_tflm
from npubench.golden.surgery import Array, Network

TOLERANCE_STEPS = {"int8": 1.0, "uint8": 1.0, "int16": 4.0}
"""How far from the float truth, in steps of its own scale, an output may be and still be right: one
step for two roundings on the way; int16 functions are tables between whose entries they draw
lines."""
_SLACK_STEPS = 1e-3  # float32's own error
_DECIMALS = 3


def walk(
    model: bytes,
    raw: bytes,
    *,
    crcs: dict[int, int],
    outputs: bytes,
    values: dict[int, bytes],
    inputs_of: int | None = None,
) -> dict[str, object]:
    """Every operator's opinions, as JSON values.

    ``raw``: the inputs as the board had them. ``crcs``: of the first output of operators, as the
    board told; ``outputs``: its outputs; ``values``: first outputs of operators, where they are
    known in full. An operator's ``status``: ``equal`` (the board has TFLM's answer), ``tflm-off``,
    ``board-off``, ``rounding`` (both are right), ``both-off``, ``unjudged`` (no float truth),
    ``unknown`` (the board's answer is known to differ, not by how much), ``assumed`` (nothing is
    known of the board's). ``inputs``: the bytes that operator ``inputs_of`` read.
    """
    return _Walk(Network(model), raw, crcs, outputs, values).result(inputs_of)


class _Walk:
    def __init__(
        self,
        network: Network,
        raw: bytes,
        crcs: dict[int, int],
        outputs: bytes,
        values: dict[int, bytes],
    ) -> None:
        self._network = network
        self._crcs = crcs
        self._given = dict(values)
        self._state: dict[int, Array] = {}
        at = 0
        for tensor in network.graph.inputs:
            self._state[int(tensor)], at = self._take(int(tensor), raw, at)
        self._outputs: dict[int, Array] = {}
        at = 0
        for tensor in network.graph.outputs:
            self._outputs[int(tensor)], at = self._take(int(tensor), outputs, at)

    def result(self, inputs_of: int | None) -> dict[str, object]:
        rows, inputs = [], b""
        for op in range(len(self._network.graph.operators)):
            if op == inputs_of:
                sources = self._network.inputs_of([op])
                inputs = b"".join(self._state[tensor].tobytes() for tensor in sources)
            rows.append(self._operator(op))
        return {"operators": rows, "inputs": inputs.hex()}

    def _take(self, tensor: int, raw: bytes, at: int) -> tuple[Array, int]:
        dtype = np.dtype(self._network.dtype(tensor))
        shape = self._network.shape(tensor)
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(raw, dtype, count=count, offset=at).reshape(shape)
        return values, at + values.nbytes

    def _operator(self, op: int) -> dict[str, object]:
        network = self._network
        targets = [int(tensor) for tensor in network.graph.operators[op].outputs]
        opinions, said = self._opinions(op)
        truth = said.pop("truth", None)
        board = self._board(op, targets[0], opinions)
        tolerance = TOLERANCE_STEPS.get(network.dtype(targets[0]), 0.0) + _SLACK_STEPS
        errors = {
            name: _distance(values[0], truth)
            for name, values in (opinions | ({} if board is None else {"board": [board]})).items()
        }
        row: dict[str, Any] = {
            "op": op,
            "kind": network.kind(op),
            "dtype": network.dtype(targets[0]),
            "tolerance_steps": tolerance - _SLACK_STEPS,
            "error_steps": {
                name: None if error is None else round(error, _DECIMALS)
                for name, error in errors.items()
            },
            "failed": {name: reason for name, reason in said.items() if isinstance(reason, str)},
        }
        accepted, row["status"] = self._judge(op, board, opinions, errors, tolerance)
        if board is not None:
            row["agrees"] = sorted(
                name for name, values in opinions.items() if np.array_equal(values[0], board)
            )
        chosen = opinions.get(accepted)
        for number, tensor in enumerate(targets):
            if number == 0 and board is not None:
                self._state[tensor] = board
            elif tensor in self._outputs:
                self._state[tensor] = self._outputs[tensor]
            elif chosen is not None:
                self._state[tensor] = chosen[number]
        row["accepted"] = "board" if board is not None else accepted
        return row

    def _opinions(self, op: int) -> tuple[dict[str, list[Array]], dict[str, Any]]:
        """What each has for the operator's outputs (``tflm``, ``litert``, ``truth`` rounded), and
        beside it the unrounded truth of the first, and why one has nothing."""
        network = self._network
        sources = network.inputs_of([op])
        found: dict[str, list[Array]] = {}
        said: dict[str, Any] = {}
        missing = [tensor for tensor in sources if tensor not in self._state]
        if missing:
            return found, {"tflm": f"its input {missing[0]} is not known"}
        inputs = [self._state[tensor] for tensor in sources]
        single = network.cut([op])
        count = len(network.graph.operators[op].outputs)
        for name, run in (("tflm", run_tflm), ("litert", run_litert)):
            try:
                found[name] = run(single, inputs, count)
            except Exception as error:  # a foreign interpreter may refuse in any way
                said[name] = f"{type(error).__name__}: {str(error).strip()[:200]}"
        try:
            truth = self._truth(op, sources, inputs, count)
        except Exception as error:
            said["truth_failed"] = f"{type(error).__name__}: {str(error).strip()[:200]}"
            return found, said
        if truth is not None:
            said["truth"] = truth[0]
            targets = [int(tensor) for tensor in network.graph.operators[op].outputs]
            found["truth"] = [
                _rounded(values, network.dtype(tensor))
                for values, tensor in zip(truth, targets, strict=True)
            ]
        return found, said

    def _truth(
        self, op: int, sources: list[int], inputs: list[Array], count: int
    ) -> list[Array] | None:
        """The outputs as real numbers in units of their own codes, not rounded, clipped."""
        network = self._network
        real = [
            network.real(tensor, values) for tensor, values in zip(sources, inputs, strict=True)
        ]
        targets = [int(tensor) for tensor in network.graph.operators[op].outputs]
        if network.kind(op) in ("QUANTIZE", "DEQUANTIZE"):
            outputs = real[:1]
        else:
            twin = network.float_twin(op)
            if twin is None:
                return None
            outputs = run_litert(twin, real, count)
        return [
            _codes(values, network.scale(tensor), network.dtype(tensor))
            for values, tensor in zip(outputs, targets, strict=True)
        ]

    def _board(self, op: int, tensor: int, opinions: dict[str, list[Array]]) -> Array | None:
        """The board's first output: told, or found by its CRC among the opinions."""
        if op in self._given:
            return self._take(tensor, self._given[op], 0)[0]
        if tensor in self._outputs:
            return self._outputs[tensor]
        crc = self._crcs.get(op)
        if crc is None:
            return None
        for values in opinions.values():
            if zlib.crc32(values[0].tobytes()) == crc:
                return values[0]
        return None

    def _judge(
        self,
        op: int,
        board: Array | None,
        opinions: dict[str, list[Array]],
        errors: dict[str, float | None],
        tolerance: float,
    ) -> tuple[str, str]:
        """(whose answer is taken where the board's is not known, status)."""

        def right(name: str) -> bool:
            error = errors.get(name)
            return error is not None and error <= tolerance

        best = next((name for name in ("tflm", "litert", "truth") if right(name)), "tflm")
        if best not in opinions:
            best = next(iter(opinions), "tflm")
        if board is None:
            return best, "unknown" if op in self._crcs else "assumed"
        golden = opinions.get("tflm")
        if golden is not None and np.array_equal(golden[0], board):
            return "tflm", "equal"
        if errors.get("board") is None:
            return best, "unjudged"
        if right("board"):
            if golden is None:
                return best, "rounding"
            return best, "rounding" if right("tflm") else "tflm-off"
        return best, "board-off" if right("tflm") or right("litert") else "both-off"


def run_litert(model: bytes, inputs: list[Array], outputs: int) -> list[Array]:
    """The outputs of a network by LiteRT's reference kernels, for the arrays of its inputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    details = interpreter.get_output_details()[:outputs]
    return [np.array(interpreter.get_tensor(detail["index"])) for detail in details]


def _codes(values: Array, scale: tuple[float, int] | None, dtype: str) -> Array:
    """Real numbers in units of a tensor's codes, clipped to what the type can hold."""
    if scale is None or dtype not in TOLERANCE_STEPS:
        return values.astype(np.float64)
    limits = np.iinfo(np.dtype(dtype))
    return np.clip(values.astype(np.float64) / scale[0] + scale[1], limits.min, limits.max)


def _rounded(values: Array, dtype: str) -> Array:
    if dtype in TOLERANCE_STEPS:
        return np.floor(values + 0.5).astype(dtype)
    return values.astype(dtype)


def _distance(values: Array, truth: Array | None) -> float | None:
    if truth is None or values.shape != truth.shape:
        return None
    gap = np.abs(values.astype(np.float64) - truth)
    return float(gap.max(initial=0.0))
