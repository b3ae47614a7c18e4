"""One run on the terminal: verdict, stages, energy, layers, memory, provenance."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.format import printable
from npubench.report.accuracy import accuracy_table
from npubench.report.part_time import part_stages_table, range_words
from npubench.report.run_words import (
    EVIDENCE_STYLE,
    GOLDEN_STYLE,
    STATUS_STYLE,
    energy_spread,
    reason_line,
)
from npubench.report.scheme_cost import scheme_view
from npubench.report.table import cell, heading, key_values, name, new_table, number
from npubench.runs.energy_record import EnergyRecord
from npubench.runs.schema import LayerRecord, MemoryRecord, RunRecord, StageRecord
from npubench.runs.store import StoredRun


def run_view(stored: StoredRun) -> RenderableType:
    """One run: verdict, stages, energy, layers, memory, provenance."""
    run = stored.record
    head = Text.assemble(
        (printable(run.model.name, 60), "bold"),
        " on ",
        (printable(run.target, 120), "bold"),
        ": ",
        (run.status, STATUS_STYLE[run.status]),
        ", golden ",
        (run.golden.status, GOLDEN_STYLE[run.golden.status]),
        f", {run.evidence}",
    )
    parts: list[RenderableType] = [head]
    if not run.valid:
        parts.append(reason_line(run))
    parts += [Text(fmt.evidence_words(run.evidence), style="dim")]
    if run.stages:
        parts += [heading("Stages"), _stages_table(run)]
    of_part = part_stages_table(run)
    if of_part is not None:
        parts += [heading("Modelled for the part"), of_part]
    if run.energy is not None:
        parts += [heading("Energy of one repetition"), _energy_view(run.energy)]
    answers = accuracy_table([stored])
    if answers is not None:
        parts.append(answers)
    cost = scheme_view(run)
    if cost is not None:
        parts.append(cost)
    if run.layers:
        parts += [heading("Layers"), layers_table(run)]
    if run.memory is not None:
        parts += [heading("Memory"), _memory_table(run.memory)]
    parts += [heading("Provenance"), _provenance(stored)]
    return Group(*parts)


def _stages_table(run: RunRecord) -> Table:
    table = new_table()
    table.add_column("Stage", no_wrap=True)
    for title in ("Median", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Spread", overflow="fold")
    table.add_column("Evidence", no_wrap=True)
    for stage_name, stage in run.stages.items():
        known = stage.median is not None
        table.add_row(
            name(stage_name),
            number(_stage_value(stage)),
            number(str(stage.n)),
            cell(spread_words(stage) if known else stage.reason or "unavailable", 200),
            Text(stage.evidence, style=EVIDENCE_STYLE.get(stage.evidence, "")),
        )
    return table


def _energy_view(energy: EnergyRecord) -> RenderableType:
    """Verdict and instrument, then the stages where the capture is not refused."""
    words = f"{energy.verdict}, {energy.evidence}, {energy.instrument.model}"
    if energy.voltage_mv is not None:
        words += f" at {energy.voltage_mv:.0f} mV ({energy.voltage_source})"
    head = [Text(printable(words, 300))]
    head += [Text(printable(reason, 400), style="bold red") for reason in energy.reasons]
    if energy.verdict == "refused":
        return Group(*head)
    table = new_table()
    table.add_column("Stage", no_wrap=True)
    for title in ("Gross", "k = 2", "Net of idle", "Mean", "Peak", "Repeats"):
        table.add_column(title, justify="right", no_wrap=True)
    for stage_name, stage in energy.stages.items():
        table.add_row(
            name(stage_name),
            number(fmt.micro(stage.gross_uj, "J")),
            number(energy_spread(stage)),
            number(fmt.micro(stage.net_uj, "J")),
            number(fmt.micro(stage.mean_uw, "W")),
            number(fmt.micro(stage.peak_uw, "W")),
            number(f"{stage.windows} × {fmt.count(stage.repeats)}"),
        )
    return Group(*head, table, Text(f"idle {fmt.micro(energy.idle_uw, 'W')}"))


def spread_words(stage: StageRecord) -> str:
    """How far the repetitions agree, in words."""
    if stage.deterministic:
        return "deterministic"
    if stage.n < 2:
        return "once"
    words = f"{fmt.count(stage.min)} to {fmt.count(stage.max)}, MAD {fmt.count(stage.mad)}"
    if stage.ci95_low is not None and stage.ci95_high is not None:
        words += f", 95 % interval {fmt.count(stage.ci95_low)} to {fmt.count(stage.ci95_high)}"
    if stage.outliers:
        words += f", {stage.outliers} outlier{'s' if stage.outliers > 1 else ''} kept"
    return words


def layers_table(run: RunRecord) -> Table:
    """Each operator with its cost and its share of what was counted."""
    table = new_table()
    with_npu = any(layer.engine == "npu" for layer in run.layers)
    table.add_column("#", justify="right")
    table.add_column("Operator", no_wrap=True)
    if with_npu:
        table.add_column("Engine")
        table.add_column("NPU cycles", justify="right", no_wrap=True)
        table.caption = "The cost of an NPU's job, all its operators, stands at its last one."
        table.caption_justify = "left"
    timed = any(layer.time_us is not None for layer in run.layers)
    for title in ("MACs", "Weights", "Cost", "per MAC", "Share", *(["Modelled"] if timed else [])):
        table.add_column(title, justify="right", no_wrap=True)
    totals: dict[str, float] = {}
    for layer in run.layers:
        totals[layer.unit] = totals.get(layer.unit, 0) + (layer.value or 0)
    for layer in run.layers:
        value = layer.value if run.valid else None
        total = totals[layer.unit]
        table.add_row(
            number(str(layer.index)),
            name(layer.op),
            *(
                [cell(layer.engine), number(fmt.count(layer.npu_cycles or None))]
                if with_npu
                else []
            ),
            number(fmt.count(layer.macs)),
            number(fmt.size(layer.weight_bytes)),
            number(fmt.quantity(value, layer.unit)),
            number(_per_mac(layer, value)),
            number(fmt.percent(value / total if value is not None and total else None)),
            *([number(range_words(layer.time_us, "s"))] if timed else []),
        )
    return table


def _per_mac(layer: LayerRecord, value: float | None) -> str:
    """Cost per multiply-accumulate; of an operator on an NPU none, whose cost is its job's."""
    if value is None or not layer.macs or layer.engine == "npu":
        return fmt.NONE
    if layer.unit in ("us", "us_modelled"):
        return fmt.micro(value / layer.macs, "s")
    return fmt.per_mac(value / layer.macs)


