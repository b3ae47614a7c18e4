"""The documentation as a site: `make docs`. Nothing is fetched; the theme is Sphinx's own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "npubench"
author = copyright = "npubench contributors"
release = version = _PROJECT["version"]
extensions = ["myst_parser"]
root_doc = "README"
exclude_patterns = ["examples/*", "schemas/*"]
html_theme = "alabaster"
html_theme_options = {"description": _PROJECT["description"], "page_width": "1100px"}
html_title = f"npubench {release}"
html_copy_source = False
myst_heading_anchors = 4
# Pages link to files of the repository that are no pages: they stand as they are on the forge.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]


def setup(app: Any) -> None:
    """Every page is in the tree, without a list to edit."""

    def with_tree(app: Any, name: str, source: list[str]) -> None:
        del app
        if name == root_doc:
            source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"

    def with_index(app: Any, error: Exception | None) -> None:
        if error is None and app.builder.name == "html":
            home = Path(app.outdir) / f"{root_doc}.html"
            (Path(app.outdir) / "index.html").write_bytes(home.read_bytes())

    app.connect("source-read", with_tree)
    app.connect("build-finished", with_index)
