"""From an operator of the graph to a call of a C kernel.

Each module lowers a family of operators and lists them in its ``LOWERINGS``. A lowering checks all
that its kernel assumes, lays out the constants and computes the parameters in the exact arithmetic
of TensorFlow Lite Micro; the kernels check nothing again.
"""

from __future__ import annotations

from npubench.compiler.graph import Graph, Op
from npubench.compiler.lower import (
    arithmetic,
    conversion,
    convolution,
    dense,
    elementwise,
    logic,
    matrix,
    movement,
    pooling,
    rearrange,
    recurrent,
    reduce,
    softmax,
    spatial,
    state,
    table,
)
from npubench.compiler.lower.absent import absent
from npubench.compiler.lower.site import PORTABLE, LoweringFunction, Site
from npubench.compiler.plan import Constant, Free, Lowered
from npubench.core.errors import UnsupportedOp

_LOWERINGS: dict[str, LoweringFunction] = {
    kind: function
    for module in (
        arithmetic,
        conversion,
        convolution,
        dense,
        elementwise,
        logic,
        matrix,
        movement,
        pooling,
        rearrange,
        recurrent,
        reduce,
        softmax,
        spatial,
        state,
        table,
    )
    for kind, function in module.LOWERINGS.items()
}

FREE = frozenset({"VAR_HANDLE", "CALL_ONCE", "SHAPE"})
"""Operators that leave nothing to do at run time."""

SUPPORTED = frozenset(_LOWERINGS) | FREE


def lower_op(
    graph: Graph,
    op: Op,
    *,
    flavours: tuple[str, ...] = (PORTABLE,),
    lean: bool = False,
    spare_bytes: int = 0,
) -> tuple[Lowered, tuple[Constant, ...]]:
    """The kernel call, alias or nothing that ``op`` becomes, and the constants that it reads.

    ``flavours``: which folders of firmware/kernels the core can run, best first;
    ``lean``: with as little scratch memory as the kernel can do with; ``spare_bytes``: with so much
    more than it needs, where that saves time.
    Raises UnsupportedOp with the reason when no kernel serves the operator in this form.
    """
    known = bool(op.outputs) and all(graph.tensor(index).is_constant for index in op.outputs)
    if known or op.kind in FREE:
        return Free(op_index=op.index), ()
    function = _LOWERINGS.get(op.kind)
    if function is None:
        name = f"CUSTOM {op.custom_code}" if op.custom_code else op.kind
        reason, hint = absent(op)
        raise UnsupportedOp(op=name, index=op.index, reason=reason, hint=hint)
    return function(Site(graph=graph, op=op, flavours=flavours, lean=lean, spare_bytes=spare_bytes))


__all__ = ["SUPPORTED", "lower_op"]
