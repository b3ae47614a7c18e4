"""Every figure of a report as a file for a paper, with its data as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from npubench.core.errors import StorageError, UsageError
from npubench.report.figure import Format, export, file_name
from npubench.report.library import library
from npubench.report.site.contents import all_pages
from npubench.runs.store import StoredRun


def write_figures(runs: Sequence[StoredRun], folder: Path, kind: Format) -> list[Path]:
    """Two files for each figure, named by page and figure. Raises UsageError when there is none,
    StorageError.

    Only the latest run of each target has figures of its own.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for page in all_pages(library(runs, every_run=False)):
            for figure in page.figures:
                stem = file_name(page.key, figure.name)
                picture, data = folder / f"{stem}.{kind}", folder / f"{stem}.csv"
                picture.write_bytes(export(figure, kind))
                data.write_text(figure.csv(), encoding="utf-8")
                written += [picture, data]
    except OSError as error:
        raise StorageError(
            f"{folder}: figures cannot be written: {error.strerror or error}",
            hint="choose another folder",
        ) from error
    if not written:
        raise UsageError("no run has anything to draw", hint="npubench runs list shows why")
    return written
