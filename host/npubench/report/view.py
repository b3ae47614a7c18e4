"""A view: one answer about a network, a run, a board or a backend; none where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from npubench.report.figure import Figure
from npubench.report.grid import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a view says: first in words (``claim``, then ``lead``), then figures, tables, notes.

    ``template`` with ``values`` stands before them, where a form of its own is needed;
    ``folded``: tables behind a click, by what the click is called."""

    claim: str = ""
    lead: str = ""
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    folded: Mapping[str, tuple[Grid, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
