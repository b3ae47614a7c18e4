"""A page for each backend that was run: its results, and what it leaves to the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from npubench.report.library import Library, backend_page
from npubench.report.page import Page
from npubench.report.sections import sections

ORDER = 30


def pages(library: Library) -> Iterator[Page]:
    """In order of their names."""
    for name in library.backends:
        yield Page(
            path=backend_page(name),
            kind="backend",
            title=name,
            key=f"backend-{name}",
            sections=sections("backend", name, library),
        )
