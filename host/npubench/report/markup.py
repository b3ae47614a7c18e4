"""HTML by Jinja from files, with everything escaped: what a file brought can be read, never run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.evidence import MEANING


@cache
def environment() -> Environment:
    """Jinja as every page uses it: escaped, strict, with the formats as filters.

    Templates lie beside the modules that fill them. ``here``, the path of the page, and ``single``,
    whether all pages are one file, must be given to each.
    """
    jinja = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FileSystemLoader(Path(__file__).parent),
        finalize=_finalize,
        auto_reload=False,
    )
    jinja.filters |= {
        "count": fmt.count,
        "quantity": fmt.quantity,
        "size": fmt.size,
        "ratio": fmt.ratio,
        "percent": fmt.percent,
        "per_mac": fmt.per_mac,
        "duration": fmt.duration,
        "hash": fmt.short_hash,
        "brief": fmt.printable,
        "jsondata": json_data,
        "jsontext": _json_text,
        "px": _px,
    }
    jinja.globals |= {
        "meaning": {str(kind): words for kind, words in MEANING.items()},
        "dash": fmt.NONE,
        "unit_name": fmt.UNIT_NAME,
        "unit_short": fmt.UNIT_SHORT,
        "link": _link,
        "anchor": _anchor,
        "render": _render,
        "strokes_markup": Markup,
    }
    return jinja


def fill(template: str, **values: Any) -> Markup:
    """Render a template by its name; every value is escaped unless it is Markup already."""
    return Markup(environment().get_template(template).render(**values))


def json_data(value: Any) -> Markup:
    """JSON for a script element that is only data: no value can end the element."""
    text = json.dumps(_clean(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def _json_text(value: Any) -> str:
    """JSON for an attribute: escaped as any other text."""
    return json.dumps(_clean(value), separators=(",", ":"))


def _clean(value: Any) -> Any:
    """Every text made printable: data are drawn, and drawn text is read."""
    if isinstance(value, str):
        return fmt.printable(value, 20_000)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _finalize(value: Any) -> Any:
    """Take control characters and direction overrides out of every text that is filled in."""
    return fmt.printable(value, 20_000) if type(value) is str else value


def _px(value: float) -> str:
    return f"{min(1000.0, max(0.0, value)):.1f}"


@pass_context
def _link(context: Context, path: str, anchor: str = "") -> str:
    """The address of a page of the report, from where the template stands."""
    if context["single"]:
        return f"#{path}:{anchor}" if anchor else f"#{path}"
    root = "../" * str(context["here"]).count("/")
    return f"{root}{path}.html" + (f"#{anchor}" if anchor else "")


@pass_context
def _anchor(context: Context, name: str) -> str:
    """An element's id that is unique in the file."""
    return f"{context['here']}:{name}" if context["single"] else name


@pass_context
def _render(context: Context, template: str, values: Mapping[str, Any]) -> Markup:
    """A view's own template, where the page's stands."""
    shared = {name: context[name] for name in ("here", "single", "page")}
    return fill(template, **shared, **values)
