"""Flash and RAM by owner, with the empty firmware of the same board beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.report.markup import Segment, bar, fill
from npubench.report.selection import by_network
from npubench.runs.schema import MemoryRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Memory"
ORDER = 40

Parts = tuple[tuple[str, str, int], ...]

_FLASH = (
    ("weights", "m-weights"),
    ("kernels", "m-kernels"),
    ("harness", "m-harness"),
    ("other", "m-other"),
)
_RAM = (
    ("arena", "m-weights"),
    ("scratch", "m-scratch"),
    ("harness", "m-harness"),
    ("data", "m-data"),
    ("stack", "m-stack"),
    ("other", "m-other"),
)

_TEMPLATE = """
<p class="lead">Gross figures of the linked image, by owner. The thin bar below each is the empty \
firmware of the same board: start-up and an endless loop. The uploaded input is the test's own \
and is not counted.</p>
{% for network in networks %}
<h3>{{ network.name }}</h3>
{% for panel in network.panels %}
<div class="scroll"><table>
<caption>{{ panel.title }} {{ badge("static") }}</caption>
<thead><tr><th scope="col">Target</th><th scope="col" class="wide">{{ legend(panel.key) }}</th>\
<th scope="col" class="num">Total</th>{% for name in panel.names %}<th scope="col" class="num">\
{{ name }}</th>{% endfor %}<th scope="col" class="num">Empty firmware</th>\
{% if panel.fixture %}<th scope="col" class="num">Uploaded input</th>{% endif %}</tr></thead>
<tbody>{% for row in panel.rows %}
<tr><th scope="row">{{ row.name }}{% if not row.valid %} {{ verdict(row.run) }}{% endif %}</th>
<td class="wide">{{ row.bar }}{{ row.baseline_bar }}</td>
<td class="num strong">{{ row.total|size }}</td>
{% for value in row.parts %}<td class="num">{{ value|size }}</td>{% endfor %}
<td class="num muted">{{ row.baseline|size }}</td>
{% if panel.fixture %}<td class="num muted">{{ row.fixture|size }}</td>{% endif %}</tr>
{% endfor %}</tbody></table></div>
{% endfor %}
{% if not network.panels %}<p class="note">No run of this network has a memory account.</p>\
{% endif %}
{% endfor %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """Two panels per network: flash and RAM."""
    networks = []
    for network in by_network(runs):
        accounted = [run for run in network.runs if run.memory is not None]
        panels = []
        if accounted:
            panels = [
                _panel("Flash", accounted, _FLASH, flash_parts),
                _panel("RAM", accounted, _RAM, ram_parts),
            ]
        networks.append({"name": network.name, "panels": panels})
    return fill(_TEMPLATE, networks=networks)


def flash_parts(memory: MemoryRecord) -> dict[str, int | None]:
    """Flash by owner, bytes; ``other`` is what no owner claims, so that the parts add up."""
    parts: dict[str, int | None] = {
        "weights": memory.weights_bytes,
        "kernels": memory.kernels_bytes,
        "harness": memory.harness_flash_bytes,
    }
    return parts | {"other": max(0, memory.flash_bytes - _sum(parts))}


def ram_parts(memory: MemoryRecord) -> dict[str, int | None]:
    """RAM by owner, bytes; ``other`` is what no owner claims, so that the parts add up."""
    parts: dict[str, int | None] = {
        "arena": memory.arena_bytes,
        "scratch": memory.scratch_bytes,
        "harness": memory.harness_ram_bytes,
        "data": memory.data_bytes,
        "stack": memory.stack_bytes,
    }
    return parts | {"other": max(0, memory.ram_bytes - _sum(parts))}


def _sum(parts: dict[str, int | None]) -> int:
    return sum(value or 0 for value in parts.values())


def _panel(title: str, runs: Sequence[RunRecord], key: Any, split: Any) -> dict[str, Any]:
    flash = title == "Flash"
    accounts = [(run, run.memory) for run in runs if run.memory is not None]
    scale = max((memory.flash_bytes if flash else memory.ram_bytes) for _, memory in accounts)
    shares = [split(memory) for _, memory in accounts]
    used = [(name, style) for name, style in key if any(share[name] for share in shares)]
    rows = []
    for (run, memory), share in zip(accounts, shares, strict=True):
        total = memory.flash_bytes if flash else memory.ram_bytes
        baseline = memory.baseline_flash_bytes if flash else memory.baseline_ram_bytes
        words = ", ".join(f"{name} {fmt.size(share[name])}" for name, _ in used)
        rows.append(
            {
                "run": run,
                "name": run.target,
                "valid": run.valid,
                "total": total,
                "parts": [share[name] for name, _ in used],
                "baseline": baseline,
                "fixture": memory.fixture_bytes,
                "bar": bar(
                    [
                        Segment(
                            value=share[name] or 0,
                            style=style,
                            title=f"{name}: {fmt.size(share[name])}",
                        )
                        for name, style in used
                    ],
                    scale=scale,
                    label=f"{run.target}, {title}: {words}",
                ),
                "baseline_bar": bar(
                    [
                        Segment(
                            value=baseline or 0,
                            style="m-base",
                            title=f"empty firmware: {fmt.size(baseline)}",
                        )
                    ],
                    scale=scale,
                    label=f"empty firmware {fmt.size(baseline)}",
                    thin=True,
                ),
            }
        )
    return {
        "title": title,
        "rows": rows,
        "names": [name for name, _ in used],
        "key": [*used, ("empty firmware", "m-base")],
        "fixture": not flash,
    }
