"""The report: one HTML file that holds everything it needs and opens without a network."""

from __future__ import annotations

import base64
import hashlib
import os
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import cast

from markupsafe import Markup

from npubench.core.errors import StorageError
from npubench.core.version import VERSION
from npubench.report import pages
from npubench.report.markup import fill
from npubench.report.selection import by_network
from npubench.runs.store import StoredRun

_SKELETON = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'sha256-{{ style_hash }}'; script-src 'sha256-{{ script_hash }}'; \
base-uri 'none'; form-action 'none'">
<title>npubench report: {{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<a class="skip" href="#overview">Skip to the results</a>
<header class="top"><div class="wrap">
<p class="brand">npubench</p>
<h1>{{ title }}</h1>
<p class="facts">{{ facts }}</p>
</div></header>
<nav aria-label="Sections"><div class="wrap">
{% for page in pages %}<a href="#{{ page.name }}">{{ page.title }}</a>
{% endfor %}</div></nav>
<main class="wrap">
{% for page in pages %}
<section id="{{ page.name }}" aria-labelledby="h-{{ page.name }}">
<h2 id="h-{{ page.name }}">{{ page.title }}</h2>
{{ page.body }}
</section>
{% endfor %}
</main>
<footer class="wrap"><p>Made by npubench {{ version }} from {{ run_count }} stored \
run{{ "" if run_count == 1 else "s" }}. This file holds all it needs and loads nothing.</p></footer>
<script>{{ script }}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A section of the report. A page's module has ``TITLE``, ``ORDER`` and ``render``."""

    name: str
    title: str
    order: int
    render: Callable[[Sequence[StoredRun]], Markup]


def discover_pages() -> tuple[Page, ...]:
    """Every module in ``report/pages``, by its ORDER, then by name."""
    found = []
    for module_info in pkgutil.iter_modules(pages.__path__):
        module = import_module(f"{pages.__name__}.{module_info.name}")
        found.append(
            Page(
                name=module_info.name,
                title=cast(str, module.TITLE),
                order=cast(int, module.ORDER),
                render=module.render,
            )
        )
    return tuple(sorted(found, key=lambda page: (page.order, page.name)))


def render_report(runs: Sequence[StoredRun]) -> str:
    """The report's text. The same runs give the same text: it holds no clock of its own."""
    style = _asset("report.css")
    script = _asset("report.js")
    return str(
        fill(
            _SKELETON,
            title=_title(runs),
            facts=_facts(runs),
            version=VERSION,
            run_count=len(runs),
            style=Markup(style),
            script=Markup(script),
            style_hash=_csp_hash(style),
            script_hash=_csp_hash(script),
            pages=[
                {"name": page.name, "title": page.title, "body": page.render(runs)}
                for page in discover_pages()
            ],
        )
    )


def write_report(runs: Sequence[StoredRun], path: Path) -> Path:
    """Write the report, replacing an older one as a whole. Raises StorageError."""
    text = render_report(runs)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path}: the report cannot be written: {error.strerror or error}",
            hint="choose another file with --report (bench) or --output (report)",
        ) from error
    return path


def _asset(name: str) -> str:
    return (files("npubench.report") / "assets" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _title(runs: Sequence[StoredRun]) -> str:
    names = [network.name for network in by_network(runs)]
    boards = sorted({stored.record.board for stored in runs})
    if not names:
        return "no runs"
    return f"{_listing(names, 'networks')} on {_listing(boards, 'boards')}"


def _listing(words: Sequence[str], noun: str) -> str:
    if len(words) > 4:
        return f"{len(words)} {noun}"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _facts(runs: Sequence[StoredRun]) -> str:
    if not runs:
        return "nothing has been run yet"
    shown = [run for network in by_network(runs) for run in network.runs]
    valid = sum(run.valid for run in shown)
    latest = max(stored.record.created for stored in runs)
    targets = len({run.target for run in shown})
    words = [
        f"{targets} target{'' if targets == 1 else 's'}",
        f"{valid} of {len(shown)} results valid",
        f"latest run {latest.replace('T', ' ').removesuffix('Z')} UTC",
    ]
    return " · ".join(words)
