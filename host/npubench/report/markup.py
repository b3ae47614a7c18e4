"""HTML by Jinja with everything escaped: what a file brought can be read, never run.

Pages call ``fill``. Bars are inline SVG: they need no script, follow light and dark through
classes, and are printed where browsers leave backgrounds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.evidence import MEANING

BAR_WIDTH = 1000

_MACROS = """
{% macro badge(kind) -%}
<span class="badge e-{{ kind }}" title="{{ meaning[kind] }}">{{ kind }}</span>
{%- endmacro %}
{% macro verdict(run) -%}
{% if run.golden.status == "mismatch" -%}
<span class="badge bad">mismatch</span>
{%- elif run.status in ("failed", "refused") -%}
<span class="badge bad">{{ run.status }}</span>
{%- elif run.golden.status == "unavailable" -%}
<span class="badge warn" title="{{ run.golden.reason or '' }}">unchecked</span>
{%- else -%}
<span class="badge good">{{ run.golden.status }}</span>
{%- endif %}
{%- if run.status == "partial" %} <span class="badge warn">partial</span>{% endif %}
{%- endmacro %}
{% macro legend(entries) -%}
<ul class="legend" aria-hidden="true">
{% for name, style in entries %}<li><svg class="key" viewBox="0 0 10 10">\
<rect class="{{ style }}" width="10" height="10" rx="2"/></svg>{{ name }}</li>
{% endfor %}</ul>
{%- endmacro %}
"""

_BAR = """<svg class="bar{% if thin %} thin{% endif %}" viewBox="0 0 {{ width }} 10" \
preserveAspectRatio="none" role="img" aria-label="{{ label }}">\
<rect class="track" width="{{ width }}" height="10"/>\
{% for segment in segments %}<rect class="{{ segment.style }}" x="{{ segment.x }}" \
width="{{ segment.width }}" height="10"><title>{{ segment.title }}</title></rect>{% endfor %}\
{% if span %}<rect class="span" x="{{ span[0] }}" width="{{ span[1] }}" y="3.5" height="3"/>\
{% endif %}</svg>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar: its value in the bar's unit, CSS class and tooltip."""

    value: float
    style: str
    title: str


@cache
def environment() -> Environment:
    """Jinja as every page uses it: escaped, strict, with the formats as filters."""
    jinja = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=DictLoader({"macros": _MACROS}),
        finalize=_finalize,
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
    }
    jinja.globals |= {
        "meaning": {str(kind): words for kind, words in MEANING.items()},
        "dash": fmt.NONE,
        "unit_name": fmt.UNIT_NAME,
        "unit_short": fmt.UNIT_SHORT,
    }
    return jinja


def _finalize(value: Any) -> Any:
    """Take control characters and direction overrides out of every text that is filled in."""
    return fmt.printable(value, 20_000) if type(value) is str else value


@cache
def _template(text: str) -> Any:
    head = '{% from "macros" import badge, verdict, legend with context %}'
    return environment().from_string(head + text)


def fill(text: str, **values: Any) -> Markup:
    """Render a template; every value is escaped unless it is Markup already."""
    return Markup(_template(text).render(**values))


def bar(
    segments: Sequence[Segment],
    *,
    scale: float,
    label: str,
    thin: bool = False,
    span: tuple[float, float] | None = None,
) -> Markup:
    """A horizontal bar whose full width is ``scale``, in the segments' unit.

    ``label`` says the same in words for those who do not see it; ``span`` is a range drawn over it.
    """
    placed = []
    start = 0.0
    for segment in segments:
        placed.append(
            {
                "x": _px(start, scale),
                "width": _px(segment.value, scale),
                "style": segment.style,
                "title": segment.title,
            }
        )
        start += segment.value
    drawn = None
    if span is not None:
        drawn = (_px(span[0], scale), _px(span[1] - span[0], scale))
    return fill(_BAR, width=BAR_WIDTH, segments=placed, label=label, thin=thin, span=drawn)


def _px(value: float, scale: float) -> str:
    share = max(0.0, value) / scale if scale > 0 else 0.0
    return f"{min(1.0, share) * BAR_WIDTH:.1f}"
