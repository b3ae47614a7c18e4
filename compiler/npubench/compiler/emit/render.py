"""Jinja with our rules: undefined names are errors, data comes in one frozen context."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from npubench.compiler.emit.sources import firmware_root

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, context: object) -> bytes:
    """A template of firmware/templates, filled from ``context``, which it sees as ``it``."""
    return (
        _environment(firmware_root() / "templates")
        .get_template(template)
        .render(it=context)
        .encode()
    )


@cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
