"""A network on float32 as nodes of ONNX, channels first: what esp-ppq takes. No ONNX is needed
here: nodes and constants are plain data, put together by the job in esp-ppq's environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npubench.compiler.graph import Graph, Op
from npubench.core.errors import UnsupportedOp

Array = NDArray[Any]
_PLAIN = {"RELU": "Relu", "LOGISTIC": "Sigmoid", "TANH": "Tanh"}


@dataclass(slots=True, kw_only=True)
class Node:
    """One node. ``op``: the operator of the .tflite that it comes from."""

    kind: str
    inputs: list[str]
    output: str
    op: int
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class OnnxForm:
    """``inputs`` and ``outputs`` by name with shapes, channels first; ``constants`` by name."""

    nodes: list[Node]
    constants: dict[str, Array]
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]

    def document(self) -> dict[str, Any]:
        """As JSON values, without the constants."""
        return {
            "nodes": [
                {
                    "kind": node.kind,
                    "inputs": node.inputs,
                    "output": node.output,
                    "op": node.op,
                    "attributes": node.attributes,
                }
                for node in self.nodes
            ],
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
        }


def onnx_form(graph: Graph) -> OnnxForm:
    """Raises UnsupportedOp for an operator that has no such form here."""
    builder = _Builder(graph)
    for op in graph.ops:
        builder.add(op)
    return OnnxForm(
        nodes=builder.nodes,
        constants=builder.constants,
        inputs={builder.name(index): builder.shape(index) for index in graph.inputs},
        outputs={builder.name(index): builder.shape(index) for index in graph.outputs},
    )


class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._names: dict[int, str] = {}
        self._op = graph.ops[0] if graph.ops else None
        self._number = 0

    def add(self, op: Op) -> None:
        """Append the nodes of one operator."""
        self._op = op
        # What follows on an operator (MINIMUM, MAXIMUM) counts to it.
        name = self.graph.tensor(op.outputs[0]).name
        if name.startswith("npubench_op"):
            self._number = int("".join(c for c in name[11:].split("_")[0] if c.isdigit()))
        maker: Callable[[Op], None] | None = getattr(self, f"_{op.kind.lower()}", None)
        if maker is not None:
            maker(op)
        elif op.kind in _PLAIN:
            self._node(_PLAIN[op.kind], [self.name(op.inputs[0])], op.outputs[0])
        else:
            self._refuse(f"{op.kind} has no ONNX form here")

    def name(self, index: int) -> str:
        """A tensor's name in ONNX."""
        return self._names.setdefault(index, self.graph.tensor(index).name)

    def shape(self, index: int) -> tuple[int, ...]:
        """A tensor's shape, channels first."""
        shape = self.graph.tensor(index).shape
        return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else shape

    def _refuse(self, why: str) -> None:
        op = self._op
        assert op is not None
        raise UnsupportedOp(
            op=op.kind, index=op.index, reason=why, hint="run it on the CPU: --backend cpu"
        )

    def _data(self, index: int) -> Array:
        tensor = self.graph.tensor(index)
        if tensor.data is None:
            self._refuse(f"tensor {tensor.name} is no constant")
        return np.frombuffer(tensor.data or b"", tensor.dtype.value).reshape(tensor.shape)

    def _constant(self, name: str, values: Array) -> str:
        self.constants[name] = np.ascontiguousarray(values)
        return name

    def _node(self, kind: str, inputs: list[str], output: int | str, **attributes: Any) -> None:
        name = output if isinstance(output, str) else self.name(output)
        self.nodes.append(
            Node(kind=kind, inputs=inputs, output=name, op=self._number, attributes=attributes)
        )

    def _activated(self, op: Op, kind: str, inputs: list[str], **attributes: Any) -> None:
        """A node, and the activation that is fused in its operator."""
        activation = str(op.options.get("fused_activation_function", "NONE"))
        output = self.name(op.outputs[0])
        if activation == "NONE":
            self._node(kind, inputs, output, **attributes)
            return
        if activation not in ("RELU", "RELU6"):
            self._refuse(f"activation {activation} has no ONNX form here")
        self._node(kind, inputs, f"{output}_linear", **attributes)
        if activation == "RELU":
            self._node("Relu", [f"{output}_linear"], output)
        else:
            self._clip(f"{output}_linear", output, 0.0, 6.0)

    def _clip(self, source: str, output: str, low: float | None, high: float | None) -> None:
        """Saturate; a Relu or Clip that made the source takes it over."""
        last = self.nodes[-1]
        if last.output == source and last.kind in ("Relu", "Clip"):
            bounds = last.attributes.pop("bounds", (0.0, None))
            low = bounds[0] if low is None else low if bounds[0] is None else max(low, bounds[0])
            high = (
                bounds[1] if high is None else high if bounds[1] is None else min(high, bounds[1])
            )
            source = last.inputs[0]
            self.nodes.pop()
            for name in last.inputs[1:]:
                self.constants.pop(name, None)
        words = [source]
        for end, value in (("low", low), ("high", high)):
            words.append(
                ""
                if value is None
                else self._constant(f"{output}_{end}", np.array(value, dtype=np.float32))
            )
        self._node("Clip", words, output, bounds=(low, high))

    def _number_of(self, op: Op) -> tuple[int, float]:
        """The tensor and the number of a MINIMUM or MAXIMUM."""
        first, second = op.inputs
        if self.graph.tensor(first).is_constant:
            first, second = second, first
        values = self._data(second)
        if values.size != 1:
            self._refuse("two tensors are compared")
        return first, float(values.reshape(-1)[0])

    def _minimum(self, op: Op) -> None:
        source, number = self._number_of(op)
        self._clip(self.name(source), self.name(op.outputs[0]), None, number)

    def _maximum(self, op: Op) -> None:
        source, number = self._number_of(op)
        self._clip(self.name(source), self.name(op.outputs[0]), number, None)

    def _relu6(self, op: Op) -> None:
        self._clip(self.name(op.inputs[0]), self.name(op.outputs[0]), 0.0, 6.0)

    def _window(self, op: Op, size: tuple[int, int]) -> dict[str, Any]:
        """Strides, dilations and the padding of SAME, for sizes in y and x."""
        options = op.options
        strides = [int(str(options.get(f"stride_{axis}", 1))) for axis in "hw"]
        dilations = [int(str(options.get(f"dilation_{axis}_factor", 1))) for axis in "hw"]
        given = self.graph.tensor(op.inputs[0]).shape[1:3]
        wanted = self.graph.tensor(op.outputs[0]).shape[1:3]
        before, after = [], []
        for axis in range(2):
            reach = (size[axis] - 1) * dilations[axis] + 1
            total = max((wanted[axis] - 1) * strides[axis] + reach - given[axis], 0)
            total = total if options.get("padding") == "SAME" else 0
            before.append(total // 2)
            after.append(total - total // 2)
        return {"strides": strides, "dilations": dilations, "pads": before + after}

    def _weighted(self, op: Op, weights: Array, **attributes: Any) -> None:
        name = self.graph.tensor(op.inputs[1]).name
        words = [self.name(op.inputs[0]), self._constant(f"{name}_{op.index}_w", weights)]
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            words.append(self._constant(f"{name}_{op.index}_b", self._data(op.inputs[2])))
        self._activated(op, "Conv", words, **attributes)

    def _conv_2d(self, op: Op) -> None:
        weights = self._data(op.inputs[1]).transpose(0, 3, 1, 2)
        size = weights.shape[2], weights.shape[3]
        self._weighted(op, weights, group=1, kernel_shape=list(size), **self._window(op, size))

    def _depthwise_conv_2d(self, op: Op) -> None:
        weights = self._data(op.inputs[1]).transpose(3, 0, 1, 2)
        size = weights.shape[2], weights.shape[3]
        groups = self.graph.tensor(op.inputs[0]).shape[3]
        self._weighted(op, weights, group=groups, kernel_shape=list(size), **self._window(op, size))

    def _fully_connected(self, op: Op) -> None:
        weights = self._data(op.inputs[1])
        source = self._flat(op.inputs[0], (-1, weights.shape[1]))
        name = self.graph.tensor(op.inputs[1]).name
        words = [source, self._constant(f"{name}_{op.index}_w", weights)]
        if len(op.inputs) > 2 and op.inputs[2] >= 0:
            words.append(self._constant(f"{name}_{op.index}_b", self._data(op.inputs[2])))
        self._activated(op, "Gemm", words, transB=1)

    def _flat(self, index: int, shape: tuple[int, ...], output: str = "") -> str:
        """A tensor in rows, its values in the order of channels last."""
        given = self.graph.tensor(index).shape
        source = self.name(index)
        if len(given) == len(shape) and not output:
            return source
        if len(given) == 4 and given[3] > 1 and given[1] * given[2] > 1:
            self._node("Transpose", [source], f"{source}_last", perm=[0, 2, 3, 1])
            source = f"{source}_last"
        name = output or f"{source}_flat"
        words = [source, self._constant(f"{name}_shape", np.array(shape, dtype=np.int64))]
        self._node("Reshape", words, name)
        return name

    def _reshape(self, op: Op) -> None:
        shape = self.graph.tensor(op.outputs[0]).shape
        output = self.name(op.outputs[0])
        if len(shape) != 4:
            self._flat(op.inputs[0], shape, output)
        elif shape[3] == 1 or shape[1] * shape[2] == 1:
            self._flat(op.inputs[0], self.shape(op.outputs[0]), output)
        else:
            self._flat(op.inputs[0], shape, f"{output}_last")
            self._node("Transpose", [f"{output}_last"], output, perm=[0, 3, 1, 2])

    def _add(self, op: Op) -> None:
        if any(self.graph.tensor(index).is_constant for index in op.inputs):
            self._refuse("a constant is added")
        self._activated(op, "Add", [self.name(index) for index in op.inputs])

    def _pool(self, op: Op, kind: str, **attributes: Any) -> None:
        size = tuple(int(str(op.options[f"filter_{axis}"])) for axis in ("height", "width"))
        window = self._window(op, (size[0], size[1]))
        del window["dilations"]
        given = self.graph.tensor(op.inputs[0]).shape[1:3]
        words = [self.name(op.inputs[0])]
        if kind == "AveragePool" and size == given and not any(window["pads"]):
            self._activated(op, "GlobalAveragePool", words)
        else:
            self._activated(op, kind, words, kernel_shape=list(size), **window, **attributes)

    def _average_pool_2d(self, op: Op) -> None:
        self._pool(op, "AveragePool", count_include_pad=0)

    def _max_pool_2d(self, op: Op) -> None:
        self._pool(op, "MaxPool")

    def _mean(self, op: Op) -> None:
        given = self.graph.tensor(op.inputs[0]).shape
        axes = sorted(int(axis) % len(given) for axis in self._data(op.inputs[1]).reshape(-1))
        if len(given) != 4 or axes != [1, 2]:
            self._refuse(f"a mean over the axes {axes}")
        output = self.name(op.outputs[0])
        if len(self.graph.tensor(op.outputs[0]).shape) == 4:
            self._node("GlobalAveragePool", [self.name(op.inputs[0])], output)
            return
        self._node("GlobalAveragePool", [self.name(op.inputs[0])], f"{output}_mean")
        shape = np.array(self.graph.tensor(op.outputs[0]).shape, dtype=np.int64)
        words = [f"{output}_mean", self._constant(f"{output}_shape", shape)]
        self._node("Reshape", words, output)

    def _softmax(self, op: Op) -> None:
        if len(self.graph.tensor(op.inputs[0]).shape) == 4:
            self._refuse("a softmax over channels")
        self._node("Softmax", [self.name(op.inputs[0])], op.outputs[0], axis=-1)

    def _pad(self, op: Op) -> None:
        rows = self._data(op.inputs[1])
        if rows.shape != (4, 2):
            self._refuse("it pads no image")
        order = rows[[0, 3, 1, 2]].T.reshape(-1).astype(np.int64)
        output = self.name(op.outputs[0])
        words = [self.name(op.inputs[0]), self._constant(f"{output}_pads", order)]
        self._node("Pad", words, output, mode="constant")
