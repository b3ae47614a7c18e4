"""The answer first: which target is better for each network, and how far to trust that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.evidence import MEANING, Evidence
from npubench.core.stages import Stage
from npubench.report.accuracy import value_words, worse_words
from npubench.report.markup import Segment, bar, fill
from npubench.report.selection import (
    NetworkRuns,
    Ranking,
    by_network,
    infer_per_mac,
    rankings,
)
from npubench.report.speedup import times_range
from npubench.runs.schema import AccuracyRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Overview"
ORDER = 10

_STAGE_WORDS = {Stage.END_TO_END: "end to end", Stage.INFER: "for the inference alone"}
_LEAST = {
    "instructions": "needs the fewest instructions",
    "cycles": "needs the fewest cycles",
    "us": "is the fastest",
    "us_modelled": "is the fastest by its model",
}
_AS = {"instructions": "as many", "cycles": "as many", "us": "as long", "us_modelled": "as long"}
_MEANS = {
    Evidence.COUNTED: "Instructions are neither cycles nor time. How long each takes is decided by "
    "the memory and the pipeline of the real part, which an emulator does not have: between "
    "kernels on one core the count is a good guide, between cores it is a hint, not a speed-up.",
    Evidence.MEASURED: "Time on physical boards, from the board's own cycle counter and a clock "
    "that was checked against this computer.",
    Evidence.MODELLED: "The model and its configuration are named in the run. The range is the "
    "model's own; a difference is named only where it holds over the whole range.",
}

_TEMPLATE = """
{% if not cards %}
<p class="empty">There are no runs. <code>npubench bench kws</code> makes one.</p>
{% endif %}
{% for card in cards %}
<article class="card" id="{{ card.network.anchor }}">
<header><h3>{{ card.network.name }}</h3>
<p class="facts">{{ card.network.macs|count }} MACs · {{ card.network.parameters|count }} \
parameters · {{ card.network.ops }} operators</p></header>
{% for group in card.groups %}
<p class="answer">{{ group.answer }}</p>
<p class="trust">{{ badge(group.evidence) }} {{ group.trust }}</p>
<div class="scroll"><table>
<thead><tr><th scope="col">Target</th><th scope="col" class="wide">{{ group.stage_words|capitalize \
}}, {{ "modelled time" if group.unit == "us_modelled" else unit_name[group.unit] }}</th>\
{% if group.ranks %}\
<th scope="col" class="num">of the best</th>{% endif %}
{% if group.per_mac %}<th scope="col" class="num">{{ unit_short[group.unit] if group.unit != "us" \
else "cycles" }} per MAC</th>{% endif %}
{% if group.asked %}<th scope="col" class="num">Answers</th>{% endif %}
<th scope="col" class="num">Flash</th><th scope="col" class="num">RAM</th>\
<th scope="col">Golden</th></tr></thead>
<tbody>
{% for row in group.rows %}
<tr{% if row.best %} class="best"{% endif %}><th scope="row">{{ row.run.target }}</th>
<td class="wide"><span class="value">{{ row.value }}</span>{{ row.bar }}</td>
{% if group.ranks %}<td class="num">{{ row.times }}</td>{% endif %}
{% if group.per_mac %}<td class="num">{{ row.per_mac|per_mac }}</td>{% endif %}
{% if group.asked %}<td class="num">{{ row.answers }}</td>{% endif %}
<td class="num">{{ row.flash|size }}</td><td class="num">{{ row.ram|size }}</td>
<td>{{ verdict(row.run) }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
{% if not card.groups %}<p class="answer">No target has a valid result.</p>{% endif %}
{% if card.left_out %}
<ul class="leftout">
{% for run, reason in card.left_out %}
<li>{{ verdict(run) }} <strong>{{ run.target }}</strong> is not ranked: {{ reason }}\
{% if run.error and run.error.hint %} <span class="hint">{{ run.error.hint|brief(300) }}</span>\
{% endif %}</li>
{% endfor %}
</ul>
{% endif %}
{% if card.network.older %}<p class="note">The latest run of each target is shown; \
{{ card.network.older }} earlier one{{ "" if card.network.older == 1 else "s" }} \
{{ "is" if card.network.older == 1 else "are" }} listed under Provenance.</p>{% endif %}
</article>
{% endfor %}
{% if kinds %}
<h3>How far to trust these numbers</h3>
<dl class="kinds">
{% for kind in kinds %}<dt>{{ badge(kind.name) }}</dt><dd><strong>{{ kind.short }}.\
</strong> {{ kind.long }}</dd>
{% endfor %}
</dl>
<ul class="checks">
{% for check in checks %}<li>{{ check }}</li>
{% endfor %}
</ul>
{% endif %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """One card per network, then what the kinds of evidence mean."""
    networks = by_network(runs)
    shown = [run for network in networks for run in network.runs]
    return fill(
        _TEMPLATE,
        cards=[_card(network) for network in networks],
        kinds=_kinds(shown),
        checks=_checks(shown),
    )


def _card(network: NetworkRuns) -> dict[str, Any]:
    groups = rankings(network.runs)
    ranked = {run.run_id for group in groups for run in group.runs}
    return {
        "network": network,
        "groups": [_group(group, _targets(network)) for group in groups],
        "left_out": [(run, _why_left_out(run)) for run in network.runs if run.run_id not in ranked],
    }


def _targets(network: NetworkRuns) -> dict[str, AccuracyRecord]:
    """What each target itself answered."""
    return {
        target: item
        for target, records in network.accuracy.items()
        for item in records
        if item.form == "target"
    }


def _why_left_out(run: RunRecord) -> str:
    if not run.valid:
        return run.why_invalid or ""
    infer = run.stages.get(Stage.INFER)
    if infer is None:
        return "the run has no inference stage"
    return infer.reason or "its inference was not timed"


def _group(ranking: Ranking, answers: dict[str, AccuracyRecord]) -> dict[str, Any]:
    best = ranking.value(ranking.best)
    scale = max(_high(ranking, run) for run in ranking.runs)
    rows = []
    for run in ranking.runs:
        value = ranking.value(run)
        stage = run.stages[ranking.stage]
        text = fmt.stage(value, ranking.unit, low=stage.low, high=stage.high)
        span = None
        if stage.low is not None and stage.high is not None:
            span = (float(stage.low), float(stage.high))
        rows.append(
            {
                "run": run,
                "value": text,
                "best": value == best and ranking.ranks,
                "times": _times(ranking, run),
                "per_mac": infer_per_mac(run),
                "answers": value_words(answers.get(run.target)),
                "flash": None if run.memory is None else run.memory.flash_bytes,
                "ram": None if run.memory is None else run.memory.ram_bytes,
                "bar": bar(
                    [Segment(value=value, style="s-main", title=text)],
                    scale=scale,
                    label=f"{run.target}: {text}",
                    span=span,
                ),
            }
        )
    return {
        "ranks": ranking.ranks,
        "unit": ranking.unit,
        "evidence": str(ranking.evidence),
        "rows": rows,
        "stage_words": _STAGE_WORDS[Stage(ranking.stage)],
        "answer": f"{_answer(ranking)} {_worse(ranking, answers)}".strip(),
        "asked": any(run.target in answers for run in ranking.runs),
        "trust": _trust(ranking),
        "per_mac": any(row["per_mac"] is not None for row in rows),
    }


def _high(ranking: Ranking, run: RunRecord) -> float:
    high = run.stages[ranking.stage].high
    return max(float(ranking.value(run)), float(high or 0))


def _answer(ranking: Ranking) -> str:
    """The sentence that a reader came for."""
    best, words = ranking.best, _STAGE_WORDS[Stage(ranking.stage)]
    if not ranking.ranks:
        listed = ", ".join(
            f"{run.target} {fmt.quantity(ranking.value(run), ranking.unit)}" for run in ranking.runs
        )
        return (
            f"{words.capitalize()}: {listed}. Counts of different cores, whose instructions do "
            "different work in different times: they are not ranked."
        )
    cost = fmt.stage(ranking.value(best), ranking.unit)
    if len(ranking.runs) == 1:
        return f"{best.target}: {cost} {words}; no other target to compare with."
    second = ranking.runs[1]
    if ranking.value(second) == ranking.value(best):
        return f"{best.target} and {second.target} cost the same {words}: {cost}."
    if _overlap(ranking, best, second):
        return (
            f"Undecided between {best.target} and {second.target}: their modelled ranges overlap."
        )
    return (
        f"{best.target} {_LEAST[ranking.unit]} {words}: {cost}; {second.target} "
        f"{_ratio_words(ranking, second)}."
    )


def _worse(ranking: Ranking, answers: dict[str, AccuracyRecord]) -> str:
    """That the winner answers worse than another, where it does."""
    if not ranking.ranks:
        return ""
    best = ranking.best.target
    others = [(run.target, answers.get(run.target)) for run in ranking.runs if run.target != best]
    return worse_words(answers.get(best), best, others)


def _ratio_words(ranking: Ranking, run: RunRecord) -> str:
    best = ranking.value(ranking.best)
    if not best:
        return "takes more"
    if ranking.evidence is not Evidence.MODELLED and ranking.value(run) / best < 1.1:
        return f"takes {fmt.percent(ranking.value(run) / best - 1)} more"
    return f"takes {_times(ranking, run)} {_AS[ranking.unit]}"


def _times(ranking: Ranking, run: RunRecord) -> str:
    """How many times the best's cost: of modelled values only a range, the worst of one against
    the best of the other, and no figure where the ranges overlap."""
    best, value = ranking.value(ranking.best), ranking.value(run)
    if run is ranking.best or not best or ranking.evidence is not Evidence.MODELLED:
        return fmt.ratio(value / best if best else None)
    if _overlap(ranking, ranking.best, run):
        return "undecided"
    ratio = times_range(ranking.best.stages[ranking.stage], run.stages[ranking.stage])
    return fmt.NONE if ratio is None else f"{fmt.ratio(ratio[0])} to {fmt.ratio(ratio[1])}"


def _overlap(ranking: Ranking, best: RunRecord, second: RunRecord) -> bool:
    high = best.stages[ranking.stage].high
    low = second.stages[ranking.stage].low
    return high is not None and low is not None and low <= high


def _trust(ranking: Ranking) -> str:
    """How far the order of a ranking may be trusted, from its repetitions."""
    stages = [run.stages[ranking.stage] for run in ranking.runs]
    counts = sorted({stage.n for stage in stages})
    times = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if ranking.evidence is Evidence.MODELLED:
        return "By a model; nothing was observed."
    if all(stage.deterministic for stage in stages):
        every = "Both" if times == "2" else f"All {times}"
        agree = f"{every} repetitions gave the same value on each target."
        if ranking.evidence is Evidence.COUNTED:
            return f"{agree} An exact count; not a time."
        return f"{agree} One session each: a claim between sessions needs three boots."
    if max(counts) < 2:
        return "Run once: nothing shows yet that it repeats."
    boots = min(
        (run.stages[Stage.INIT_COLD].n for run in ranking.runs if Stage.INIT_COLD in run.stages),
        default=1,
    )
    scope = (
        ""
        if boots >= 3
        else (" Within one session: a claim between sessions needs three boots or more.")
    )
    return f"Median of {times} repetitions.{scope}"


def _kinds(runs: Sequence[RunRecord]) -> list[dict[str, str]]:
    used = {stage.evidence for run in runs for stage in run.stages.values()}
    if any(run.memory is not None for run in runs):
        used.add(Evidence.STATIC)
    long = _MEANS | {
        Evidence.STATIC: "Flash and RAM by owner, from the sections of the linked image. The "
        "stack's high-water mark within the RAM is read from the running board.",
    }
    return [
        {
            "name": str(kind),
            "short": MEANING[kind][:1].upper() + MEANING[kind][1:],
            "long": long.get(kind, ""),
        }
        for kind in Evidence
        if kind in used
    ]


def _checks(runs: Sequence[RunRecord]) -> list[str]:
    """What was checked in these runs, as sentences; only what holds is said."""
    lines = []
    matched = sum(run.golden.status == "match" for run in runs)
    lines.append(
        f"{matched} of {len(runs)} results gave the golden answer, bit by bit; a result that does "
        "not is shown as failed and never ranked."
    )
    costs = sorted(
        {
            run.clock.window_cost
            for run in runs
            if run.clock is not None and run.clock.window_cost is not None
        }
    )
    if costs:
        span = (
            fmt.count(costs[0])
            if len(costs) == 1
            else (f"{fmt.count(costs[0])} to {fmt.count(costs[-1])}")
        )
        lines.append(f"The cost of an empty window ({span} counts) is subtracted from each stage.")
    lines.append("Different units and different kinds of evidence are never put into one ranking.")
    return lines
