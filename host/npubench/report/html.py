"""The report as HTML: the face of ``report.site``."""

from __future__ import annotations

from npubench.report.site.writer import (
    is_single,
    render_report,
    write_report,
    write_single,
    write_site,
)

__all__ = ["is_single", "render_report", "write_report", "write_single", "write_site"]
