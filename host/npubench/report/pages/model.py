"""A page for each network: every view of it, its targets side by side."""

from __future__ import annotations

from collections.abc import Iterator

from npubench.report.library import Library, model_page
from npubench.report.page import Page
from npubench.report.sections import sections

ORDER = 10


def pages(library: Library) -> Iterator[Page]:
    """In order of the networks' names."""
    for network in library.networks:
        path = model_page(network.name, network.network_sha256)
        yield Page(
            path=path,
            kind="model",
            title=network.name,
            key=path.rpartition("/")[2],
            sections=sections("network", network, library),
            values={"network": network},
        )
