"""Which operator the cost lies in: a sortable table per network, targets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.markup import Segment, bar, fill
from npubench.report.selection import NetworkRuns, by_network, is_valid
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
<small>{{ unit_short[column.unit] }}</small></th>\
<th scope="col" class="num" data-sort="number">per MAC</th>{% endfor %}</tr></thead>
<tbody>{% for row in network.rows %}
<tr><td class="num" data-value="{{ row.index }}">{{ row.index }}</td>\
<td title="{{ row.name|brief(200) }}">{{ row.op }}{% if row.engines %} <small>{{ row.engines }}\
</small>{% endif %}</td>\
<td class="num" data-value="{{ row.macs }}">{{ row.macs|count }}</td>\
<td class="num" data-value="{{ row.weight_bytes }}">{{ row.weight_bytes|size }}</td>\
{% for cell in row.cells %}<td class="num cost" data-value="{{ cell.sort }}"\
{% if cell.title %} title="{{ cell.title }}"{% endif %}>{{ cell.text }}{{ cell.bar }}</td>\
<td class="num" data-value="{{ cell.per_mac_sort }}">{{ cell.per_mac|per_mac }}</td>\
{% endfor %}</tr>
{% endfor %}</tbody>
<tfoot><tr><td></td><th scope="row">Sum of the layers</th><td class="num">\
{{ network.macs|count }}</td><td class="num">{{ network.weight_bytes|size }}</td>\
{% for column in network.columns %}<td class="num">{{ column.total|count }}</td><td></td>\
{% endfor %}</tr>
<tr><td></td><th scope="row">Stage infer</th><td></td><td></td>\
{% for column in network.columns %}<td class="num">{{ column.infer }}</td>\
<td class="num">{{ column.infer_per_mac }}</td>{% endfor %}</tr></tfoot>
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
        if is_valid(run) and any(layer.value is not None for layer in run.layers)
    ]
    shape = [run for run in network.runs if run.layers]
    columns = [_column(run) for run in counted]
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
    if not is_valid(run):
        return "not shown, because the run is not valid"
    reasons = {layer.reason for layer in run.layers if layer.reason}
    return "; ".join(sorted(reasons)) or "layers were not counted"


def _column(run: RunRecord) -> dict[str, Any]:
    infer = run.stages.get(Stage.INFER)
    unit = next(layer.unit for layer in run.layers if layer.value is not None)
    median = None
    if infer is not None:
        median = infer.median if infer.unit == unit else infer.cycles_median
    if infer is not None and infer.unit not in (unit, "us"):
        median = None
    return {
        "name": run.target,
        "unit": unit,
        "total": sum(layer.value or 0 for layer in run.layers if layer.unit == unit),
        "npu_cycles": sum(layer.npu_cycles or 0 for layer in run.layers),
        "layers": {layer.index: layer for layer in run.layers},
        "infer": fmt.count(median),
        "infer_per_mac": fmt.per_mac(
            median / run.model.macs if median is not None and run.model.macs else None
        ),
    }


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
    if layer is not None and layer.engine == "npu" and layer.npu_cycles is not None:
        return _npu_cell(layer, column)
    if layer is None or layer.value is None:
        title = "not in this run" if layer is None else layer.reason or "unavailable"
        return {
            "text": fmt.NONE,
            "sort": -1,
            "title": title,
            "bar": "",
            "per_mac": None,
            "per_mac_sort": -1,
        }
    share = layer.value / column["total"] if column["total"] else 0.0
    per_mac = layer.value / layer.macs if layer.macs else None
    place = " (NPU)" if layer.engine == "npu" else ""
    return {
        "text": f"{fmt.count(layer.value)}{place}",
        "sort": layer.value,
        "title": f"{fmt.percent(share)} of the sum; {layer.kernel or 'no kernel'}",
        "per_mac": per_mac,
        "per_mac_sort": -1 if per_mac is None else f"{per_mac:.4f}",
        "bar": bar(
            [Segment(value=share, style="s-main", title=fmt.percent(share))],
            scale=1.0,
            label=f"{fmt.percent(share)} of the sum",
            thin=True,
        ),
    }


def _npu_cell(layer: LayerRecord, column: dict[str, Any]) -> dict[str, Any]:
    """An operator inside an NPU's job: the cycles that the model gives it, not a time."""
    cycles = layer.npu_cycles or 0
    share = cycles / column["npu_cycles"] if column["npu_cycles"] else 0.0
    return {
        "text": f"{fmt.count(cycles)} NPU cycles",
        "sort": cycles,
        "title": f"{fmt.percent(share)} of the NPU's cycles, modelled; {layer.kernel}",
        "per_mac": None,
        "per_mac_sort": -1,
        "bar": bar(
            [Segment(value=share, style="s-main", title=fmt.percent(share))],
            scale=1.0,
            label=f"{fmt.percent(share)} of the NPU's cycles",
            thin=True,
        ),
    }
