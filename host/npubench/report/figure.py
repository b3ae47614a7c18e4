"""A picture as data: rows, a Vega-Lite specification over them, and the same in words.

A browser draws it with colours that are CSS variables, so that light, dark and print need no second
drawing; vl-convert makes SVG, PNG and PDF of it without a browser, with the light colours.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Row = Mapping[str, str | int | float | None]
Format = Literal["svg", "png", "pdf"]
KINDS: tuple[Format, ...] = ("svg", "png", "pdf")

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
VL_VERSION = "6.4"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif'
EXPORT_WIDTH = 640
PNG_SCALE = 2.0

LIGHT: Mapping[str, str] = {
    "--bg": "#ffffff",
    "--text": "#171c24",
    "--muted": "#566070",
    "--line": "#dfe3e8",
    "--c1": "#2f74b5",
    "--c2": "#d98310",
    "--c3": "#2b8f6b",
    "--c4": "#a95593",
    "--c5": "#7b8794",
    "--c6": "#8a6d3b",
    "--c7": "#5b5fc7",
    "--c8": "#c2513f",
}
"""The light colours of site.css by their names; a test holds the two equal."""
CATEGORY = tuple(f"var(--c{number})" for number in (1, 2, 3, 4, 6, 7, 8, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``name`` is unique on its page and part of file names; ``words`` say what is to be seen;
    ``spec`` is Vega-Lite without data, size and look; ``note`` stands below."""

    name: str
    title: str
    words: str
    rows: tuple[Row, ...]
    spec: Mapping[str, Any]
    note: str = ""

    def document(self) -> dict[str, Any]:
        """What the page's script draws from: the rows by column, so that names stand once."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        return {
            "name": self.name,
            "description": f"{self.title}. {self.words}",
            "spec": self.spec,
            "columns": {name: [row.get(name) for row in self.rows] for name in names},
        }

    def csv(self) -> str:
        """Its rows as CSV, with a head."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()


def config() -> dict[str, Any]:
    """The look of every figure, in the colours' names."""
    axis = {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 500,
        "titlePadding": 10,
        "labelLimit": 190,
    }
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": axis,
        "axisQuantitative": {"tickCount": 6, "domain": False, "ticks": False, "labelPadding": 6},
        "legend": {
            "labelColor": "var(--text)",
            "titleColor": "var(--muted)",
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": 500,
            "labelLimit": 260,
            "symbolType": "square",
            "orient": "top",
            "offset": 12,
        },
        "range": {"category": list(CATEGORY)},
        "bar": {"color": "var(--c1)"},
        "point": {"color": "var(--c1)", "filled": True, "size": 80},
        "line": {"color": "var(--c1)", "strokeWidth": 2},
        "rule": {"color": "var(--text)"},
        "text": {"color": "var(--text)", "fontSize": 12},
    }


def export(figure: Figure, kind: Format) -> bytes:
    """The figure as a file for a paper, in the light colours on white."""
    import vl_convert

    spec = {
        "$schema": SCHEMA,
        "title": {"text": figure.title, "anchor": "start", "fontSize": 14, "offset": 14},
        "width": EXPORT_WIDTH,
        "data": {"values": [dict(row) for row in figure.rows]},
        **figure.spec,
        "config": config() | {"background": "var(--bg)", "title": {"color": "var(--text)"}},
    }
    plain = json.loads(resolved(json.dumps(spec)))
    if kind == "svg":
        return str(vl_convert.vegalite_to_svg(plain, vl_version=VL_VERSION)).encode()
    if kind == "png":
        return bytes(vl_convert.vegalite_to_png(plain, vl_version=VL_VERSION, scale=PNG_SCALE))
    return bytes(vl_convert.vegalite_to_pdf(plain, vl_version=VL_VERSION))


def resolved(text: str, colours: Mapping[str, str] = LIGHT) -> str:
    """``text`` with every named colour as its value."""
    return re.sub(r"var\((--[a-z0-9]+)\)", lambda found: colours[found[1]], text)


def file_name(*parts: str) -> str:
    """Parts of a file's name, from anything: letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(parts)).strip("-.")[:120] or "figure"


def present(rows: Sequence[Row], field: str) -> bool:
    """Whether some row has a value there."""
    return any(row.get(field) is not None for row in rows)
