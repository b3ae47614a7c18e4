"""The audit as one HTML file that loads nothing: verdicts by round, findings ranked, each result.

What the files brought is escaped and made printable; it can be read, never run.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import Any

from npubench.audit.check import Audit
from npubench.audit.rules import RULES
from npubench.audit.verdict import MEANING, Verdict
from npubench.audit.words import figures_words, name_of
from npubench.core.format import printable
from npubench.core.version import VERSION

TEXT_LIMIT = 2000

STYLE = """
:root { --bg: #fff; --text: #171c24; --muted: #566070; --line: #dfe3e8; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #11151b; --text: #e7eaef; --muted: #a0aaba; --line: #2d3642; }
}
body { margin: 0 auto; max-width: 84rem; padding: 1rem; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; }
.num { text-align: right; white-space: nowrap; }
.muted { color: var(--muted); }
.v { white-space: nowrap; font-weight: 600; }
.contradicted, .rule-broken { color: #c22a2f; }
.confirmed { color: #1f8a4c; }
.scroll { overflow-x: auto; }
"""

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'sha256-{{ style_hash }}'; base-uri 'none'; form-action 'none'">
<title>npubench audit</title>
<style>{{ style }}</style>
</head>
<body>
<h1>Audit of MLPerf Tiny results</h1>
<p>{{ results | length }} results, {{ findings | length }} findings.</p>
<section>
<h2>Verdicts</h2>
<div class="scroll"><table>
<thead><tr><th scope="col">verdict</th>
{% for round in rounds %}<th scope="col" class="num">{{ round }}</th>{% endfor %}
<th scope="col" class="num">all</th><th scope="col">means</th></tr></thead>
<tbody>
{% for row in verdicts %}
<tr><th scope="row" class="v {{ row.style }}">{{ row.verdict }}</th>
{% for count in row.counts %}<td class="num">{{ count }}</td>{% endfor %}
<td class="num">{{ row.total }}</td><td class="muted">{{ row.meaning }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
<section>
<h2>Findings</h2>
<p class="muted">One for a rule and a result. What moves a published number most comes first.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">rule</th><th scope="col">result</th><th scope="col">moves it by</th>
<th scope="col">what was found</th></tr></thead>
<tbody>
{% for row in findings %}
<tr><td class="v" title="{{ row.meaning }}">{{ row.rule }}<br>\
<span class="muted">{{ row.effect }}</span></td>
<td>{{ row.name }}</td><td class="num">{{ row.moves }}</td><td>{{ row.detail }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
<section>
<h2>Results</h2>
<div class="scroll"><table>
<thead><tr><th scope="col">verdict</th><th scope="col">result</th><th scope="col">figures</th>
<th scope="col">why</th></tr></thead>
<tbody>
{% for row in results %}
<tr><td class="v {{ row.style }}">{{ row.verdict }}</td><td>{{ row.name }}</td>
<td>{{ row.figures }}</td><td>{{ row.why }}</td></tr>
{% endfor %}
</tbody></table></div>
</section>
<section>
<h2>Rules</h2>
<table><thead><tr><th scope="col">rule</th><th scope="col">effect</th>
<th scope="col">found when</th></tr></thead><tbody>
{% for row in rules %}
<tr><td class="v">{{ row.rule }}</td><td>{{ row.effect }}</td><td>{{ row.meaning }}</td></tr>
{% endfor %}
</tbody></table>
</section>
<footer><p class="muted">Made by npubench {{ version }}. This file loads nothing.</p></footer>
</body>
</html>
"""


def render(found: Audit) -> str:
    """The page. Equal audits give equal bytes."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    def text(value: Any) -> Any:
        return printable(value, TEXT_LIMIT) if type(value) is str else value

    jinja = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=text,
    )
    digest = hashlib.sha256(STYLE.encode()).digest()
    rounds = sorted({item.result.identity.round for item in found.judged})
    counts = Counter((item.verdict, item.result.identity.round) for item in found.judged)
    names = {item.result.folder: name_of(item) for item in found.judged}
    order = list(Verdict)
    return jinja.from_string(TEMPLATE).render(
        style=Markup(STYLE),
        style_hash=base64.b64encode(digest).decode(),
        version=VERSION,
        rounds=[name or "no round" for name in rounds],
        verdicts=[
            {
                "verdict": str(verdict),
                "style": _style(verdict),
                "counts": [counts[verdict, name] for name in rounds],
                "total": sum(counts[verdict, name] for name in rounds),
                "meaning": MEANING[verdict],
            }
            for verdict in Verdict
        ],
        findings=[
            {
                "rule": item.rule,
                "effect": str(item.effect),
                "meaning": RULES[item.rule].meaning,
                "name": names.get(item.folder, item.folder),
                "moves": "" if item.moves_pct is None else f"{item.moves_pct:.2f} %",
                "detail": item.detail,
            }
            for item in found.findings
        ],
        results=[
            {
                "verdict": str(item.verdict),
                "style": _style(item.verdict),
                "name": name_of(item),
                "figures": figures_words(item),
                "why": "; ".join(item.why),
            }
            for item in sorted(found.judged, key=lambda item: order.index(item.verdict))
        ],
        rules=[
            {"rule": name, "effect": str(rule.effect), "meaning": rule.meaning}
            for name, rule in RULES.items()
        ],
    )


def _style(verdict: Verdict) -> str:
    return str(verdict).replace(" ", "-")
