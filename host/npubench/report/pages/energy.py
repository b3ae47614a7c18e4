"""Energy by stage with its intervals, duty-cycled power, and the traces with stages shaded."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.power.parts import read_capture
from npubench.power.plot.envelope import Envelope, envelope
from npubench.power.plot.marked import shades_of
from npubench.power.plot.png import COLOURS, Shade
from npubench.report.markup import fill
from npubench.report.selection import by_network
from npubench.runs.compare_energy import RATES_PER_SECOND, break_even, duty_uw
from npubench.runs.energy_record import EnergyRecord, EnergyStageRecord
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

TITLE = "Energy"
ORDER = 35

log = logging.getLogger(__name__)

STAGES = ("load", "infer", "unload", "post", "end_to_end", "init_warm")
# The page holds the lowest and highest current of FINE columns; what is drawn at first, and where
# no script runs, has COLUMNS.
FINE, COLUMNS, HEIGHT = 20_000, 2_000, 240
NOTHING = 0xFFFF

_TEMPLATE = """
{% if not networks %}<p class="note">No run of this report captured power: \
<code>npubench bench kws --board qemu-m4 --power ppk2-sim</code> shows how it looks, with a \
simulated instrument.</p>{% endif %}
{% if networks %}<p class="lead">Energy of one repetition of each stage, in µJ: gross, and net of \
what idle would have taken meanwhile. Intervals are k = 2 and include the instrument's stated \
accuracy; without a source for it there is none.</p>{% endif %}
{% for network in networks %}
<h3>{{ network.name }}</h3>
<div class="scroll"><table>
<caption>Energy by stage, µJ</caption>
<thead><tr><th scope="col">Target</th><th scope="col">Verdict</th>\
{% for name in stages %}<th scope="col" class="num">{{ name.replace("_", " ") }}</th>{% endfor %}\
<th scope="col" class="num">Idle, µW</th></tr></thead>
<tbody>{% for row in network.rows %}
<tr><th scope="row">{{ row.name }} {{ badge(row.evidence) }}</th><td>{{ row.verdict }}</td>
{% for cell in row.cells %}<td class="num" title="{{ cell.title }}">{{ cell.gross }}\
{% if cell.interval %}<br><span class="muted">{{ cell.interval }}</span>{% endif %}\
{% if cell.net %}<br><span class="muted">net {{ cell.net }}\
{% if cell.net_interval %}<br>{{ cell.net_interval }}{% endif %}</span>{% endif %}</td>{% endfor %}
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
preserveAspectRatio="none" width="100%" height="{{ height }}" role="img" aria-label="{{ label }}" \
data-seconds="{{ seconds }}" data-envelope="{{ packed }}">\
{% for shade in shades %}<rect x="{{ shade.x }}" y="0" width="{{ shade.width }}" \
height="{{ height }}" fill="{{ shade.fill }}"><title>{{ shade.stage }}</title></rect>{% endfor %}\
<path d="{{ path }}" fill="none" stroke="#1d4ed8" stroke-width="1" \
vector-effect="non-scaling-stroke"/></svg>
<p class="note trace-range">0 to {{ seconds }} s</p>
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
    seconds, picture = _picture(path / "power", run.target)
    refused = energy.verdict == "refused"
    return {
        "name": run.target,
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
        return {"gross": "", "interval": "", "net": "", "net_interval": "", "title": "no figure"}
    return {
        "gross": number(stage.gross_uj),
        "interval": _interval(stage.gross_uj, stage.gross_low_uj, stage.gross_high_uj),
        "net": "" if stage.net_uj is None else number(stage.net_uj),
        "net_interval": ""
        if stage.net_uj is None
        else _interval(stage.net_uj, stage.net_low_uj, stage.net_high_uj),
        "title": f"{stage.repeats} repetitions in each of {stage.windows} windows, "
        f"{stage.samples} samples; mean {number(stage.mean_uw)} µW, "
        f"peak {number(stage.peak_uw)} µW, charge {number(stage.charge_uc)} µC",
    }


def _interval(value: float, low: float | None, high: float | None) -> str:
    """``± half`` of an interval about its middle, else its ends; empty without one."""
    if low is None or high is None:
        return ""
    half = (high - low) / 2
    if abs(low + half - value) < 1e-3 * half:
        return f"± {number(half, digits=2)}"
    return f"({number(low)} to {number(high)})"


def number(value: float, digits: int = 4) -> str:
    """Significant digits, thousands apart, no exponent for usual sizes."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{min(places, 8)}f}".replace(",", fmt.GROUP)


def _duty(captured: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[dict[str, Any]]:
    rows = []
    for run, energy in captured:
        whole = energy.stages.get("end_to_end")
        if energy.verdict == "refused" or whole is None or whole.net_uj is None:
            continue
        powers = [duty_uw(energy, rate) for rate in RATES_PER_SECOND]
        values = ["too slow" if power is None else number(power) for power in powers]
        rows.append({"name": run.target, "powers": values})
    return rows


def _break_even(captured: Sequence[tuple[RunRecord, EnergyRecord]]) -> list[str]:
    lines = []
    for (run, energy), (other_run, other) in combinations(captured, 2):
        if "refused" in (energy.verdict, other.verdict):
            continue
        rate, why = break_even(energy, other)
        names = f"{run.target} and {other_run.target}"
        lines.append(
            f"{names}: no break-even: {why}."
            if rate is None
            else f"{names} break even at {number(rate)} inferences per second."
        )
    return lines


def _picture(folder: Path, label: str) -> tuple[float, Markup | None]:
    """The capture's length in seconds, and its picture; None when there is nothing to draw."""
    try:
        capture = read_capture(folder)
        total = capture.count()
        if not total:
            return 0.0, None
        drawn = envelope(capture.blocks(), first=0, stop=total, columns=FINE)
        seconds = total / capture.traits.rate_hz
        return seconds, _svg(drawn, shades_of(capture), label, seconds)
    except NpubenchError as error:
        log.info("no trace of %s: %s", label, error)
        return 0.0, None


def _svg(trace: Envelope, shades: Sequence[Shade], label: str, seconds: float) -> Markup:
    """The envelope as one path of upright strokes, stages as rectangles behind it; the fine
    envelope goes with it, for the script that zooms."""
    finite = trace.high_ua[np.isfinite(trace.high_ua)]
    top_ua = float(np.max(finite)) * 1.08 if len(finite) and np.max(finite) > 0 else 1.0
    columns = len(trace.low_ua)
    starts = np.unique(np.linspace(0, columns, min(COLUMNS, columns), endpoint=False, dtype=int))
    low = HEIGHT - np.fmin.reduceat(trace.low_ua, starts) * (HEIGHT / top_ua)
    high = HEIGHT - np.fmax.reduceat(trace.high_ua, starts) * (HEIGHT / top_ua)
    strokes = [
        f"{'L' if at and not np.isnan(high[at - 1]) else 'M'}{start},{high[at]:.1f}"
        f"V{max(low[at], high[at] + 0.6):.1f}"
        for at, start in enumerate(starts)
        if not np.isnan(high[at])
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
        path=Markup("".join(strokes)),  # of our own, and longer than texts may be
        packed=Markup(_packed(trace, top_ua)),
        seconds=f"{seconds:.3g}",
        top=f"{top_ua / 1000:.3g} mA" if top_ua >= 1000 else f"{top_ua:.3g} µA",
        colours=[(name, _hex(colour)) for name, colour in COLOURS.items()],
    )


def _packed(trace: Envelope, top_ua: float) -> str:
    """Lowest and highest of each column as 16-bit numbers, 65534 for ``top_ua``, 65535 for nothing
    captured; interleaved, little-endian, base64."""
    both = np.stack([trace.low_ua, trace.high_ua], axis=1).astype(np.float64) / top_ua
    scaled = np.clip(np.nan_to_num(both, nan=0.0), 0.0, 1.0) * (NOTHING - 1)
    values = np.where(np.isnan(both), NOTHING, np.rint(scaled)).astype("<u2")
    return base64.b64encode(values.tobytes()).decode("ascii")


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
