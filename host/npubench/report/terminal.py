"""Runs as Rich tables. What a file brought is made printable and never read as markup."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.core.stages import Stage
from npubench.report.accuracy import accuracy_table
from npubench.report.beside import beside_table
from npubench.report.catalog import (
    analysis_view,
    board_view,
    boards_table,
    build_view,
    doctor_table,
    models_table,
)
from npubench.report.comparison import compare_view
from npubench.report.npu_costs import costs_table
from npubench.report.part_time import part_time_table
from npubench.report.run_view import layers_table, run_view
from npubench.report.run_words import energy_spread, evidence_words, reason_line, result_words
from npubench.report.scheme_cost import scheme_table
from npubench.report.selection import by_network, infer_per_mac
from npubench.report.speedup import detail, npu_pairs
from npubench.report.table import cell, heading, name, new_table, number
from npubench.runs.schema import RunRecord, StageRecord
from npubench.runs.store import StoredRun, short_id

__all__ = [
    "analysis_view",
    "board_view",
    "boards_table",
    "build_view",
    "compare_view",
    "doctor_table",
    "layers_table",
    "models_table",
    "npu_table",
    "results_table",
    "run_view",
    "runs_table",
    "timings_table",
]


def results_table(runs: Sequence[StoredRun], *, reasons: bool = True) -> RenderableType:
    """One line per run; a run that failed shows no number and, below, its reason and hint."""
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Target", overflow="fold", min_width=12)
    table.add_column("Result", no_wrap=True)
    for title in ("Infer", "/MAC", "Flash", "RAM"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Evidence", no_wrap=True)
    lines: list[Text] = []
    for stored in runs:
        run = stored.record
        table.add_row(
            name(run.model.name, 20),
            cell(run.target),
            result_words(run),
            *_costs(run),
            evidence_words(run.evidence),
        )
        if not run.valid:
            lines.append(reason_line(run))
    return Group(table, *lines) if reasons and lines else table


def runs_table(runs: Sequence[StoredRun]) -> RenderableType:
    """One line per run, oldest first, with what to call it by and when it was made (UTC)."""
    table = new_table(tight=True)
    for title in ("Run", "Made (UTC)", "Model"):
        table.add_column(title, no_wrap=True)
    table.add_column("Target", overflow="fold", min_width=12)
    table.add_column("Result", no_wrap=True)
    table.add_column("Infer", justify="right", no_wrap=True)
    table.add_column("Evidence", no_wrap=True)
    for stored in runs:
        run = stored.record
        table.add_row(
            cell(short_id(run.run_id)),
            cell(run.created.replace("T", " ")[:16]),
            name(run.model.name, 20),
            cell(run.target),
            result_words(run),
            _costs(run)[0],
            evidence_words(run.evidence),
        )
    note = Text(
        "A run is called by its first column, by the start of its id, or last: "
        "npubench runs show last",
        style="dim",
    )
    return Group(table, note)


def outcome_view(runs: Sequence[StoredRun], *, total_s: float | None = None) -> RenderableType:
    """Runs that were just made: results, what an NPU brought, energy and, with the command's
    duration, the host's time. Reasons are the caller's to tell."""
    tables = [
        results_table(runs, reasons=False),
        part_time_table(runs),
        scheme_table(runs),
        npu_table(runs),
        costs_table(npu_pairs(by_network(runs))),
        energy_table(runs),
        beside_table([stored.record for stored in runs]),
        accuracy_table(runs),
    ]
    if total_s is not None:
        tables.append(timings_table(runs, total_s=total_s))
    return Group(*(table for table in tables if table is not None))


def energy_table(runs: Sequence[StoredRun]) -> RenderableType | None:
    """Energy of one inference, a line per run with a capture; None when there is none."""
    captured = [run.record for run in runs if run.record.energy is not None]
    if not captured:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Target", overflow="fold", min_width=12)
    table.add_column("Capture", no_wrap=True)
    for title in ("Infer", "k = 2", "by the part", "net of idle", "Idle"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Evidence", no_wrap=True)
    for run in captured:
        energy = run.energy
        assert energy is not None
        stage = None if energy.verdict == "refused" else energy.stages.get("infer")
        table.add_row(
            name(run.model.name, 20),
            cell(run.target),
            energy.verdict,
            number(fmt.micro(None if stage is None else stage.gross_uj, "J")),
            energy_spread(stage),
            _by_part(run),
            number(fmt.micro(None if stage is None else stage.net_uj, "J")),
            number(fmt.micro(None if stage is None else energy.idle_uw, "W")),
            evidence_words(energy.evidence),
        )
    return Group(heading("Energy of an inference"), table)


def _by_part(run: RunRecord) -> str:
    """The range that the part's own figures leave, where a simulated instrument saw their
    middle."""
    stage = run.stages.get(Stage.INFER)
    energy = None if stage is None else stage.energy_uj
    return fmt.NONE if energy is None else fmt.between(energy.low, energy.high, "J")


def npu_table(runs: Sequence[StoredRun]) -> RenderableType | None:
    """NPU against CPU, a line per network and board; None when no run used an NPU."""
    pairs = npu_pairs(by_network(runs))
    if not pairs:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Board", overflow="fold", min_width=10)
    table.add_column("The NPU is", overflow="fold")
    for title in ("NPU cycles", "MAC use", "op/s", "of"):
        table.add_column(title, justify="right", no_wrap=True)
    for pair in pairs:
        npu = pair.npu.npu
        table.add_row(
            name(pair.network, 20),
            cell(pair.npu.target if pair.npu.options else pair.npu.board),
            cell(pair.speedup.words),
            number(fmt.count(detail(pair.npu, "cycles"))),
            number(fmt.percent(None if npu is None else npu.mac_utilization_ratio)),
            number(fmt.si(detail(pair.npu, "effective_ops_per_s"), "")),
            number(fmt.si(detail(pair.npu, "peak_ops_per_s"), "")),
        )
    note = Text(
        "Modelled, end to end: counted instructions and modelled NPU cycles, with the board's "
        "clocks and its range of cycles per instruction or per class of instructions.",
        style="dim",
    )
    return Group(heading("NPU against CPU"), table, note)


def _costs(run: RunRecord) -> tuple[Text, Text, Text, Text]:
    valid = run.valid
    infer = run.stages.get(Stage.INFER)
    memory = run.memory
    return (
        number(fmt.NONE if infer is None or not valid else _infer(infer)),
        number(fmt.per_mac(infer_per_mac(run)) if valid else fmt.NONE),
        number(fmt.size(None if memory is None else memory.flash_bytes)),
        number(fmt.size(None if memory is None else memory.ram_bytes)),
    )


def _infer(stage: StageRecord) -> str:
    """The stage's median; a modelled time is the middle of a range, and no more digits of it."""
    about = "~" if stage.unit == "us_modelled" and stage.median is not None else ""
    return about + fmt.stage(stage.median, stage.unit)


def timings_table(runs: Sequence[StoredRun], *, total_s: float) -> RenderableType:
    """Host time of each step of each run, and of the whole command."""
    steps = list(dict.fromkeys(step for stored in runs for step in stored.record.timings_s))
    if "run" in steps and "total" in steps:
        steps.remove("run")  # the same but for the storing
    table = new_table()
    table.add_column("Model", min_width=5)
    table.add_column("Target", min_width=8)
    for step in steps:
        header = printable(step, 20).replace(" ", "\n")
        table.add_column(header, justify="right", no_wrap=True)
    for stored in runs:
        run = stored.record
        table.add_row(
            name(run.model.name, 20),
            name(run.target),
            *(number(fmt.duration(run.timings_s.get(step))) for step in steps),
        )
    title = heading(f"Host time; the whole command took {fmt.duration(total_s)}")
    return Group(title, table)
