"""Operators without a kernel: why, and what their owner can do."""

from __future__ import annotations

from npubench.compiler.graph import Graph, Op

_FIXED_SHAPE = "export the model with a fixed input shape, batch 1"
_HINTS = {
    "SHAPE": _FIXED_SHAPE,
    "RANK": _FIXED_SHAPE,
    "WHERE": "its output's size depends on the data: export the model without it",
    "UNIQUE": "its output's size depends on the data: export the model without it",
    "GELU": "train or convert the model with RELU or HARD_SWISH in its place",
    "ELU": "train or convert the model with RELU or HARD_SWISH in its place",
}
_HINT = "convert the model without it"


def absent(graph: Graph, op: Op) -> tuple[str, str]:
    """Why no kernel serves this kind of operator, and what to do."""
    hint = _HINTS.get(op.kind, _HINT)
    if op.kind in ("SHAPE", "RANK") and op.inputs and op.inputs[0] >= 0:
        shape = list(graph.tensor(op.inputs[0]).shape)
        return (
            f"it asks for the shape of its input ({shape}) at run time, as models that were "
            "exported with a dynamic batch do",
            hint,
        )
    if op.kind == "CUSTOM":
        return "custom operators have no kernel", f"{hint} (npubench coverage lists what runs)"
    return "there is no kernel for it", f"{hint} (npubench coverage lists what runs)"
