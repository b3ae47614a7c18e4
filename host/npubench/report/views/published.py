"""What others measured of the parts that ran on model."""

from __future__ import annotations

from npubench.report.beside import beside_grid, of_parts
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns
from npubench.report.view import View

TITLE = "Published of these parts"
ORDER = 17


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """A row for each published result of the boards."""
    del library
    parts = of_parts(network.runs)
    if not parts:
        return None
    grid = beside_grid(parts)
    return View(
        lead="Measured by others on the very parts, each with its source. It stands beside the "
        "modelled ranges to judge them by; nothing was tuned on it.",
        grids=() if grid is None else (grid,),
        notes=tuple(part.words for part in parts),
    )
