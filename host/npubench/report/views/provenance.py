"""What stands behind each number, and how to get it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from npubench.core import format as fmt
from npubench.report.grid import Cell, Grid, columns, text
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import ClockRecord, ImportStepRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Provenance"
ORDER = 95

Facts = list[tuple[str, str, bool]]
"""Name, value, and whether it is code."""


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """The commands that made the shown runs."""
    commands = dict.fromkeys(shlex.join(run.command) for run in network.runs if run.command)
    facts: Facts = [("network", network.network_sha256, True)]
    return View(
        template="views/provenance.html.j2",
        values={"commands": list(commands), "facts": facts, "run_id": ""},
    )


def of_run(stored: StoredRun, library: Library) -> View | None:
    """All that could change the run's numbers."""
    run = stored.record
    return View(
        template="views/provenance.html.j2",
        values={
            "commands": [shlex.join(run.command)] if run.command else [],
            "facts": [fact for fact in _facts(run) if fact[1]],
            "run_id": run.run_id,
        },
        grids=(_steps(run.import_steps),) if run.import_steps else (),
    )


def _facts(run: RunRecord) -> Facts:
    environment = run.environment
    facts: Facts = [
        ("created", run.created.replace("T", " ").removesuffix("Z") + " UTC", False),
        ("target", f"{run.target} ({run.place})", False),
        ("network", run.model.network_sha256, True),
        ("artifact", run.model.artifact_sha256, True),
        ("source", fmt.printable(run.model.source, 200), False),
        ("firmware", environment.firmware or "", False),
        ("ELF", environment.elf_sha256 or "", True),
        ("emitted project", environment.project_sha256 or "", True),
        ("npubench", " ".join(filter(None, (environment.npubench, environment.git))), False),
        *((name, version, False) for name, version in sorted(environment.tools.items())),
        ("compiler flags", " ".join(environment.flags), True),
        ("host", f"{environment.platform}, Python {environment.python}", False),
        ("board serial number", environment.board_serial or "", False),
        ("transport", environment.transport, False),
    ]
    if run.clock is not None:
        facts += _clock(run.clock)
    if run.npu is not None:
        facts += [
            ("accelerator", run.npu.accelerator, False),
            ("NPU configuration", run.npu.config_sha256, True),
            ("share of MACs on the NPU", fmt.percent(run.npu.macs_share), False),
        ]
        facts += _details(run.npu.details)
    if run.energy is not None:
        facts += [
            (
                "power instrument",
                f"{run.energy.instrument.model} {run.energy.instrument.serial}",
                False,
            ),
            ("power model", run.energy.model or "", False),
        ]
    facts += [
        ("stage contract", str(run.stage_contract), False),
        (
            "host time",
            ", ".join(f"{name} {fmt.duration(value)}" for name, value in run.timings_s.items()),
            False,
        ),
        ("files", ", ".join(run.artifacts), False),
    ]
    return facts


def _details(details: Mapping[str, int | float | str]) -> Facts:
    return [
        (
            f"NPU {name.replace('_', ' ')}",
            value if isinstance(value, str) else fmt.count(value),
            False,
        )
        for name, value in details.items()
    ]


def _clock(clock: ClockRecord) -> Facts:
    facts: Facts = [("clock", clock.source, False)]
    if clock.measured_hz is not None:
        words = fmt.si(clock.measured_hz, "Hz")
        if clock.uncertainty_ppm is not None:
            words += f" ± {clock.uncertainty_ppm:.1f} ppm"
        if clock.deviation_ppm is not None:
            words += (
                f", {clock.deviation_ppm:+.0f} ppm from nominal (tolerance {clock.tolerance_ppm})"
            )
        facts.append(("measured clock", words, False))
    if clock.window_cost is not None:
        facts.append(("window's own cost", f"{fmt.count(clock.window_cost)}, subtracted", False))
    if clock.selftest_expected is not None:
        counted = fmt.count(clock.selftest_counted)
        expected = fmt.count(clock.selftest_expected)
        facts.append(("counter self-test", f"{counted} counted, {expected} expected", False))
    return facts


def _steps(steps: tuple[ImportStepRecord, ...]) -> Grid:
    return Grid(
        name="import",
        caption="From the file as brought to what runs",
        columns=columns("Tool", "Version", "Input", "Output", "~Details"),
        rows=tuple(
            (
                text(step.tool),
                text(step.version),
                Cell(text=step.input_sha256[:12], code=True),
                Cell(text=step.output_sha256[:12], code=True),
                text(", ".join(f"{key} {value}" for key, value in step.details.items())),
            )
            for step in steps
        ),
        dense=True,
    )