def _memory_table(memory: MemoryRecord) -> Table:
    return key_values(
        [
            ("flash", fmt.size(memory.flash_bytes)),
            ("  weights", fmt.size(memory.weights_bytes)),
            ("  kernels", fmt.size(memory.kernels_bytes)),
            *(
                [("  NPU driver", fmt.size(memory.npu_driver_bytes))]
                if memory.npu_driver_bytes
                else []
            ),
            ("  harness", fmt.size(memory.harness_flash_bytes)),
            ("  empty firmware of this board", fmt.size(memory.baseline_flash_bytes)),
            ("RAM", fmt.size(memory.ram_bytes)),
            ("  arena", fmt.size(memory.arena_bytes)),
            ("  scratch", fmt.size(memory.scratch_bytes)),
            ("  harness", fmt.size(memory.harness_ram_bytes)),
            ("  data", fmt.size(memory.data_bytes)),
            ("  stack, high-water mark", fmt.size(memory.stack_bytes)),
            ("  empty firmware of this board", fmt.size(memory.baseline_ram_bytes)),
            ("uploaded input (fixture, not counted)", fmt.size(memory.fixture_bytes)),
        ]
    )


def _provenance(stored: StoredRun) -> Table:
    run, environment = stored.record, stored.record.environment
    rows = [
        ("run", run.run_id),
        ("folder", str(stored.path)),
        ("created", run.created),
        ("network", run.model.network_sha256),
        ("artifact", run.model.artifact_sha256),
        ("npubench", " ".join(filter(None, (environment.npubench, environment.git)))),
        *sorted(environment.tools.items()),
        ("flags", " ".join(environment.flags)),
        ("command", " ".join(run.command)),
    ]
    if run.clock is not None:
        rows.append(("clock", run.clock.source))
        rows.append(("window cost, subtracted", fmt.count(run.clock.window_cost)))
    return key_values([(key, printable(value, 2000)) for key, value in rows if value])


def _stage_value(stage: StageRecord | None) -> str:
    if stage is None or stage.median is None:
        return fmt.NONE
    return fmt.stage(stage.median, stage.unit, low=stage.low, high=stage.high)
