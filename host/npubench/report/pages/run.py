"""A page for each run: all that its folder knows of it."""

from __future__ import annotations

from collections.abc import Iterator

from npubench.core import format as fmt
from npubench.report.library import Library, backend_page, board_page, model_page, run_page
from npubench.report.page import Page
from npubench.report.sections import sections
from npubench.report.views.correctness import verdict

ORDER = 40


def pages(library: Library) -> Iterator[Page]:
    """Oldest first; only of runs that have a page."""
    for stored in library.runs:
        run = stored.record
        path = library.page(run_page(run.run_id))
        if not path:
            continue
        name = fmt.printable(run.model.name, 60)
        found = sections("run", stored, library)
        traces = [section.view.values["trace"] for section in found if section.name == "power"]
        newer = [other for other in library.earlier(run) if other.record.created > run.created]
        yield Page(
            path=path,
            kind="run",
            title=f"{name} on {run.target}",
            key=run.run_id,
            sections=found,
            values={
                "run": run,
                "trace": traces[0] if traces else None,
                "name": name,
                "verdict": verdict(run),
                "model_page": library.page(model_page(name, run.model.network_sha256)),
                "board_page": library.page(board_page(run.board)),
                "backend_page": library.page(backend_page(run.backend)),
                "newer_page": library.page(run_page(newer[-1].record.run_id)) if newer else "",
                "made": run.created.replace("T", " ").removesuffix("Z"),
            },
        )
