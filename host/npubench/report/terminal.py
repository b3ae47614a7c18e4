"""Runs as Rich tables. What a file brought is made printable and never read as markup."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.evidence import Evidence
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
from npubench.report.part_time import part_stages_table, part_time_table, range_words
from npubench.report.scheme_cost import scheme_table, scheme_view
from npubench.report.selection import by_network, infer_per_mac
from npubench.report.speedup import detail, npu_pairs
from npubench.report.table import cell, heading, key_values, name, new_table, number
from npubench.runs.energy_record import EnergyRecord, EnergyStageRecord
from npubench.runs.schema import MemoryRecord, RunRecord, StageRecord
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

_STATUS_STYLE = {"ok": "green", "partial": "yellow", "failed": "bold red", "refused": "bold red"}
_GOLDEN_STYLE = {"match": "green", "mismatch": "bold red", "unavailable": "yellow"}
_EVIDENCE_STYLE = {Evidence.MEASURED: "bold", Evidence.MODELLED: "magenta"}


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
            lines.append(_reason(run))
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
            _spread(stage),
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


def _spread(stage: EnergyStageRecord | None) -> str:
    """Half of the gross interval (k = 2) as a share of the value."""
    if stage is None or stage.gross_high_uj is None or not stage.gross_uj:
        return fmt.NONE
    return f"± {fmt.percent((stage.gross_high_uj - stage.gross_uj) / stage.gross_uj)}"


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


def result_words(run: RunRecord) -> Text:
    """Status and golden check in two words, coloured by the worse of them."""
    if run.golden.status == "mismatch":
        return Text("mismatch", style="bold red")
    style = _STATUS_STYLE[run.status]
    if not run.valid:
        return Text(run.status, style=style)
    if run.golden.status == "unavailable":
        return Text(f"{run.status}, unchecked", style="yellow")
    against = ", TFLM off" if run.golden.reference == "second-opinion" else ""
    return Text(f"{run.status}, {run.golden.status}{against}", style=style)


def evidence_words(kind: Evidence) -> Text:
    """The kind of evidence in one word."""
    if kind is Evidence.UNAVAILABLE:
        return Text("none", style="dim")
    return Text(kind, style=_EVIDENCE_STYLE.get(kind, ""))


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


def _reason(run: RunRecord) -> Text:
    line = Text.assemble(
        (f"{printable(run.model.name, 40)} on {run.board}: {run.status}: ", "bold red"),
        run.why_invalid or "",
    )
    if run.error is not None and run.error.hint:
        line.append(f"\n  hint: {printable(run.error.hint, 400)}", style="dim")
    return line


def _stage_value(stage: StageRecord | None) -> str:
    if stage is None or stage.median is None:
        return fmt.NONE
    return fmt.stage(stage.median, stage.unit, low=stage.low, high=stage.high)


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


def run_view(stored: StoredRun) -> RenderableType:
    """One run: verdict, stages, energy, layers, memory, provenance."""
    run = stored.record
    head = Text.assemble(
        (printable(run.model.name, 60), "bold"),
        " on ",
        (printable(run.target, 120), "bold"),
        ": ",
        (run.status, _STATUS_STYLE[run.status]),
        ", golden ",
        (run.golden.status, _GOLDEN_STYLE[run.golden.status]),
        f", {run.evidence}",
    )
    parts: list[RenderableType] = [head]
    if not run.valid:
        parts.append(_reason(run))
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
            Text(stage.evidence, style=_EVIDENCE_STYLE.get(stage.evidence, "")),
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
            number(_spread(stage)),
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
            number(fmt.per_mac(value / layer.macs if value is not None and layer.macs else None)),
            number(fmt.percent(value / total if value is not None and total else None)),
            *([number(range_words(layer.time_us, "s"))] if timed else []),
        )
    return table


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
