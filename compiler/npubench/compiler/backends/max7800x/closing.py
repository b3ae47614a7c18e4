"""The softmax that closes a network on the CPU, computed here as the kernel computes it, so that
the tool's known answer becomes the network's."""

from __future__ import annotations

from npubench.compiler.graph import Graph
from npubench.compiler.lower import lower_op
from npubench.compiler.lower.fixedpoint import exp_negative, one_over_one_plus
from npubench.compiler.lower.requant import high_mul, shift_right
from npubench.compiler.plan import KernelCall, ParamValue

INTEGER_BITS = 5
SUM_BITS = 12  # integer bits of the sum of exponentials


def closed(graph: Graph, rest: tuple[int, ...], data: bytes) -> bytes:
    """``data``, the accelerator's output as int8, after the operators that follow on the CPU."""
    for index in rest:
        step, _ = lower_op(graph, graph.ops[index])
        assert isinstance(step, KernelCall)
        data = softmax(dict(step.params), data)
    return data


def closed_outputs(graph: Graph, rest: tuple[int, ...], values: dict[int, bytes]) -> bytes:
    """All outputs of the network, one after the other; ``values``: the accelerator's, by tensor."""
    found = dict(values)
    for index in rest:
        op = graph.ops[index]
        found[op.outputs[0]] = closed(graph, (index,), found[op.inputs[0]])
    return b"".join(found[tensor] for tensor in graph.outputs)


def softmax(params: dict[str, ParamValue], data: bytes) -> bytes:
    """What nb_softmax_s8 makes of ``data`` with the parameters of its call."""
    depth, multiplier, shift, lowest = (
        _integer(params, name) for name in ("depth", "multiplier", "left_shift", "diff_min")
    )
    out = bytearray()
    for start in range(0, len(data), depth):
        row = [(byte ^ 0x80) - 0x80 for byte in data[start : start + depth]]
        differences = [value - max(row) for value in row]
        powers = [
            exp_negative(high_mul(difference << shift, multiplier), INTEGER_BITS)
            if difference >= lowest
            else None
            for difference in differences
        ]
        total = sum(shift_right(power, SUM_BITS) for power in powers if power is not None)
        headroom = 32 - total.bit_length()
        reciprocal = one_over_one_plus((total << headroom) - (1 << 31))
        exponent = SUM_BITS - headroom + 31 - 8
        for power in powers:
            value = -128
            if power is not None:
                value += shift_right(high_mul(reciprocal, power), exponent)
            out.append(max(-128, min(127, value)) & 0xFF)
    return bytes(out)


def _integer(params: dict[str, ParamValue], name: str) -> int:
    value = params[name]
    assert isinstance(value, int)
    return value
