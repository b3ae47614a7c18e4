"""NPU against CPU: a speed-up only as a range, and what the NPU does with its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.markup import Segment, bar, fill
from npubench.report.selection import by_network
from npubench.report.speedup import NpuPair, detail, npu_pairs, where_time_goes
from npubench.runs.schema import RunRecord, StageRecord
from npubench.runs.store import StoredRun

TITLE = "NPU against CPU"
ORDER = 15

_STAGES = (
    Stage.INIT_COLD,
    Stage.INIT_WARM,
    Stage.LOAD,
    Stage.INFER,
    Stage.UNLOAD,
    Stage.POST,
    Stage.END_TO_END,
)
_STYLES = ("s-infer", "s-load", "s-unload", "s-post")

_TEMPLATE = """
{% if not pairs %}
<p class="lead">No run used an NPU.</p>
{% else %}
<p class="lead">The CPU's instructions are counted in an emulator. The NPU's cycles come from a \
model that nobody has checked against silicon. They are different units and are never added; a \
time follows from both with the board's clocks and its range of cycles per instruction, and is \
{{ badge("modelled") }}. A speed-up is named only where it keeps its sign over the whole range.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">Network</th><th scope="col">Board</th>\
<th scope="col" class="num">CPU, end to end</th><th scope="col" class="num">NPU, end to end</th>\
<th scope="col">The NPU is</th><th scope="col" class="num">MACs on the NPU</th>\
<th scope="col" class="num">MAC utilization</th><th scope="col" class="num">Operations/s</th>\
<th scope="col" class="num">of at most</th></tr></thead>
<tbody>{% for pair in pairs %}
<tr><td>{{ pair.network }}</td><th scope="row">{{ pair.npu.target }}</th>
<td class="num">{{ pair.cpu_time }}</td><td class="num">{{ pair.npu_time }}</td>
<td class="keep">{{ pair.claim }}</td><td class="num">{{ pair.npu.npu.macs_share|percent }}</td>
<td class="num">{{ pair.npu.npu.mac_utilization_ratio|percent }}</td>
<td class="num">{{ pair.effective }}</td><td class="num">{{ pair.peak }}</td></tr>
{% endfor %}</tbody></table></div>
<h3>Where the NPU's cycles go</h3>
{{ legend(key) }}
<div class="scroll"><table>
<thead><tr><th scope="col">Network</th><th scope="col">Accelerator</th>\
<th scope="col" class="num">Cycles</th><th scope="col" class="wide">Share</th>\
<th scope="col" class="num">AXI0 beats</th><th scope="col" class="num">AXI1 beats</th>\
<th scope="col">Configuration</th></tr></thead>
<tbody>{% for pair in pairs %}
<tr><td>{{ pair.network }}</td><td>{{ pair.npu.npu.accelerator }}</td>
<td class="num">{{ pair.cycles|count }}</td><td class="wide">{{ pair.bar }}</td>
<td class="num">{{ pair.axi0|count }}</td><td class="num">{{ pair.axi1|count }}</td>
<td><code>{{ pair.npu.npu.config_sha256|hash }}</code></td></tr>
<tr class="under"><td></td><td colspan="6">{{ pair.words }}</td></tr>
{% endfor %}</tbody></table></div>
{% for pair in pairs %}
<details><summary>{{ pair.network }} on {{ pair.npu.target }}, stage by stage</summary>
<div class="scroll"><table class="dense">
<thead><tr><th scope="col">Stage</th>\
<th scope="col" class="num">CPU alone: instructions</th><th scope="col" class="num">time</th>\
<th scope="col" class="num">With NPU: instructions</th><th scope="col" class="num">NPU cycles</th>\
<th scope="col" class="num">time</th></tr></thead>
<tbody>{% for row in pair.stages %}
<tr><th scope="row">{{ row.name }}</th><td class="num">{{ row.cpu_instructions|count }}</td>
<td class="num">{{ row.cpu_time }}</td><td class="num">{{ row.instructions|count }}</td>
<td class="num">{{ row.cycles|count }}</td><td class="num">{{ row.time }}</td></tr>
{% endfor %}
<tr><th scope="row">flash, RAM</th><td class="num" colspan="2">{{ pair.cpu_memory }}</td>
<td class="num" colspan="3">{{ pair.npu_memory }}</td></tr>
</tbody></table></div>
{% if pair.npu.npu.fallbacks %}<p>On the CPU, not on the NPU:</p>
<ul class="notes">{% for line in pair.npu.npu.fallbacks %}<li>{{ line }}</li>{% endfor %}</ul>
{% endif %}
</details>
{% endfor %}
{% endif %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """Every run that used an NPU, beside the same network on the same board's CPU."""
    pairs = [_pair(pair) for pair in npu_pairs(by_network(runs))]
    names = ("multiplying", "waiting for constants", "waiting for activations", "all else")
    return fill(_TEMPLATE, pairs=pairs, key=list(zip(names, _STYLES, strict=True)))


def _pair(pair: NpuPair) -> dict[str, Any]:
    shares = where_time_goes(pair.npu)
    words = ", ".join(f"{fmt.percent(share)} {name}" for name, share in shares)
    segments = [
        Segment(value=share, style=style, title=f"{name}: {fmt.percent(share)}")
        for (name, share), style in zip(shares, _STYLES, strict=False)
    ]
    reads = [detail(pair.npu, key) for key in ("axi0_read_beats", "axi0_write_beats")]
    beats = [value for value in reads if value is not None]
    return {
        "network": pair.network,
        "npu": pair.npu,
        "cpu_time": _time(None if pair.cpu is None else pair.cpu.stages.get(Stage.END_TO_END)),
        "npu_time": _time(pair.npu.stages.get(Stage.END_TO_END)),
        "claim": pair.speedup.words,
        "effective": fmt.si(detail(pair.npu, "effective_ops_per_s"), "op/s"),
        "peak": fmt.si(detail(pair.npu, "peak_ops_per_s"), "op/s"),
        "cycles": detail(pair.npu, "cycles"),
        "axi0": sum(beats) if beats else None,
        "axi1": detail(pair.npu, "axi1_read_beats"),
        "bar": bar(segments, scale=1.0, label=words) if segments else fmt.NONE,
        "words": f"Of the NPU's cycles: {words}." if words else "The driver counted nothing.",
        "stages": [_stage(pair, stage) for stage in _STAGES],
        "cpu_memory": _memory(pair.cpu),
        "npu_memory": _memory(pair.npu),
    }


def _stage(pair: NpuPair, stage: Stage) -> dict[str, Any]:
    cpu = None if pair.cpu is None else pair.cpu.stages.get(stage)
    npu = pair.npu.stages.get(stage)
    return {
        "name": stage.replace("_", " "),
        "cpu_instructions": None if cpu is None else cpu.cpu_instructions,
        "cpu_time": _time(cpu),
        "instructions": None if npu is None else npu.cpu_instructions,
        "cycles": None if npu is None else npu.npu_cycles,
        "time": _time(npu),
    }


def _time(stage: StageRecord | None) -> str:
    if stage is None or stage.median is None:
        return fmt.NONE
    if stage.low is None or stage.high is None:
        return fmt.quantity(stage.median, stage.unit)
    return f"{fmt.micro(stage.low, 's')} to {fmt.micro(stage.high, 's')}"


def _memory(run: RunRecord | None) -> str:
    if run is None or run.memory is None:
        return fmt.NONE
    return f"{fmt.size(run.memory.flash_bytes)}, {fmt.size(run.memory.ram_bytes)}"
