"""What the referee says of one image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from npubench.cycles.weights import Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One image. ``golden``: match, close, differs, or why it was not compared. ``cycles`` and
    ``sentence`` by the part's weights where it has any; ``published_cycles`` where this very image
    was published. ``details`` is everything else that was seen."""

    path: Path
    sha256: str
    board: str | None
    model: str | None
    status: Literal["ok", "refused", "failed"]
    reason: str | None = None
    golden: str = "unavailable"
    bounded_by: str | None = None
    instructions: int | None = None
    cycles: Range | None = None
    sentence: str | None = None
    published_cycles: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON that other tools read."""
        cycles = self.cycles
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "board": self.board,
            "model": self.model,
            "status": self.status,
            "reason": self.reason,
            "golden": self.golden,
            "bounded_by": self.bounded_by,
            "instructions": self.instructions,
            "cycles": None
            if cycles is None
            else {"low": round(cycles.low), "mid": round(cycles.mid), "high": round(cycles.high)},
            "cycles_model": self.sentence,
            "published_cycles": self.published_cycles,
            "counts": self.details.get("counts", {}),
            "results": self.details.get("results", []),
            "registers": self.details.get("registers", {}),
            "polled_in_vain": self.details.get("polled_in_vain", []),
        }
