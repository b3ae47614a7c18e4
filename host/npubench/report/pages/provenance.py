"""What stands behind each number, and how to get it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from npubench.core import format as fmt
from npubench.report.markup import fill
from npubench.runs.schema import ClockRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Provenance"
ORDER = 60

_TEMPLATE = """
<p class="lead">Each run is a folder that holds its record, raw counts, the bytes of the serial \
session, the image and the emitted project: <code>npubench runs show RUN</code>.</p>
{% if commands %}
<h3>Do it again</h3>
<pre class="command">{% for command in commands %}{{ command }}
{% endfor %}</pre>
{% endif %}
<h3>Runs</h3>
{% for run in runs %}
<details class="run"><summary><code>{{ run.record.run_id }}</code> {{ verdict(run.record) }} \
{{ badge(run.record.evidence) }} <span class="muted">{{ run.record.model.name|brief(40) }} on \
{{ run.record.target }}</span></summary>
<dl class="facts-list">{% for name, value in run.facts %}<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}</dl>
</details>
{% endfor %}
"""


def render(runs: Sequence[StoredRun]) -> Markup:
    """The commands, then every run with all that could change its numbers, newest first."""
    ordered = sorted(runs, key=lambda stored: stored.record.run_id, reverse=True)
    commands = dict.fromkeys(
        shlex.join(stored.record.command) for stored in reversed(ordered) if stored.record.command
    )
    return fill(
        _TEMPLATE,
        commands=list(commands),
        runs=[{"record": stored.record, "facts": _facts(stored.record)} for stored in ordered],
    )


def _facts(run: RunRecord) -> list[tuple[str, Any]]:
    environment = run.environment
    facts: list[tuple[str, Any]] = [
        ("created", run.created),
        ("target", f"{run.target} ({run.place})"),
        ("network", _mono(run.model.network_sha256)),
        ("artifact", _mono(run.model.artifact_sha256)),
        ("source", fmt.printable(run.model.source, 200)),
        ("firmware", environment.firmware),
        ("ELF", _mono(environment.elf_sha256)),
        ("emitted project", _mono(environment.project_sha256)),
        ("npubench", " ".join(filter(None, (environment.npubench, environment.git)))),
        *sorted(environment.tools.items()),
        ("compiler flags", " ".join(environment.flags)),
        ("host", f"{environment.platform}, Python {environment.python}"),
        ("board serial number", environment.board_serial),
        ("transport", environment.transport),
    ]
    if run.clock is not None:
        facts += _clock(run.clock)
    if run.npu is not None:
        facts += [
            ("accelerator", run.npu.accelerator),
            ("NPU configuration", _mono(run.npu.config_sha256)),
            ("share of MACs on the NPU", fmt.percent(run.npu.macs_share)),
            ("on the CPU instead", "; ".join(run.npu.fallbacks)),
        ]
    facts += [
        ("stage contract", str(run.stage_contract)),
        (
            "host time",
            ", ".join(f"{name} {fmt.duration(value)}" for name, value in run.timings_s.items()),
        ),
        ("files", ", ".join(run.artifacts)),
        ("notes", "; ".join(run.notes)),
        ("command", shlex.join(run.command)),
    ]
    if run.error is not None:
        facts.insert(0, ("failed", f"{run.error.kind}: {run.error.message}"))
    return [(name, value) for name, value in facts if value]


def _clock(clock: ClockRecord) -> list[tuple[str, Any]]:
    facts: list[tuple[str, Any]] = [("clock", clock.source)]
    if clock.measured_hz is not None:
        words = fmt.si(clock.measured_hz, "Hz")
        if clock.uncertainty_ppm is not None:
            words += f" ± {clock.uncertainty_ppm:.1f} ppm"
        if clock.deviation_ppm is not None:
            words += (
                f", {clock.deviation_ppm:+.0f} ppm from nominal (tolerance {clock.tolerance_ppm})"
            )
        facts.append(("measured clock", words))
    if clock.window_cost is not None:
        facts.append(("window's own cost", f"{fmt.count(clock.window_cost)}, subtracted"))
    if clock.selftest_expected is not None:
        facts.append(
            (
                "counter self-test",
                f"{fmt.count(clock.selftest_counted)} counted, "
                f"{fmt.count(clock.selftest_expected)} expected",
            )
        )
    return facts


def _mono(value: str | None) -> Markup | None:
    return None if value is None else fill("<code>{{ value }}</code>", value=value)
