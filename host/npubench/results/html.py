"""A page of tables as one HTML file that loads nothing: wide on a desk, cards on a telephone."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from npubench.core.format import printable
from npubench.results.page import Page

HERE = Path(__file__).parent
TEXT_LIMIT = 1000


def html(page: Page) -> str:
    """The page as HTML; equal pages give equal bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def text(value: Any) -> Any:
        return printable(value, TEXT_LIMIT) if type(value) is str else value

    style = (HERE / "page.css").read_text(encoding="utf-8")
    jinja = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(HERE),
        finalize=text,
    )
    return jinja.get_template("page.html.j2").render(
        page=page,
        style=Markup(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
