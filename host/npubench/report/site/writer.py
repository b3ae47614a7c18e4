"""Writes a report: a folder of pages, or one file that holds them all.

The same runs give the same bytes: no page holds a clock of its own.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from markupsafe import Markup

from npubench.core.errors import StorageError
from npubench.core.version import VERSION
from npubench.report.figure import config
from npubench.report.library import Library, library, model_page
from npubench.report.markup import fill, json_data
from npubench.report.page import Page
from npubench.report.site.bundle import asset, chart_library
from npubench.report.site.contents import all_pages
from npubench.report.site.trace_data import trace_script
from npubench.runs.store import StoredRun

SITE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
SCRIPTS = ("site.js", "charts.js", "trace.js")
MARK = "npubench-report.txt"
"""A file that says of a folder that it is a report of ours, and may be replaced."""


def write_report(runs: Sequence[StoredRun], path: Path) -> Path:
    """One file where ``path`` ends in .html, else a site. Raises StorageError."""
    return write_single(runs, path) if is_single(path) else write_site(runs, path)


def is_single(path: Path) -> bool:
    """Whether a path names one file."""
    return path.suffix.lower() in (".html", ".htm")


def write_site(
    runs: Sequence[StoredRun], folder: Path, *, before: Sequence[StoredRun] = ()
) -> Path:
    """Write the site into ``folder``, replacing an older one as a whole; gives its index.

    Raises StorageError, also when the folder holds something that is no report.
    """
    if folder.exists() and (not folder.is_dir() or not _ours(folder)):
        raise StorageError(
            f"{folder}: the report cannot be written: it is there and no report",
            hint="choose a new folder, or a file that ends in .html",
        )
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        with _storage(folder):
            partial.mkdir(parents=True)
            (partial / MARK).write_text("A report of npubench: open index.html.\n")
            _fill_site(library(runs, before=before), partial)
            old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
            if folder.exists():
                folder.replace(old)
            partial.replace(folder)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder / "index.html"


def _ours(folder: Path) -> bool:
    return (folder / MARK).is_file() or not any(folder.iterdir())


def _fill_site(shown: Library, folder: Path) -> None:
    for name in ("assets", "models", "boards", "backends", "sweeps", "runs", "data"):
        (folder / name).mkdir()
    (folder / "assets" / "vega.js").write_text(chart_library(), encoding="utf-8")
    for name in ("site.css", *SCRIPTS):
        (folder / "assets" / name).write_text(asset(name), encoding="utf-8")
    for page in all_pages(shown):
        traces = page.values.get("trace")
        if traces is not None:
            (folder / f"{traces.path}.js").write_text(trace_script(traces), encoding="utf-8")
        text = render_page(page, shown)
        (folder / f"{page.path}.html").write_text(text, encoding="utf-8")


def render_page(page: Page, shown: Library) -> str:
    """One page of the site."""
    body = fill(page.template, here=page.path, single=False, page=page, **page.values)
    return str(
        fill(
            "site/frame.html.j2",
            here=page.path,
            single=False,
            root="../" * page.path.count("/"),
            policy=SITE_POLICY,
            title=f"{page.title} · npubench",
            charts=bool(page.figures),
            traces=page.values.get("trace") is not None,
            look=_look(),
            bodies=[((page.path, page.kind, page.title), body)],
            **_shared(shown),
        )
    )


def render_report(runs: Sequence[StoredRun], *, before: Sequence[StoredRun] = ()) -> str:
    """Every page in one text; earlier runs of a target are listed and have no page."""
    shown = library(runs, every_run=False, before=before)
    bodies, scripts, title = [], [], ""
    for page in all_pages(shown):
        title = title or page.title
        body = fill(page.template, here=page.path, single=True, page=page, **page.values)
        bodies.append(((page.path, page.kind, page.title), body))
        trace = page.values.get("trace")
        if trace is not None:
            scripts.append(trace_script(trace))
    scripts = [chart_library(), *scripts, *(asset(name) for name in SCRIPTS)]
    style = asset("site.css")
    hashes = " ".join(f"'sha256-{_csp_hash(text)}'" for text in scripts)
    policy = (
        f"default-src 'none'; style-src 'sha256-{_csp_hash(style)}'; script-src {hashes}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return str(
        fill(
            "site/frame.html.j2",
            here="index",
            single=True,
            root="",
            policy=policy,
            title=f"npubench report: {title}",
            charts=True,
            traces=True,
            look=_look(),
            bodies=bodies,
            style=Markup(style),
            scripts=[Markup(text) for text in scripts],
            **_shared(shown),
        )
    )


def write_single(
    runs: Sequence[StoredRun], path: Path, *, before: Sequence[StoredRun] = ()
) -> Path:
    """Write the report as one file, replacing an older one as a whole. Raises StorageError."""
    text = render_report(runs, before=before)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    with _storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def _shared(shown: Library) -> dict[str, object]:
    networks = [
        (network.name, model_page(network.name, network.network_sha256))
        for network in shown.asked[:6]
    ]
    return {"version": VERSION, "run_count": len(shown.runs), "networks": networks}


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    """Errors of the disk as ours; no collector while thousands of small texts are made."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: the report cannot be written: {error.strerror or error}",
            hint="choose another place with --report (bench) or --output (report)",
        ) from error
    finally:
        if collecting:
            gc.enable()


@cache
def _look() -> Markup:
    return json_data(config())


def _csp_hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
