"""How well each target answers on labelled samples, beside what the network reaches on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.report.accuracy import interval_words, value_words
from npubench.report.markup import fill
from npubench.report.selection import NetworkRuns, by_network
from npubench.runs.schema import AccuracyRecord
from npubench.runs.store import StoredRun

TITLE = "Accuracy"
ORDER = 45

_TEMPLATE = """
{% if not networks %}<p class="note">No run of this report was asked: \
<code>npubench accuracy MODEL --data test.npz --board qemu-m4</code> lets a board answer labelled \
samples.</p>{% endif %}
{% if networks %}<p class="lead">Answers to labelled samples, sent through the line one by one. \
Intervals are 95 %. Beside it the float and the int8 network on the host, on the same \
samples.</p>{% endif %}
{% for network in networks %}
<h3>{{ network.name }}</h3>
<div class="scroll"><table>
<thead><tr><th scope="col">Target</th><th scope="col" class="num">Answers</th>\
<th scope="col" class="num">95 %</th><th scope="col" class="num">Samples</th>\
<th scope="col">of</th><th scope="col">Interval</th>\
<th scope="col" class="num">as TFLM, bit by bit</th>\
<th scope="col" class="num">float, host</th><th scope="col" class="num">int8, host</th></tr></thead>
<tbody>{% for row in network.rows %}
<tr><th scope="row">{{ row.target }}</th><td class="num">{{ row.value }}</td>
<td class="num">{{ row.interval }}</td><td class="num">{{ row.samples|count }}</td>
<td>{{ row.data|brief(60) }}</td><td>{{ row.method }}</td><td class="num">{{ row.agreement }}</td>
<td class="num">{{ row.float }}</td><td class="num">{{ row.int8 }}</td></tr>
{% endfor %}</tbody></table></div>
{% endfor %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """One table for each network that was asked."""
    networks = [
        {"name": network.name, "rows": rows}
        for network in by_network(runs)
        if (rows := _rows(network))
    ]
    return fill(_TEMPLATE, networks=networks)


def _rows(network: NetworkRuns) -> list[dict[str, Any]]:
    rows = []
    for target, records in network.accuracy.items():
        forms = {item.form: item for item in records}
        own = forms.get("target")
        if own is None:
            continue
        rows.append(
            {
                "target": target,
                "value": value_words(own),
                "interval": interval_words(own),
                "samples": own.samples,
                "data": own.data,
                "method": own.interval or fmt.NONE,
                "agreement": fmt.percent(own.agreement_ratio),
                "float": _host(forms.get("float")),
                "int8": _host(forms.get("int8")),
            }
        )
    return rows


def _host(record: AccuracyRecord | None) -> str:
    return value_words(record)
