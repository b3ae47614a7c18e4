"""What others measured of the parts that ran on model."""

from __future__ import annotations

from npubench.published import sources
from npubench.report.beside import beside_grid, notes_of, of_parts, others_grid
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns
from npubench.report.view import View

TITLE = "Published of these parts"
ORDER = 17


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """A row for each published result of this network, those of others behind a click."""
    del library
    parts = of_parts(network.runs)
    if not parts:
        return None
    grid, others = beside_grid(parts), others_grid(parts)
    about = sources()
    named = dict.fromkeys(item.row.published.source for part in parts for item in part.beside)
    return View(
        lead="Measured by others on the very parts, or with the same NPU in another, each with its "
        "source. It stands beside the modelled ranges to judge them by; where something was tuned "
        "on it, the note says so.",
        grids=() if grid is None else (grid,),
        folded={} if others is None else {"Published of these boards, other networks": (others,)},
        notes=(
            *(part.words for part in parts),
            *notes_of(parts),
            *(f"{source}: {about[source].notes}" for source in named),
        ),
    )
