"""The few forms that our figures have: bars, stacks, points with ranges, lines.

Each takes rows and names of fields, and gives a Vega-Lite specification. A field ``text`` of a row
is what a reader gets to read of it, in full and with its unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from npubench.report.figure import CATEGORY

BAND = 26
LEGEND_PX = 340
PLAIN = "abs(datum.value) >= 1000 ? format(datum.value, '~s') : format(datum.value, '~g')"
ROUND = (
    "indexof([1, 2, 5], round(10 * datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9))) / "
    "10) >= 0"
)
"""Of an axis by powers of ten these have a label."""
DECADES = {
    "condition": {
        "test": "abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-6",
        "value": "var(--line)",
    },
    "value": "transparent",
}
"""And of these the powers themselves a line."""
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]


def stack(
    *,
    category: str,
    part: str,
    value: str,
    title: str,
    parts: Sequence[str],
    colours: Sequence[str] = CATEGORY,
    share: bool = False,
    ranges: bool = False,
    roof: float | None = None,
) -> dict[str, Any]:
    """Bars of parts, a bar for each category, in the order of the rows. With ``ranges``, rows that
    have ``low`` and ``high`` and no part are drawn as a whisker over the bar; ``roof`` is a line
    that bars are measured by."""
    bars: dict[str, Any] = {
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "x": {"field": value, "type": "quantitative", "stack": "zero", **_axis(title, share)},
            "color": {
                "field": part,
                "type": "nominal",
                "scale": {"domain": list(parts), "range": _cycle(colours, len(parts))},
                "legend": _legend(parts),
            },
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": _tips(category, part),
        },
    }
    layers = [bars]
    if ranges:
        bars["transform"] = [{"filter": f"isValid(datum['{value}'])"}]
        layers.append(_whisker(category))
    if roof is not None:
        layers.append(_roof(roof))
    return _framed(category, layers)


def bars(
    *,
    category: str,
    value: str,
    title: str,
    colour: str | None = None,
    colours: Sequence[str] = CATEGORY,
    ranges: bool = False,
    offset: bool = False,
    share: bool = False,
    names: Sequence[str] = (),
    step: int = BAND,
) -> dict[str, Any]:
    """A bar for each row; ``colour`` is a field with the values ``names``, its bars stacked or,
    with ``offset``, beside each other."""
    encoding: dict[str, Any] = {
        "x": {"field": value, "type": "quantitative", **_axis(title, share)},
        "tooltip": _tips(category, colour),
    }
    if colour is not None:
        encoding["color"] = {
            "field": colour,
            "type": "nominal",
            "sort": None,
            "scale": {"range": list(colours)},
            "legend": _legend(names),
        }
        if offset:
            encoding["yOffset"] = {"field": colour, "type": "nominal", "sort": None}
    mark: dict[str, Any] = {"type": "bar"}
    if not offset:
        mark["height"] = {"band": 0.7}
    layers: list[dict[str, Any]] = [{"mark": mark, "encoding": encoding}]
    if ranges:
        layers.append(_whisker(category, offset=colour if offset else None))
    return _framed(category, layers, step=step)


def points(
    *,
    x: str,
    y: str,
    x_title: str,
    y_title: str,
    colour: str,
    label: str,
    x_log: bool = False,
    y_log: bool = False,
    names: Sequence[str] = (),
    lines: Sequence[str] = (),
    height: int = 320,
    front: bool = False,
) -> dict[str, Any]:
    """A point for each row with its label; colour and shape both say which ``colour`` it is.

    ``lines``: values of the field ``line``; rows of these are drawn as lines, in order of x.
    ``front``: rows where ``front`` is true are joined by a step, the rest pales.
    """
    base = {
        "x": {"field": x, "type": "quantitative", **_axis(x_title, log=x_log, zero=not x_log)},
        "y": {"field": y, "type": "quantitative", **_axis(y_title, log=y_log, zero=not y_log)},
    }
    series = {"field": colour, "type": "nominal", "sort": None}
    dots: dict[str, Any] = {
        "transform": [{"filter": "!isValid(datum.line)"}],
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0.85},
        "encoding": base
        | {
            "color": series | {"legend": _legend(names)},
            "shape": series | {"scale": {"range": SHAPES}, "legend": _legend(names)},
            "tooltip": _tips(label, colour),
        },
    }
    layers = [dots]
    if lines:
        layers.insert(
            0,
            {
                "transform": [{"filter": "isValid(datum.line)"}],
                "mark": {"type": "line", "strokeDash": [5, 4], "color": "var(--muted)"},
                "encoding": base
                | {
                    "detail": {"field": "line", "type": "nominal"},
                    "tooltip": [{"field": "line", "type": "nominal", "title": "limit"}],
                },
            },
        )
    if front:
        layers.insert(
            0,
            {
                "transform": [{"filter": "datum.front === 'yes'"}],
                "mark": {"type": "line", "interpolate": "step-after", "color": "var(--muted)"},
                "encoding": base,
            },
        )
    return {"height": height, "layer": layers}


def course(
    *,
    x: str,
    y: str,
    y_title: str,
    x_title: str,
    colour: str | None = None,
    names: Sequence[str] = (),
    x_log: bool = False,
    y_log: bool = False,
    time: bool = False,
    zero: bool = False,
    marks: bool = True,
    height: int = 260,
) -> dict[str, Any]:
    """Lines over x; rows with ``change`` "yes" get a ring about their point."""
    x_part: dict[str, Any] = {"field": x, "type": "quantitative", **_axis(x_title, log=x_log)}
    if time:
        x_part = {"field": x, "type": "ordinal", "sort": None, "axis": {"title": x_title}}
        x_part["axis"] |= {"labelAngle": -35, "labelOverlap": True, "grid": False}
    base: dict[str, Any] = {
        "x": x_part,
        "y": {"field": y, "type": "quantitative", **_axis(y_title, log=y_log, zero=zero)},
    }
    if colour is not None:
        base["color"] = {"field": colour, "type": "nominal", "sort": None, "legend": _legend(names)}
    layers: list[dict[str, Any]] = [{"mark": {"type": "line"}, "encoding": base}]
    if marks:
        tips = _tips("label", colour)
        layers.append({"mark": {"type": "point", "size": 45}, "encoding": base | {"tooltip": tips}})
        layers.append(
            {
                "transform": [{"filter": "datum.change === 'yes'"}],
                "mark": {"type": "point", "size": 260, "filled": False,
                    "aria": False, "strokeWidth": 2,
                         "color": "var(--c8)"},
                "encoding": {"x": base["x"], "y": base["y"]},
            }
        )  # fmt: skip
    return {"height": height, "layer": layers}


def strips(*, category: str, value: str, title: str) -> dict[str, Any]:
    """A tick for each repetition, a row for each category, the median as a longer one."""
    x = {"field": value, "type": "quantitative", **_axis(title, zero=False)}
    return _framed(
        category,
        [
            {
                "transform": [{"filter": "datum.kind === 'repetition'"}],
                "mark": {"type": "tick", "thickness": 1.5, "opacity": 0.6, "color": "var(--c1)"},
                "encoding": {"x": x, "tooltip": _tips(category, None)},
            },
            {
                "transform": [{"filter": "datum.kind === 'median'"}],
                "mark": {"type": "point", "shape": "diamond", "size": 90, "color": "var(--c8)"},
                "encoding": {"x": x, "tooltip": _tips(category, None)},
            },
        ],
        step=34,
    )


def _framed(category: str, layers: list[dict[str, Any]], step: int = BAND + 8) -> dict[str, Any]:
    y = {
        "field": category,
        "type": "nominal",
        "sort": None,
        "axis": {
            "title": None,
            "domain": False,
            "ticks": False,
            "labelColor": "var(--text)",
            "labelPadding": 8,
            "labelLimit": {"expr": "containerSize()[0] > 420 ? 210 : 130"},
        },
    }
    return {"height": {"step": step}, "encoding": {"y": y}, "layer": layers}


def _whisker(category: str, *, offset: str | None = None) -> dict[str, Any]:
    encoding: dict[str, Any] = {
        "x": {"field": "low", "type": "quantitative"},
        "x2": {"field": "high"},
        "tooltip": _tips(category, None),
    }
    if offset is not None:
        encoding["yOffset"] = {"field": offset, "type": "nominal", "sort": None}
    return {
        "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
        "mark": {"type": "rule", "strokeWidth": 2, "color": "var(--text)", "strokeCap": "round"},
        "encoding": encoding,
    }


def _roof(value: float) -> dict[str, Any]:
    return {
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": "var(--c8)", "strokeWidth": 2},
        "encoding": {"x": {"datum": value, "type": "quantitative"}, "y": {"value": 0},
                     "y2": {"value": "height"}},
    }  # fmt: skip


def _axis(
    title: str, share: bool = False, *, log: bool = False, zero: bool = True
) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": title, "labelExpr": PLAIN}
    if share:
        axis = {"title": title, "labelExpr": "format(datum.value * 100, '~g') + ' %'"}
    if log:
        axis |= {"labelExpr": f"{ROUND} ? ({PLAIN}) : ''", "gridColor": DECADES}
        return {"axis": axis, "scale": {"type": "log", "nice": False, "padding": 16}}
    scale: dict[str, Any] = {"zero": zero}
    if share:
        scale["domainMin"] = 0
    return {"axis": axis, "scale": scale}


def _tips(category: str, part: str | None) -> list[dict[str, Any]]:
    names = [category, *([part] if part else []), "text"]
    return [
        {"field": name, "type": "nominal", "title": "value" if name == "text" else name}
        for name in names
    ]


def _legend(names: Sequence[str]) -> dict[str, Any]:
    """As many columns as a phone has room for."""
    widest = max((len(name) for name in names), default=20)
    return {"title": None, "columns": max(1, min(len(names) or 2, LEGEND_PX // (widest * 7 + 30)))}


def _cycle(colours: Sequence[str], count: int) -> list[str]:
    return [colours[index % len(colours)] for index in range(count)]


def fixed(parts: Mapping[str, str], used: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of ``parts`` that are in use, in their order, and their colours."""
    names = [name for name in parts if name in used]
    return names, [parts[name] for name in names]
