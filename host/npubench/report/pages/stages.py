"""Where the cost lies: every stage of every target, one panel per unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.stages import BOUNDARY, Stage
from npubench.report.markup import Segment, bar, fill
from npubench.report.selection import (
    END_TO_END,
    Ranking,
    by_network,
    rankings,
)
from npubench.runs.schema import RunRecord, StageRecord
from npubench.runs.store import StoredRun

TITLE = "Stages"
ORDER = 20

_COLUMNS = (
    Stage.LOAD,
    Stage.INFER,
    Stage.UNLOAD,
    Stage.POST,
    Stage.END_TO_END,
    Stage.INIT_COLD,
    Stage.INIT_WARM,
)

_TEMPLATE = """
<p class="lead">Every board runs the same stages with the same boundaries. Each inference is \
preceded by its load; end to end is load + infer + unload + post of one repetition.</p>
{{ legend(key) }}
{% for network in networks %}
<h3>{{ network.name }}</h3>
{% for panel in network.panels %}
<div class="scroll"><table>
<caption>{{ unit_name[panel.unit]|capitalize }} {{ badge(panel.evidence) }}</caption>
<thead><tr><th scope="col">Target</th><th scope="col" class="wide">Share of the end-to-end cost\
</th>{% for stage in columns %}<th scope="col" class="num" title="{{ boundary[stage] }}">\
{{ stage.replace("_", " ") }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in panel.rows %}
<tr><th scope="row">{{ row.run.target }}</th><td class="wide">{{ row.bar }}</td>
{% for cell in row.cells %}<td class="num{% if cell.strong %} strong{% endif %}"\
{% if cell.title %} title="{{ cell.title }}"{% endif %}>{{ cell.text }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% if panel.parts %}
<div class="scroll"><table class="dense">
<caption>What these times are made of: instructions {{ badge("counted") }} and NPU cycles \
{{ badge("modelled") }}, never added</caption>
<thead><tr><th scope="col">Target</th><th scope="col"></th>{% for stage in columns %}\
<th scope="col" class="num">{{ stage.replace("_", " ") }}</th>{% endfor %}</tr></thead>
<tbody>{% for run, what, values in panel.parts %}
<tr><td>{{ run.target }}</td><td>{{ what }}</td>{% for value in values %}\
<td class="num">{{ value|count }}</td>{% endfor %}</tr>
{% endfor %}</tbody></table></div>
{% endif %}
{% if panel.notes %}<ul class="notes">{% for note in panel.notes %}<li>{{ note }}</li>\
{% endfor %}</ul>{% endif %}
{% endfor %}
{% if network.absent %}<ul class="leftout">{% for run, why in network.absent %}\
<li>{{ verdict(run) }} <strong>{{ run.target }}</strong>: {{ why }}</li>{% endfor %}</ul>{% endif %}
{% if network.panels %}
<details><summary>All statistics of {{ network.name }}</summary>
<div class="scroll"><table class="dense">
<thead><tr><th scope="col">Target</th><th scope="col">Stage</th><th scope="col" class="num">Median\
</th><th scope="col" class="num">Min</th><th scope="col" class="num">Max</th>\
<th scope="col" class="num">n</th><th scope="col" class="num">MAD</th>\
<th scope="col">95 % interval</th><th scope="col" class="num">Outliers</th>\
<th scope="col">Evidence</th></tr></thead>
<tbody>{% for run, name, stage in network.statistics %}
<tr><td>{{ run.target }}</td><td>{{ name.replace("_", " ") }}</td>
{% if stage.median is none %}<td colspan="7">{{ stage.reason or "unavailable" }}</td>
{% else %}<td class="num">{{ stage.median|quantity(stage.unit) }}</td>
<td class="num">{{ stage.min|count }}</td><td class="num">{{ stage.max|count }}</td>
<td class="num">{{ stage.n }}</td><td class="num">{{ stage.mad|count }}</td>
<td>{% if stage.deterministic %}deterministic{% elif stage.ci95_low is none %}too few to say\
{% else %}{{ stage.ci95_low|count }} to {{ stage.ci95_high|count }}{% endif %}</td>
<td class="num">{{ stage.outliers }}</td>{% endif %}
<td>{{ badge(stage.evidence) }}</td></tr>
{% endfor %}</tbody></table></div>
<p class="note">The interval is a bootstrap of the median within one session. Outliers are \
labelled (modified z-score above 3.5) and kept.</p>
</details>
{% endif %}
{% endfor %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """A panel per network, unit and kind of evidence, and all statistics folded away."""
    networks = []
    for network in by_network(runs):
        groups = rankings(network.runs)
        timed = {run.run_id for group in groups for run in group.runs}
        networks.append(
            {
                "name": network.name,
                "panels": [_panel(group) for group in groups],
                "absent": [(run, _absence(run)) for run in network.runs if run.run_id not in timed],
                "statistics": [
                    (run, name, stage)
                    for run in network.runs
                    if run.valid
                    for name, stage in run.stages.items()
                ],
            }
        )
    return fill(
        _TEMPLATE,
        networks=networks,
        columns=[str(stage) for stage in _COLUMNS],
        boundary={str(stage): words for stage, words in BOUNDARY.items()},
        key=[(str(stage), f"s-{stage}") for stage in END_TO_END],
    )


def _absence(run: RunRecord) -> str:
    if not run.valid:
        return run.why_invalid or ""
    reasons = {stage.reason for stage in run.stages.values() if stage.reason}
    return "; ".join(sorted(reasons)) or "no stage was timed"


def _panel(group: Ranking) -> dict[str, Any]:
    totals = {run.run_id: _total(run, group.unit) for run in group.runs}
    scale = max(totals.values(), default=0)
    return {
        "unit": group.unit,
        "evidence": str(group.evidence),
        "rows": [
            {
                "run": run,
                "bar": _bar(run, group.unit, scale),
                "cells": [_cell(run.stages.get(stage), group, stage) for stage in _COLUMNS],
            }
            for run in group.runs
        ],
        "parts": [part for run in group.runs for part in _parts(run)],
        "notes": _notes(group),
    }


def _parts(run: RunRecord) -> list[tuple[RunRecord, str, list[int | None]]]:
    """The two counts that a modelled time was made from, a row each; the NPU's where it ran."""
    stages = [run.stages.get(stage) for stage in _COLUMNS]
    instructions = [None if stage is None else stage.cpu_instructions for stage in stages]
    cycles = [None if stage is None else stage.npu_cycles for stage in stages]
    rows = []
    if any(value is not None for value in instructions):
        rows.append((run, "instructions", instructions))
    if any(cycles):
        rows.append((run, "NPU cycles", cycles))
    return rows


def _median(stage: StageRecord | None, unit: str) -> float:
    if stage is None or stage.unit != unit or stage.median is None:
        return 0.0
    return float(stage.median)


def _total(run: RunRecord, unit: str) -> float:
    return sum(_median(run.stages.get(stage), unit) for stage in END_TO_END)


def _bar(run: RunRecord, unit: str, scale: float) -> Markup:
    total = _total(run, unit)
    segments = []
    words = []
    for stage in END_TO_END:
        value = _median(run.stages.get(stage), unit)
        share = fmt.percent(value / total if total else None)
        words.append(f"{stage} {share}")
        segments.append(
            Segment(
                value=value,
                style=f"s-{stage}",
                title=f"{stage}: {fmt.quantity(value, unit)}, {share}",
            )
        )
    return bar(segments, scale=scale, label=f"{run.target}: {', '.join(words)}")


def _cell(stage: StageRecord | None, group: Ranking, name: Stage) -> dict[str, Any]:
    strong = name in (Stage.INFER, Stage.END_TO_END)
    if stage is None or stage.median is None:
        title = "not in this run" if stage is None else stage.reason or "unavailable"
        return {"text": fmt.NONE, "title": title, "strong": strong}
    if stage.unit != group.unit:
        return {"text": fmt.quantity(stage.median, stage.unit), "title": "", "strong": strong}
    title = ""
    if stage.low is not None and stage.high is not None:
        title = f"{fmt.count(stage.low)} to {fmt.count(stage.high)}"
    return {"text": fmt.count(stage.median), "title": title, "strong": strong}


def _notes(group: Ranking) -> list[str]:
    """What a number alone would hide: stages that cannot be told apart, and why one has none."""
    notes = []
    for run in group.runs:
        for name, stage in run.stages.items():
            label = f"{run.target}, {name.replace('_', ' ')}"
            if not stage.separable:
                notes.append(f"{label}: not separable: {stage.reason or 'no reason given'}")
            elif stage.median is None and stage.reason:
                notes.append(f"{label}: {stage.reason}")
    return notes
