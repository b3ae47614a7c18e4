"""A page for each sweep that lies beside the runs."""

from __future__ import annotations

from collections.abc import Iterator

from npubench.report.library import Library, sweep_page
from npubench.report.page import Page
from npubench.report.sections import sections

ORDER = 35


def pages(library: Library) -> Iterator[Page]:
    """Oldest first."""
    for sweep in library.sweeps:
        yield Page(
            path=sweep_page(sweep.id),
            kind="sweep",
            title=f"{sweep.model} over {', '.join(sweep.axes)}",
            key=f"sweep-{sweep.id}",
            sections=sections("sweep", sweep, library),
            values={"sweep": sweep, "made": sweep.created.replace("T", " ").removesuffix("Z")},
        )
