"""A gate as Rich text: a sentence per metric, what failed first."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core.format import printable
from npubench.runs.gate import Gate

_STYLE = {"pass": "green", "fail": "bold red", "undecided": "yellow"}
_ORDER = {"fail": 0, "undecided": 1, "pass": 2}


def gate_view(gate: Gate) -> RenderableType:
    """Every pair with its sentences; those that failed come first."""
    parts: list[RenderableType] = []
    for pair in sorted(gate.pairs, key=lambda pair: _ORDER[pair.status]):
        parts.append(
            Text.assemble(f"{printable(pair.target)}: ", (pair.status, _STYLE[pair.status]))
        )
        if pair.reason:
            parts.append(Text(f"  {printable(pair.reason, 400)}"))
        for item in sorted(pair.metrics, key=lambda item: _ORDER[item.status]):
            parts.append(
                Text.assemble(
                    "  ", (item.status, _STYLE[item.status]), f"  {printable(item.sentence, 600)}"
                )
            )
    parts.append(Text.assemble(f"{printable(gate.policy)}: ", (gate.status, _STYLE[gate.status])))
    return Group(*parts)
