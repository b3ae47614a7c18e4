"""Energy by stage with its intervals, duty-cycled power, and the traces with stages shaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from npubench.core.errors import NpubenchError
from npubench.power.capture.parts import read_capture
from npubench.power.energy.duty import break_even_per_second, duty_power_uw
from npubench.power.plot.envelope import Envelope, envelope
from npubench.power.plot.marked import shades_of
from npubench.power.plot.png import COLOURS, Shade
from npubench.report.markup import fill
from npubench.report.selection import by_network, target
from npubench.runs.schema import EnergyRecord, EnergyStageRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Energy"
ORDER = 35

log = logging.getLogger(__name__)

STAGES = ("load", "infer", "unload", "post", "end_to_end", "init_warm")
RATES_PER_SECOND = (0.1, 1.0, 10.0)
COLUMNS, HEIGHT = 3000, 240

_TEMPLATE = """
{% if not networks %}<p class="note">No run of this report captured power: add \
<code>--power ppk2-sim</code> to <code>npubench bench</code>.</p>{% endif %}
{% if networks %}<p class="lead">Energy of one repetition of each stage, in µJ: gross, and net of \
what idle would have taken meanwhile. Intervals are k = 2 and include the instrument's stated \
accuracy; without a source for it there is none.</p>{% endif %}
{% for network in networks %}
<h3>{{ network.name }}</h3>
<div class="scroll"><table>
<caption>Energy by stage, µJ</caption>
<thead><tr><th scope="col">Target</th><th scope="col">Verdict</th>\
{% for name in stages %}<th scope="col" class="num">{{ name }}</th>{% endfor %}\
<th scope="col" class="num">Idle, µW</th></tr></thead>
<tbody>{% for row in network.rows %}
<tr><th scope="row">{{ row.name }} {{ badge(row.evidence) }}</th><td>{{ row.verdict }}</td>
{% for cell in row.cells %}<td class="num" title="{{ cell.title }}">{{ cell.gross }}\
{% if cell.interval %}<br><span class="muted">{{ cell.interval }}</span>{% endif %}\
{% if cell.net %}<br><span class="muted">net {{ cell.net }}</span>{% endif %}</td>{% endfor %}
<td class="num">{{ row.idle }}</td></tr>
{% for reason in row.reasons %}<tr><td></td><td colspan="{{ stages|length + 2 }}">{{ reason }}</td>\
</tr>{% endfor %}
{% endfor %}</tbody></table></div>
{% if network.duty %}
<div class="scroll"><table>
<caption>Mean power with idle between inferences, µW</caption>
<thead><tr><th scope="col">Target</th>{% for rate in rates %}<th scope="col" class="num">\
{{ rate }} per second</th>{% endfor %}</tr></thead>
<tbody>{% for row in network.duty %}<tr><th scope="row">{{ row.name }}</th>\
{% for value in row.powers %}<td class="num">{{ value }}</td>{% endfor %}</tr>{% endfor %}</tbody>
</table></div>
{% for line in network.even %}<p class="note">{{ line }}</p>{% endfor %}
{% endif %}
{% for row in network.rows %}{% if row.picture %}
<figure><figcaption>{{ row.name }}: current over {{ row.seconds }}, {{ row.instrument }}. Wheel to \
zoom, drag to move, double click for all.</figcaption>
{{ row.picture }}</figure>
{% endif %}{% endfor %}
{% endfor %}
"""

_PICTURE = """<svg class="trace" viewBox="0 0 {{ width }} {{ height }}" \
preserveAspectRatio="none" width="100%" height="{{ height }}" role="img" aria-label="{{ label }}">\
{% for shade in shades %}<rect x="{{ shade.x }}" y="0" width="{{ shade.width }}" \
height="{{ height }}" fill="{{ shade.fill }}"><title>{{ shade.stage }}</title></rect>{% endfor %}\
<path d="{{ path }}" fill="none" stroke="#1d4ed8" stroke-width="1" \
vector-effect="non-scaling-stroke"/></svg>
<p class="note">0 to {{ top }} on the upright axis; \
{% for stage, fill in colours %}<svg class="key" viewBox="0 0 10 10"><rect width="10" height="10" \
fill="{{ fill }}"/></svg> {{ stage }} {% endfor %}</p>"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """A table per network, then a picture per capture."""
    paths = {stored.record.run_id: stored.path for stored in runs}
    networks = []
    for network in by_network(runs):
        captured = [(run, run.energy) for run in network.runs if run.energy is not None]
        if captured:
            networks.append(
                {
                    "name": network.name,
                    "rows": [_row(run, energy, paths[run.run_id]) for run, energy in captured],
                    "duty": _duty(captured),
                    "even": _break_even(captured),
                }
            )
    return fill(
        _TEMPLATE,
        networks=networks,
        stages=STAGES,
        rates=[f"{rate:g}" for rate in RATES_PER_SECOND],
    )


def _row(run: RunRecord, energy: EnergyRecord, path: Path) -> dict[str, Any]:
    seconds, picture = _picture(path / "power", target(run))
    refused = energy.verdict == "refused"
    return {
        "name": target(run),
        "evidence": str(energy.evidence),
        "verdict": energy.verdict,
        "reasons": energy.reasons,
        "cells": [_cell(None if refused else energy.stages.get(name)) for name in STAGES],
        "idle": "" if energy.idle_uw is None else number(energy.idle_uw),
        "instrument": energy.instrument.model,
        "seconds": f"{seconds:.2f} s of the instrument's clock",
        "picture": picture,
    }


def _cell(stage: EnergyStageRecord | None) -> dict[str, str]:
    if stage is None:
        return {"gross": "", "interval": "", "net": "", "title": "no figure"}
    interval = ""
    if stage.gross_low_uj is not None and stage.gross_high_uj is not None:
        interval = f"{number(stage.gross_low_uj)} to {number(stage.gross_high_uj)}"
    return {
        "gross": number(stage.gross_uj),
        "interval": interval,
        "net": "" if stage.net_uj is None else number(stage.net_uj),
        "title": f"{stage.repeats} repetitions in each of {stage.windows} windows, "
        f"{stage.samples} samples; mean {number(stage.mean_uw)} µW, "
        f"peak {number(stage.peak_uw)} µW, charge {number(stage.charge_uc)} µC",
    }


def number(value: float) -> str:
    """Four significant digits, thousands apart, no exponent for usual sizes."""
    if value == 0:
        return "0"
    digits = max(0, 3 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{min(digits, 6)}f}".replace(",", " ")


def _duty(captured: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[dict[str, Any]]:
    rows = []
    for run, energy in captured:
        whole = energy.stages.get("end_to_end")
        if energy.verdict == "refused" or whole is None or whole.net_uj is None:
            continue
        values = []
        for rate in RATES_PER_SECOND:
            power = duty_power_uw(
                idle_uw=energy.idle_uw or 0.0,
                net_uj=whole.net_uj,
                duration_us=whole.duration_us,
                per_second=rate,
            )
            values.append("too slow" if power is None else number(power))
        rows.append({"name": target(run), "powers": values})
    return rows


def _break_even(captured: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[str]:
    lines = []
    for (run, energy), (other_run, other) in combinations(captured, 2):
        mine, theirs = energy.stages.get("end_to_end"), other.stages.get("end_to_end")
        if mine is None or theirs is None or "refused" in (energy.verdict, other.verdict):
            continue
        if mine.net_uj is None or theirs.net_uj is None or energy.evidence != other.evidence:
            continue
        rate = break_even_per_second(
            idle_uw=energy.idle_uw or 0.0,
            net_uj=mine.net_uj,
            other_idle_uw=other.idle_uw or 0.0,
            other_net_uj=theirs.net_uj,
        )
        names = f"{target(run)} and {target(other_run)}"
        if rate is None:
            lines.append(f"{names}: one takes less power at every rate.")
        else:
            lines.append(f"{names} break even at {number(rate)} inferences per second.")
    return lines


def _picture(folder: Path, label: str) -> tuple[float, Markup | None]:
    """The capture's length in seconds, and its picture; None when there is nothing to draw."""
    try:
        capture = read_capture(folder)
        total = sum(len(block) for block in capture.blocks())
        if not total:
            return 0.0, None
        drawn = envelope(capture.blocks(), first=0, stop=total, columns=COLUMNS)
        return total / capture.traits.rate_hz, _svg(drawn, shades_of(capture), label)
    except NpubenchError as error:
        log.info("no trace of %s: %s", label, error)
        return 0.0, None


