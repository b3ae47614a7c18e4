"""Operators without a kernel: why, and what their owner can do."""

from __future__ import annotations

from npubench.compiler.graph import Op
from npubench.compiler.opaque import is_opaque

_HINTS = {
    "WHERE": "its output's size depends on the data: export the model without it",
    "UNIQUE": "its output's size depends on the data: export the model without it",
    "GELU": "train or convert the model with RELU or HARD_SWISH in its place",
    "ELU": "train or convert the model with RELU or HARD_SWISH in its place",
}
_HINT = "convert the model without it"


def absent(op: Op) -> tuple[str, str]:
    """Why no kernel serves this kind of operator, and what to do."""
    hint = _HINTS.get(op.kind, _HINT)
    if is_opaque(op):
        return (
            "it is a whole network in its vendor's own scheme",
            "that vendor's engine alone runs it (--board max78000fthr --backend max7800x)",
        )
    if op.kind == "CUSTOM":
        return "custom operators have no kernel", f"{hint} (npubench coverage lists what runs)"
    return "there is no kernel for it", f"{hint} (npubench coverage lists what runs)"
