"""Which operator the cost lies in: a sortable table per network, targets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.markup import Segment, bar, fill
from npubench.report.selection import NetworkRuns, by_network
from npubench.runs.schema import LayerRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Layers"
ORDER = 30

_TEMPLATE = """
<p class="lead">Each operator counted in a pass of its own. A bar is the operator's share of its \
target's sum; a column's head sorts by it.</p>
{% for network in networks %}
<h3>{{ network.name }}</h3>
{% if network.columns %}
<div class="scroll"><table class="sortable dense">
<thead><tr><th scope="col" class="num" data-sort="number">#</th>\
<th scope="col" data-sort="text">Operator</th>\
<th scope="col" class="num" data-sort="number">MACs</th>\
<th scope="col" class="num" data-sort="number">Weights</th>\
{% for column in network.columns %}<th scope="col" class="num" data-sort="number">{{ column.name }}\
<small>{{ column.unit_words }}</small></th>\
{% if column.per_mac %}<th scope="col" class="num" data-sort="number">per MAC</th>{% endif %}\
{% endfor %}</tr></thead>
<tbody>{% for row in network.rows %}
<tr><td class="num" data-value="{{ row.index }}">{{ row.index }}</td>\
<td title="{{ row.name|brief(200) }}">{{ row.op }}{% if row.engines %} <small>{{ row.engines }}\
</small>{% endif %}</td>\
<td class="num" data-value="{{ row.macs }}">{{ row.macs|count }}</td>\
<td class="num" data-value="{{ row.weight_bytes }}">{{ row.weight_bytes|size }}</td>\
{% for cell in row.cells %}<td class="num cost" data-value="{{ cell.sort }}"\
{% if cell.title %} title="{{ cell.title }}"{% endif %}>{{ cell.text }}{{ cell.bar }}</td>\
{% if cell.with_per_mac %}<td class="num" data-value="{{ cell.per_mac_sort }}">\
{{ cell.per_mac|per_mac }}</td>{% endif %}{% endfor %}</tr>
{% endfor %}</tbody>
<tfoot><tr><td></td><th scope="row">Sum of the layers</th><td class="num">\
{{ network.macs|count }}</td><td class="num">{{ network.weight_bytes|size }}</td>\
{% for column in network.columns %}<td class="num">{{ column.total_words }}</td>\
{% if column.per_mac %}<td></td>{% endif %}{% endfor %}</tr>
<tr><td></td><th scope="row">Stage infer</th><td></td><td></td>\
{% for column in network.columns %}<td class="num">{{ column.infer }}</td>\
{% if column.per_mac %}<td class="num">{{ column.infer_per_mac }}</td>{% endif %}\
{% endfor %}</tr></tfoot>
</table></div>
{% else %}<p class="note">No valid run of this network has per-layer counts.</p>{% endif %}
{% if network.absent %}<ul class="notes">{% for line in network.absent %}<li>{{ line }}</li>\
{% endfor %}</ul>{% endif %}
{% endfor %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """One table per network with a pair of columns per target."""
    return fill(_TEMPLATE, networks=[_table(network) for network in by_network(runs)])


def _table(network: NetworkRuns) -> dict[str, Any]:
    counted = [
        run
        for run in network.runs
        if run.valid and any(layer.value is not None for layer in run.layers)
    ]
    shape = [run for run in network.runs if run.layers]
    columns = [column for run in counted for column in _columns(run)]
    first = shape[0].layers if shape else ()
    return {
        "name": network.name,
        "columns": columns,
        "macs": sum(layer.macs for layer in first),
        "weight_bytes": sum(layer.weight_bytes for layer in first),
        "rows": [_row(layer, columns) for layer in first],
        "absent": [f"{run.target}: {_why(run)}" for run in network.runs if run not in counted],
    }


def _why(run: RunRecord) -> str:
    if not run.valid:
        return "not shown, because the run is not valid"
    reasons = {layer.reason for layer in run.layers if layer.reason}
    return "; ".join(sorted(reasons)) or "layers were not counted"


def _columns(run: RunRecord) -> list[dict[str, Any]]:
    """One column for what was counted; before it one of the NPU's cycles, where a network's parts
    ran there: one unit in a column."""
    cycles = sum(layer.npu_cycles or 0 for layer in run.layers if layer.engine == "npu")
    if not cycles:
        return [_column(run)]
    npu = {
        "name": run.target,
        "npu": True,
        "unit_words": "NPU cycles",
        "per_mac": False,
        "total": cycles,
        "total_words": fmt.count(cycles),
        "layers": {layer.index: layer for layer in run.layers},
        "infer": fmt.NONE,
        "infer_per_mac": fmt.NONE,
    }
    return [npu, _column(run)]


def _column(run: RunRecord) -> dict[str, Any]:
    infer = run.stages.get(Stage.INFER)
    unit = next(layer.unit for layer in run.layers if layer.value is not None)
    total = sum(layer.value or 0 for layer in run.layers if layer.unit == unit)
    median = None
    if infer is not None:
        median = infer.median if infer.unit == unit else infer.cycles_median
    if infer is not None and infer.unit not in (unit, "us"):
        median = None
    return {
        "name": run.target,
        "npu": False,
        "unit": unit,
        "unit_words": "modelled time" if unit == "us_modelled" else fmt.UNIT_SHORT[unit],
        "per_mac": unit != "us_modelled",
        "total": total,
        "total_words": _cost(total, unit),
        "layers": {layer.index: layer for layer in run.layers},
        "infer": _cost(median, unit),
        "infer_per_mac": fmt.per_mac(
            median / run.model.macs if median is not None and run.model.macs else None
        ),
    }


def _cost(value: float | None, unit: str) -> str:
    """A cell's number; the unit stands at the column's head, but for a time that scales itself."""
    return fmt.stage(value, unit) if unit == "us_modelled" else fmt.count(value)


def _row(layer: LayerRecord, columns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    engines = {
        column["layers"][layer.index].engine
        for column in columns
        if layer.index in column["layers"]
    }
    return {
        "index": layer.index,
        "op": layer.op,
        "name": layer.name,
        "macs": layer.macs,
        "weight_bytes": layer.weight_bytes,
        "engines": "moves no data" if engines == {"none"} else "",
        "cells": [_cell(column["layers"].get(layer.index), column) for column in columns],
    }


def _cell(layer: LayerRecord | None, column: dict[str, Any]) -> dict[str, Any]:
    if column["npu"]:
        return _npu_cell(layer, column)
    if layer is None or layer.value is None:
        title = "not in this run" if layer is None else layer.reason or "unavailable"
        return {
            "text": fmt.NONE,
            "sort": -1,
            "title": title,
            "bar": "",
            "with_per_mac": column["per_mac"],
            "per_mac": None,
            "per_mac_sort": -1,
        }
    share = layer.value / column["total"] if column["total"] else 0.0
    per_mac = layer.value / layer.macs if layer.macs else None
    place = " (NPU)" if layer.engine == "npu" else ""
    return {
        "text": f"{_cost(layer.value, layer.unit)}{place}",
        "sort": layer.value,
        "title": f"{fmt.percent(share)} of the sum; {layer.kernel or 'no kernel'}",
        "with_per_mac": column["per_mac"],
        "per_mac": per_mac,
        "per_mac_sort": -1 if per_mac is None else f"{per_mac:.4f}",
        "bar": bar(
            [Segment(value=share, style="s-main", title=fmt.percent(share))],
            scale=1.0,
            label=f"{fmt.percent(share)} of the sum",
            thin=True,
        ),
    }


def _npu_cell(layer: LayerRecord | None, column: dict[str, Any]) -> dict[str, Any]:
    """An operator inside an NPU's job: the cycles that the model gives it, not a time."""
    if layer is None or layer.engine != "npu" or layer.npu_cycles is None:
        return {
            "text": fmt.NONE,
            "sort": -1,
            "title": "not on the NPU",
            "bar": "",
            "with_per_mac": False,
        }
    cycles = layer.npu_cycles
    share = cycles / column["total"]
    return {
        "text": fmt.count(cycles),
        "sort": cycles,
        "title": f"{fmt.percent(share)} of the NPU's cycles, modelled; {layer.kernel}",
        "with_per_mac": False,
        "bar": bar(
            [Segment(value=share, style="s-main", title=fmt.percent(share))],
            scale=1.0,
            label=f"{fmt.percent(share)} of the NPU's cycles",
            thin=True,
        ),
    }