def _svg(trace: Envelope, shades: Sequence[Shade], label: str) -> Markup:
    """The envelope as one path of upright strokes, stages as rectangles behind it."""
    finite = trace.high_ua[np.isfinite(trace.high_ua)]
    top_ua = float(np.max(finite)) * 1.08 if len(finite) and np.max(finite) > 0 else 1.0
    columns = len(trace.low_ua)
    low = HEIGHT - trace.low_ua * (HEIGHT / top_ua)
    high = HEIGHT - trace.high_ua * (HEIGHT / top_ua)
    strokes = [
        f"{'L' if column and not np.isnan(high[column - 1]) else 'M'}{column},{high[column]:.1f}"
        f"V{max(low[column], high[column] + 0.6):.1f}"
        for column in range(columns)
        if not np.isnan(high[column])
    ]
    placed = [
        {
            "x": f"{(shade.begin - trace.first) / trace.per_column:.1f}",
            "width": f"{max((shade.end - shade.begin) / trace.per_column, 1.0):.1f}",
            "fill": _hex(COLOURS[shade.stage]),
            "stage": shade.stage,
        }
        for shade in shades
    ]
    return fill(
        _PICTURE,
        width=columns,
        height=HEIGHT,
        label=f"current over time of {label}",
        shades=placed,
        path="".join(strokes),
        top=f"{top_ua / 1000:.3g} mA" if top_ua >= 1000 else f"{top_ua:.3g} µA",
        colours=[(name, _hex(colour)) for name, colour in COLOURS.items()],
    )


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
