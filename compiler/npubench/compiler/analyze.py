"""What can be said of a network without a board: work, weights, live memory, intensity."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from npubench.compiler.graph import Graph, Op
from npubench.compiler.opaque import declared_macs


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """One operator. ``live_bytes`` are all activations that exist while it runs: its inputs and
    outputs and whatever later operators or the network's outputs still need.

    ``parameters`` counts elements of its constant operands, ``weight_bytes`` their bytes;
    ``input_bytes`` and ``output_bytes`` are activations. ``intensity_macs_per_byte`` is MACs per
    byte of weights, inputs and outputs, each moved once.
    """

    index: int
    op: str
    name: str
    macs: int
    parameters: int
    weight_bytes: int
    input_bytes: int
    output_bytes: int
    live_bytes: int
    intensity_macs_per_byte: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The network as a whole. Constants that several operators share count once.

    ``peak_live_bytes``: the most bytes of activations alive at once, operators in the file's order,
    nothing computed in place, no alignment, no scratch.
    """

    macs: int
    parameters: int
    weight_bytes: int
    peak_live_bytes: int
    layers: tuple[LayerCost, ...]


def analyze(graph: Graph) -> Analysis:
    """The costs of a network and of each of its operators (evidence: predicted)."""
    live = live_bytes(graph)
    layers = tuple(_layer(graph, op, live[op.index]) for op in graph.ops)
    shared = {index for op in graph.ops for index in _weights(graph, op)}
    return Analysis(
        macs=sum(layer.macs for layer in layers),
        parameters=sum(graph.tensor(index).count for index in shared),
        weight_bytes=sum(graph.tensor(index).size_bytes for index in shared),
        peak_live_bytes=max(live, default=_bytes(graph, graph.inputs)),
        layers=layers,
    )


def macs(graph: Graph, op: Op) -> int:
    """Multiply-accumulates of convolutions and matrix products; 0 for every other operator.

    A tap on padding counts (as in the published MLPerf Tiny figures): output elements times the
    taps of one output element; of a TRANSPOSE_CONV, input elements times what each is spread over;
    of a BATCH_MATMUL, output elements times the length of the axis that its matrices share.
    TFLite's layouts: CONV_2D and TRANSPOSE_CONV weights are O,H,W,I, depthwise 1,H,W,C,
    FULLY_CONNECTED O,I.
    """
    if op.kind == "CUSTOM":
        return declared_macs(op)
    if op.kind in _OTHERWISE:
        least, count = _OTHERWISE[op.kind]
        # A file may say anything of an operator; what lacks its operands has no products.
        return count(graph, op) if len(op.inputs) >= least else 0
    if op.kind not in _TAP_AXES or len(op.inputs) < 2 or op.inputs[1] < 0:
        return 0
    weights = graph.tensor(op.inputs[1]).shape
    taps = prod(weights[axis] for axis in _TAP_AXES[op.kind] if axis < len(weights))
    return graph.tensor(op.outputs[0]).count * taps


def _shape(graph: Graph, op: Op, position: int) -> tuple[int, ...]:
    """Of an input; of one that is missing, a shape without elements."""
    return graph.tensor(op.inputs[position]).shape if op.inputs[position] >= 0 else (0,)


def _transpose_conv_macs(graph: Graph, op: Op) -> int:
    """Each element of the input times each tap of every output channel."""
    return prod(_shape(graph, op, 2)) * prod(_shape(graph, op, 1)[:3])


def _svdf_macs(graph: Graph, op: Op) -> int:
    """Per batch: each filter's products with the input, then with its memory."""
    products = prod(_shape(graph, op, 1)) + prod(_shape(graph, op, 2))
    return prod(_shape(graph, op, 0)[:1]) * products


def _lstm_macs(graph: Graph, op: Op) -> int:
    """Per batch and step: the weights of its gates (inputs 1 to 8), each used once. The products
    of gates with each other, one an element, are none of weights."""
    weights = sum(prod(_shape(graph, op, at)) for at in range(1, 9) if op.inputs[at] >= 0)
    return prod(_shape(graph, op, 0)[:2]) * weights


