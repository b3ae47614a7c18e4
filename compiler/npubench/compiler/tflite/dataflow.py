"""Checks of a network as a whole: indices, order of production, and that it is an int8 network."""

from __future__ import annotations

from npubench.compiler.graph import DType, Graph, Op, Tensor
from npubench.core.errors import ModelFormatError

_OPERANDS_PER_NETWORK = 1_000_000


def check_dataflow(graph: Graph, *, hint: str, floats: bool = False) -> None:
    """Raise ModelFormatError unless every tensor is produced exactly once before it is read, and
    (but for ``floats``) activations are int8. ``hint`` says how to quantize."""
    operands = sum(len(op.inputs) + len(op.outputs) for op in graph.ops)
    if operands > _OPERANDS_PER_NETWORK:
        raise _error(graph, f"operators have {operands} operands in all")
    check_indices(graph)
    _check_order(graph)
    if not floats:
        _check_int8(graph, hint)


def _error(graph: Graph, what: str, hint: str = "") -> ModelFormatError:
    return ModelFormatError(f"{graph.name}: {what}", hint=hint)


def _title(tensor: Tensor) -> str:
    return f"tensor {tensor.index} ({tensor.name[:60]!r})"


def _op_title(op: Op) -> str:
    return f"{op.kind} (index {op.index})"


def check_indices(graph: Graph) -> None:
    """Raise ModelFormatError unless every operand is a tensor of the network."""
    count = len(graph.tensors)
    if not graph.inputs or not graph.outputs:
        missing = "inputs" if not graph.inputs else "outputs"
        raise _error(graph, f"the network has no {missing}")
    for what, indices in (("graph input", graph.inputs), ("graph output", graph.outputs)):
        for index in indices:
            if not 0 <= index < count:
                raise _error(graph, f"{what} is tensor {index}, the file has {count} tensors")
    _check_elements(graph)
    for op in graph.ops:
        if not op.outputs and op.kind not in ("ASSIGN_VARIABLE", "CALL_ONCE"):
            raise _error(graph, f"{_op_title(op)} has no outputs")
        for index in op.inputs:
            if index != -1 and not 0 <= index < count:
                raise _error(
                    graph, f"{_op_title(op)} reads tensor {index}, the file has {count} tensors"
                )
        for index in op.outputs:
            if not 0 <= index < count:
                raise _error(
                    graph, f"{_op_title(op)} writes tensor {index}, the file has {count} tensors"
                )


def _check_elements(graph: Graph) -> None:
    """What an operator or the network's border uses has elements; converters leave empty tensors
    behind that nothing reads."""
    used = {index for op in graph.ops for index in (*op.inputs, *op.outputs)}
    for index in sorted(used | {*graph.inputs, *graph.outputs}):
        if 0 <= index < len(graph.tensors) and 0 in graph.tensor(index).shape:
            tensor = graph.tensor(index)
            raise _error(
                graph,
                f"{_title(tensor)} has no elements: shape {list(tensor.shape)}",
                "export the model with a fixed input shape, batch 1",
            )


def _check_order(graph: Graph) -> None:
    ready: set[int] = set()
    ready.update(variable.tensor for variable in graph.variables)
    for index in graph.inputs:
        tensor = graph.tensor(index)
        if tensor.is_constant:
            raise _error(graph, f"graph input {_title(tensor)} is a constant")
        if any(index == variable.tensor for variable in graph.variables):
            raise _error(graph, f"graph input {_title(tensor)} is a variable")
        if index in ready:
            raise _error(graph, f"{_title(tensor)} is a graph input twice")
        ready.add(index)
    for op in graph.ops:
        for index in op.inputs:
            if index != -1 and index not in ready and not graph.tensor(index).is_constant:
                raise _error(
                    graph,
                    f"{_op_title(op)} reads {_title(graph.tensor(index))} before anything "
                    "produces it",
                )
        for index in op.outputs:
            tensor = graph.tensor(index)
            if tensor.is_constant:
                raise _error(graph, f"{_op_title(op)} writes the constant {_title(tensor)}")
            if index in ready:
                raise _error(graph, f"{_op_title(op)} writes {_title(tensor)} a second time")
            ready.add(index)
    for index in graph.outputs:
        tensor = graph.tensor(index)
        if index not in ready and not tensor.is_constant:
            raise _error(graph, f"graph output {_title(tensor)} is never produced")


def _check_int8(graph: Graph, hint: str) -> None:
    """float32 is allowed only at the border: a graph input that QUANTIZE reads, a graph output
    that DEQUANTIZE writes. int8 activations carry a scale."""
    for op in graph.ops:
        for index, allowed in _operands(graph, op):
            tensor = graph.tensor(index)
            if tensor.dtype is DType.FLOAT32 and not allowed:
                raise _error(graph, _float_message(graph, op, tensor), hint)
            if (
                tensor.dtype is DType.INT8
                and not tensor.is_constant
                and tensor.quantization is None
            ):
                raise _error(graph, f"{_title(tensor)} is int8 but has no scale", hint)
    produced = {index for op in graph.ops for index in op.outputs}
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensor(index)
        if tensor.dtype is DType.FLOAT32 and index not in produced and index in graph.outputs:
            raise _error(graph, f"graph output {_title(tensor)} is a float32 graph input", hint)


def _operands(graph: Graph, op: Op) -> tuple[tuple[int, bool], ...]:
    """An operator's tensors, each with whether it may be float32."""
    reads = tuple(
        (index, op.kind == "QUANTIZE" and index in graph.inputs)
        for index in op.inputs
        if index != -1
    )
    writes = tuple(
        (index, op.kind == "DEQUANTIZE" and index in graph.outputs) for index in op.outputs
    )
    return reads + writes


def _float_message(graph: Graph, op: Op, tensor: Tensor) -> str:
    """Says which of the three kinds of networks with floats this is."""
    at = f"{_op_title(op)} works on float32 {_title(tensor)}"
    int8 = [item for item in graph.tensors if item.dtype is DType.INT8]
    if any(not item.is_constant for item in int8):
        return f"only a part of this model is int8: {at}"
    if int8:
        return f"this is a hybrid (dynamic-range) model, int8 weights but float activations: {at}"
    return f"this is a float model, not an int8 model: {at}"
