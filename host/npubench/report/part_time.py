"""Modelled milliseconds and millijoules of a part, where a board's model ran: a line per run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.report.table import cell, name, new_table
from npubench.runs.reader import StoredRun
from npubench.runs.schema import RangeRecord, RunRecord


def part_time_table(runs: Sequence[StoredRun]) -> RenderableType | None:
    """Cycles, time and energy of one inference with their ranges, and below where they come from;
    None when no run has any."""
    timed = [run.record for run in runs if run.record.valid and _infer(run) is not None]
    if not timed:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Target", overflow="fold", min_width=12)
    for title in ("Infer, modelled", "Energy, modelled"):
        table.add_column(title, justify="right", no_wrap=True)
    sources: list[str] = []
    for record in timed:
        stage = record.stages["infer"]
        table.add_row(
            name(record.model.name, 20),
            cell(record.target),
            range_words(stage.time_us, "s"),
            range_words(stage.energy_uj, "J"),
        )
        for value in (stage.time_us, stage.energy_uj):
            if value is not None and value.model not in sources:
                sources.append(value.model)
    return Group(table, *(Text(f"  {source}", style="dim") for source in sources))


def part_stages_table(run: RunRecord) -> RenderableType | None:
    """Every stage of one run in the part's cycles, time and energy; None when it has none."""
    stages = {key: stage for key, stage in run.stages.items() if stage.time_us is not None}
    if not stages or not run.valid:
        return None
    table = new_table(tight=True)
    table.add_column("Stage", no_wrap=True)
    for title in ("Cycles", "Time", "Energy"):
        table.add_column(title, justify="right", no_wrap=True)
    for key, stage in stages.items():
        table.add_row(
            name(key),
            fmt.count(None if stage.cycles is None else round(stage.cycles.mid)),
            range_words(stage.time_us, "s"),
            range_words(stage.energy_uj, "J"),
        )
    values = [value for s in stages.values() for value in (s.time_us, s.energy_uj)]
    sources = dict.fromkeys(value.model for value in values if value is not None)
    return Group(table, *(Text(source, style="dim") for source in sources))


def range_words(value: RangeRecord | None, unit: str) -> str:
    """``~46.1 ms (41.6 to 57.2 ms)``; a dash where there is none."""
    if value is None:
        return fmt.NONE
    low, mid, high = (fmt.micro(item, unit) for item in (value.low, value.mid, value.high))
    return f"~{mid} ({low} to {high})"


def _infer(run: StoredRun) -> RangeRecord | None:
    stage = run.record.stages.get("infer")
    return None if stage is None else stage.time_us