def _batch_matmul_macs(graph: Graph, op: Op) -> int:
    """Each element of the output sums over the axis that both matrices share."""
    first = _shape(graph, op, 0)
    shared = first[-2:-1] if op.options.get("adj_x") else first[-1:]
    return sum(graph.tensor(index).count for index in op.outputs[:1]) * prod(shared or (0,))


_OTHERWISE = {
    "BATCH_MATMUL": (2, _batch_matmul_macs),
    "TRANSPOSE_CONV": (3, _transpose_conv_macs),
    "SVDF": (3, _svdf_macs),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (9, _lstm_macs),
}
"""Operators by the inputs that they have at least."""
_TAP_AXES = {"CONV_2D": (1, 2, 3), "DEPTHWISE_CONV_2D": (1, 2), "FULLY_CONNECTED": (1,)}


def live_bytes(graph: Graph) -> tuple[int, ...]:
    """Bytes of activations alive at each operator, in the file's order, no in-place.

    A graph input lives from the start until its last use, a graph output until the end, any
    other activation from its operator to its last use. A graph input that nothing reads lives
    until the first operator. What the network keeps between inferences lives all the time.
    """
    last: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    first: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    for op in graph.ops:
        for index in _activations(graph, op.outputs):
            first[index] = last[index] = op.index
        for index in _activations(graph, op.inputs):
            last[index] = op.index
    for variable in graph.variables:
        first[variable.tensor], last[variable.tensor] = 0, len(graph.ops) - 1
    for index in _activations(graph, graph.outputs):
        last[index] = len(graph.ops) - 1
    change = [0] * (len(graph.ops) + 1)
    for index, start in first.items():
        if last[index] < start:
            continue
        change[start] += graph.tensor(index).size_bytes
        change[last[index] + 1] -= graph.tensor(index).size_bytes
    live: list[int] = []
    total = 0
    for step in range(len(graph.ops)):
        total += change[step]
        live.append(total)
    return tuple(live)


def _layer(graph: Graph, op: Op, live: int) -> LayerCost:
    weights = _weights(graph, op)
    weight_bytes = _bytes(graph, weights)
    input_bytes = _bytes(graph, _activations(graph, op.inputs))
    output_bytes = _bytes(graph, op.outputs)
    work = macs(graph, op)
    moved = weight_bytes + input_bytes + output_bytes
    return LayerCost(
        index=op.index,
        op=op.custom_code or op.kind if op.kind == "CUSTOM" else op.kind,
        name=_name(graph, op),
        macs=work,
        parameters=sum(graph.tensor(index).count for index in weights),
        weight_bytes=weight_bytes,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
        live_bytes=live,
        intensity_macs_per_byte=work / moved if moved else 0.0,
    )


def _name(graph: Graph, op: Op) -> str:
    """Of its output, or of the variable that it assigns."""
    if op.outputs:
        return graph.tensor(op.outputs[0]).name
    return graph.tensor(op.inputs[0]).name if op.inputs else ""


def _weights(graph: Graph, op: Op) -> tuple[int, ...]:
    """The constant operands that an operator reads as data. Where the second operand steers the
    operator (a shape, axes, paddings), it is no parameter."""
    return tuple(
        dict.fromkeys(
            index
            for position, index in enumerate(op.inputs)
            if index >= 0
            and graph.tensor(index).is_constant
            and not (position > 0 and op.kind in _STEERED)
        )
    )


_STEERED = frozenset(
    {
        "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "PAD", "PADV2", "MEAN", "SUM", "STRIDED_SLICE",
        "SLICE", "TRANSPOSE", "SPLIT_V", "GATHER", "MIRROR_PAD", "RESIZE_NEAREST_NEIGHBOR",
        "RESIZE_BILINEAR", "ARG_MAX",
    }
)  # fmt: skip


def _activations(graph: Graph, indices: tuple[int, ...]) -> tuple[int, ...]:
    """Distinct operands that are not constant."""
    return tuple(
        dict.fromkeys(
            index for index in indices if index >= 0 and not graph.tensor(index).is_constant
        )
    )


def _bytes(graph: Graph, indices: tuple[int, ...]) -> int:
    return sum(graph.tensor(index).size_bytes for index in indices)
