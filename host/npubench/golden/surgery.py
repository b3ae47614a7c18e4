"""Networks cut out of a network: a stretch of its operators as a .tflite of its own, and one
operator in float32.

The float twin of an operator is the operator on real numbers: its constants are what their scales
say, its arithmetic is float32. That is the truth which every quantized form of it approximates.
Uses the schema's object interface, as the ``ai-edge-litert`` package brings it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Operators that move values or whose range is fixed: int8 saturates nothing in them.
_NEVER_BEYOND = frozenset(
    (
        "AVERAGE_POOL_2D", "BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER",
        "GATHER_ND", "LOGISTIC", "MAX_POOL_2D", "MIRROR_PAD", "PACK", "PAD", "PADV2", "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TANH", "TRANSPOSE",
        "UNPACK",
    )
)  # fmt: skip
# Positions of (input, weights, bias) of operators whose bias has the scale of a product.
_BIASED = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}


class Network:
    """A .tflite as objects of its schema, read once and cut many times."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
        self.graph = self.model.subgraphs[0]
        self._types = {
            getattr(schema.TensorType, name): name.lower()
            for name in dir(schema.TensorType)
            if name.isupper()
        }
        self._kinds = {
            getattr(schema.BuiltinOperator, name): name
            for name in dir(schema.BuiltinOperator)
            if name.isupper()
        }

    def kind(self, op: int) -> str:
        """The operator's name in the schema."""
        code = self.model.operatorCodes[self.graph.operators[op].opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        return self._kinds.get(number, f"BUILTIN_{number}")

    def dtype(self, tensor: int) -> str:
        """The element type's name: ``int8``, ``float32``, ..."""
        return self._types[self.graph.tensors[tensor].type]

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Its shape; a scalar's is empty."""
        shape = self.graph.tensors[tensor].shape
        return () if shape is None else tuple(int(size) for size in shape)

    def scale(self, tensor: int) -> tuple[float, int] | None:
        """(scale, zero point) of a tensor with one of each, else None."""
        quantization = self.graph.tensors[tensor].quantization
        if quantization is None or quantization.scale is None or len(quantization.scale) != 1:
            return None
        zeros = quantization.zeroPoint
        zero = 0 if zeros is None or len(zeros) == 0 else int(zeros[0])
        return float(quantization.scale[0]), zero

    def constant(self, tensor: int) -> Array | None:
        """The data of a constant tensor, in its shape."""
        buffer = self.graph.tensors[tensor].buffer
        data = self.model.buffers[buffer].data if buffer else None
        if data is None or len(data) == 0:
            return None
        raw = np.asarray(data, dtype=np.uint8).tobytes()
        return np.frombuffer(raw, np.dtype(self.dtype(tensor))).reshape(self.shape(tensor))

    def inputs_of(self, ops: Sequence[int]) -> list[int]:
        """The tensors that a stretch of operators needs from outside, in order of first use."""
        made = {tensor for op in ops for tensor in self.graph.operators[op].outputs}
        return list(
            dict.fromkeys(
                int(tensor)
                for op in ops
                for tensor in self.graph.operators[op].inputs
                if tensor >= 0 and tensor not in made and self.constant(tensor) is None
            )
        )

    def needed_for(self, op: int) -> list[int]:
        """The operators, up to ``op``, that its first output depends on."""
        wanted = {op}
        producer = {
            int(tensor): index
            for index, item in enumerate(self.graph.operators)
            for tensor in item.outputs
        }
        waiting = [op]
        while waiting:
            for tensor in self.graph.operators[waiting.pop()].inputs:
                source = producer.get(int(tensor))
                if source is not None and source not in wanted:
                    wanted.add(source)
                    waiting.append(source)
        return sorted(wanted)

    def cut(
        self, ops: Sequence[int], *, inputs: Sequence[int] | None = None, whole: bool = False
    ) -> bytes:
        """Operators ``ops`` as a network: its inputs are those of the network (``inputs``), or what
        they need from outside; its outputs the last operator's, or (``whole``) its first alone."""
        sources = list(self.inputs_of(ops) if inputs is None else inputs)
        targets = [int(tensor) for tensor in self.graph.operators[ops[-1]].outputs]
        return self._packed(ops, sources, targets[:1] if whole else targets, {})

    def float_twin(self, op: int) -> bytes | None:
        """Operator ``op`` on float32, or None where it has no tensor of quantized numbers."""
        item = self.graph.operators[op]
        replaced: dict[int, Array | None] = {}
        for position, tensor in enumerate(item.inputs):
            if tensor >= 0 and self._is_quantized(op, position, int(tensor)):
                replaced[int(tensor)] = self._real_constant(op, position, int(tensor))
        for tensor in item.outputs:
            if self._is_number(int(tensor)):
                replaced[int(tensor)] = None
        if not replaced:
            return None
        return self._packed(
            [op], self.inputs_of([op]), [int(tensor) for tensor in item.outputs], replaced
        )

    def float_network(self, last: int | None = None, *, saturates: bool = True) -> bytes:
        """The whole network on float32, or the part up to operator ``last``, whose first output is
        then its output; operator n's first output is called ``npubench_op<n>``.

        It saturates where the quantized network does: MINIMUM and MAXIMUM at the ends of an
        output's range are part of what the network computes, rounding is not. Without
        (``saturates`` false) a tool is told the ranges. Raises ValueError for an operator that has
        no float form."""
        ops = list(range(len(self.graph.operators))) if last is None else self.needed_for(last)
        replaced: dict[int, Array | None] = {}
        for tensor in self.graph.inputs:
            if self._is_number(int(tensor)):
                replaced[int(tensor)] = None
        for op in ops:
            if self.kind(op) in ("QUANTIZE", "DEQUANTIZE"):
                raise ValueError(f"operator {op}: {self.kind(op)} has no float form")
            item = self.graph.operators[op]
            for position, tensor in enumerate(item.inputs):
                if tensor >= 0 and self._is_quantized(op, position, int(tensor)):
                    replaced[int(tensor)] = self._real_constant(op, position, int(tensor))
            for tensor in item.outputs:
                if self._is_number(int(tensor)):
                    replaced[int(tensor)] = None
        inputs = [int(tensor) for tensor in self.graph.inputs]
        outputs = self.graph.outputs if last is None else self.graph.operators[last].outputs[:1]
        names = {int(self.graph.operators[op].outputs[0]): f"npubench_op{op}" for op in ops}
        ends = {
            int(tensor): found
            for op in ops
            for tensor in self.graph.operators[op].outputs
            if saturates and int(tensor) in replaced and (found := self._ends(op, int(tensor)))
        }
        return self._packed(ops, inputs, [int(tensor) for tensor in outputs], replaced, names, ends)

    def _ends(self, op: int, tensor: int) -> list[tuple[str, float]]:
        """Where an operator's output saturates, beyond what its own activation does."""
        scale = self.scale(tensor)
        if scale is None or self.kind(op) in _NEVER_BEYOND:
            return []
        limits = np.iinfo(np.dtype(self.dtype(tensor)))
        low, high = (float((limit - scale[1]) * scale[0]) for limit in (limits.min, limits.max))
        kinds = self.schema.ActivationFunctionType
        options = self.graph.operators[op].builtinOptions
        activation = getattr(options, "fusedActivationFunction", kinds.NONE)
        rectified = activation in (kinds.RELU, kinds.RELU6) or self.kind(op) in ("RELU", "RELU6")
        six = activation == kinds.RELU6 or self.kind(op) == "RELU6"
        upper = [] if six and high >= 6.0 else [("MINIMUM", high)]
        return upper + ([] if rectified and low <= 0.0 else [("MAXIMUM", low)])

    def real(self, tensor: int, values: Array) -> Array:
        """What the codes of a tensor stand for, as float32."""
        scale = self.scale(tensor)
        if scale is None or not self._is_number(tensor):
            return values
        return ((values.astype(np.float64) - scale[1]) * scale[0]).astype(np.float32)

    def _is_number(self, tensor: int) -> bool:
        narrow = ("int8", "uint8", "int16")
        return self.dtype(tensor) in narrow and self.scale(tensor) is not None

    def _is_quantized(self, op: int, position: int, tensor: int) -> bool:
        """Whether an input stands for real numbers: narrow integers with a scale, and a bias."""
        places = _BIASED.get(self.kind(op))
        if places is not None and position == places[2]:
            return self.dtype(tensor) in ("int32", "int64")
        quantization = self.graph.tensors[tensor].quantization
        scales = None if quantization is None else quantization.scale
        return self.dtype(tensor) in ("int8", "uint8", "int16") and scales is not None

    def _real_constant(self, op: int, position: int, tensor: int) -> Array | None:
        codes = self.constant(tensor)
        if codes is None:
            return None
        places = _BIASED.get(self.kind(op))
        inputs = self.graph.operators[op].inputs
        if places is not None and position == places[2]:
            given = self.scale(int(inputs[places[0]]))
            scales = np.asarray(
                self.graph.tensors[inputs[places[1]]].quantization.scale, dtype=np.float64
            )
            unit = scales * (given[0] if given is not None else 1.0)
            return (codes.astype(np.float64) * unit).astype(np.float32)
        quantization = self.graph.tensors[tensor].quantization
        scales = np.asarray(quantization.scale, dtype=np.float64)
        zeros = np.asarray(
            quantization.zeroPoint if quantization.zeroPoint is not None else [0], dtype=np.float64
        )
        if len(scales) > 1:
            shape = [1] * codes.ndim
            shape[quantization.quantizedDimension] = len(scales)
            scales, zeros = scales.reshape(shape), np.broadcast_to(zeros, len(scales))
            zeros = zeros.reshape(shape)
        return ((codes.astype(np.float64) - zeros) * scales).astype(np.float32)

    def _packed(
        self,
        ops: Sequence[int],
        inputs: Sequence[int],
        outputs: Sequence[int],
        replaced: dict[int, Array | None],
        names: dict[int, str] | None = None,
        ends: dict[int, list[tuple[str, float]]] | None = None,
    ) -> bytes:
        """A .tflite of some operators; tensors in ``replaced`` become float32, with new data;
        ``names``: new ones; ``ends``: operators with a number that follow on a tensor."""
        import flatbuffers

        schema = self.schema
        used = [
            int(tensor)
            for op in ops
            for tensor in (
                *self.graph.operators[op].inputs,
                *self.graph.operators[op].outputs,
            )
            if tensor >= 0
        ]
        kept = list(dict.fromkeys([*inputs, *used, *outputs]))
        place = {tensor: number for number, tensor in enumerate(kept)}
        buffers = [schema.BufferT()]
        tensors = []
        for tensor in kept:
            item = copy.copy(self.graph.tensors[tensor])
            data = self.constant(tensor)
            if tensor in replaced:
                data = replaced[tensor]
                item.type = schema.TensorType.FLOAT32
                item.quantization = None
            item.name = (names or {}).get(tensor, item.name)
            item.buffer = 0
            if data is not None:
                item.buffer = len(buffers)
                buffer = schema.BufferT()
                buffer.data = np.frombuffer(data.tobytes(), np.uint8)
                buffers.append(buffer)
            tensors.append(item)
        operators = []
        codes = list(self.model.operatorCodes)
        last = dict(place)  # a tensor's place after what follows on it
        for op in ops:
            copied = copy.copy(self.graph.operators[op])
            copied.inputs = [last.get(int(tensor), -1) for tensor in copied.inputs]
            copied.outputs = [place[int(tensor)] for tensor in copied.outputs]
            operators.append(copied)
            for tensor in map(int, self.graph.operators[op].outputs):
                for kind, number in (ends or {}).get(tensor, []):
                    operators.append(
                        self._with_number(kind, number, last[tensor], codes, tensors, buffers)
                    )
                    last[tensor] = len(tensors) - 1
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = tensors, operators
        graph.inputs = [place[tensor] for tensor in inputs]
        graph.outputs = [last[tensor] for tensor in outputs]
        model = schema.ModelT()
        model.version = 3
        model.operatorCodes = codes
        model.subgraphs, model.buffers = [graph], buffers
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _with_number(
        self, kind: str, number: float, source: int, codes: Any, tensors: Any, buffers: Any
    ) -> Any:
        """An operator of a tensor and a scalar, appended to a network's parts; its output is the
        last tensor, named after its source."""
        schema = self.schema
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
        code.version = 1
        codes.append(code)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.float32(number).tobytes(), np.uint8)
        buffers.append(buffer)
        scalar = schema.TensorT()
        scalar.shape, scalar.type = [], schema.TensorType.FLOAT32
        scalar.buffer, scalar.name = len(buffers) - 1, f"{kind.lower()}_{len(tensors)}"
        tensors.append(scalar)
        output = copy.copy(tensors[source])
        name = output.name.decode() if isinstance(output.name, bytes) else output.name
        output.name = f"{name}_{kind.lower()}"
        tensors.append(output)
        item = schema.OperatorT()
        item.opcodeIndex = len(codes) - 1
        item.inputs, item.outputs = [source, len(tensors) - 2], [len(tensors) - 1]
        item.builtinOptionsType = schema.BuiltinOptions.MaximumMinimumOptions
        item.builtinOptions = schema.MaximumMinimumOptionsT()
        return item
