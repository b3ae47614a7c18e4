"""Correct before fast: what each target's outputs were compared with, and how it went."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.report.markup import fill
from npubench.report.selection import by_network
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

TITLE = "Correctness"
ORDER = 50

_REFERENCES = {
    "tflm": "TensorFlow Lite Micro's own reference kernels, run on this computer with the same "
    "input",
    "portable": "the native build of our portable kernels, because TensorFlow Lite Micro's package "
    "does not exist for this computer; the tests hold the two equal",
    "vendor": "the vendor's own reference, because this backend quantizes in its own way",
    "second-opinion": "TFLM, LiteRT and the float truth, operator by operator: the board is right "
    "and TFLM is not",
    "none": "nothing: the outputs were not compared",
}

_TEMPLATE = """
<p class="lead">The outputs of every run are compared with a golden answer, bit by bit. A result \
that differs is shown as failed, not as fast.</p>
{% if rows %}
<div class="scroll"><table>
<thead><tr><th scope="col">Network</th><th scope="col">Target</th><th scope="col">Result</th>\
<th scope="col">Reference</th><th scope="col" class="num">Tensors</th>\
<th scope="col" class="num">Differ</th><th scope="col">First to differ</th>\
<th scope="col" class="num">Elements</th><th scope="col" class="num">Largest step</th>\
<th scope="col">Input</th><th scope="col">Answer</th></tr></thead>
<tbody>{% for name, run in rows %}
<tr><td>{{ name }}</td><th scope="row">{{ run.target }}</th><td>{{ verdict(run) }}</td>
<td>{{ run.golden.reference }}</td><td class="num">{{ run.golden.tensors }}</td>
<td class="num">{{ run.golden.mismatches }}</td>
<td>{{ (run.golden.first_mismatch or dash)|brief(60) }}</td>
<td class="num">{{ run.golden.elements_differ|count }}</td>
<td class="num">{{ run.golden.max_abs_diff|count }}</td>
<td>{% if run.golden.input_seed is none %}given{% else %}seed {{ run.golden.input_seed }}\
{% endif %}</td>
<td>{{ answer(run) }}</td></tr>
{% if remark(run) %}<tr class="under"><td></td><td colspan="10">{{ remark(run) }}</td>\
</tr>{% endif %}
{% endfor %}</tbody></table></div>
<dl class="kinds">{% for name, words in references %}<dt><code>{{ name }}</code></dt>\
<dd>Compared with {{ words }}.</dd>{% endfor %}</dl>
{% endif %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """One line per network and target."""
    rows = [(network.name, run) for network in by_network(runs) for run in network.runs]
    used = {run.golden.reference for _, run in rows}
    return fill(
        _TEMPLATE,
        rows=rows,
        answer=_answer,
        remark=_remark,
        references=[(name, words) for name, words in _REFERENCES.items() if name in used],
    )


def _answer(run: RunRecord) -> str:
    """The answer as the board gave it: integers on the wire, thousandths named ``milli``."""
    answer = run.answer or {}
    if "index" in answer and "milli" in answer:
        if answer["index"] < 0:  # no classes: the error of a reconstruction
            return f"mean squared error {answer['milli'] / 1000:.3f}"
        return f"class {answer['index']}, score {answer['milli'] / 1000:.3f}"
    if "boxes" in answer and "milli" in answer:
        return f"{answer['boxes']} boxes, best {answer['milli'] / 1000:.3f}"
    return ", ".join(f"{key} {value}" for key, value in answer.items()) or fmt.NONE


def _remark(run: RunRecord) -> str:
    """Why there is no answer, or who is off where two differ."""
    second = run.golden.second_opinion
    return run.golden.reason or ("" if second is None else second.text)
