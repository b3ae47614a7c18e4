"""NPU against CPU in one table: time, energy and memory; a ratio only between equal definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.grid import Cell, Grid, columns
from npubench.report.speedup import NpuPair
from npubench.report.table import cell, heading, name, new_table
from npubench.runs.schema import RangeRecord, RunRecord

ALONE = "The CPU was not run beside the NPU: --backend {npu} --backend cpu does both."


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRatio:
    """How many times less energy the NPU's run takes end to end, low and high; or why nobody can
    say."""

    low: float | None
    high: float | None
    reason: str = ""

    @property
    def words(self) -> str:
        """The claim in words, or why there is none."""
        if self.low is None or self.high is None:
            return f"no claim: {self.reason}"
        if self.low > 1:
            return f"{fmt.ratio(self.low)} to {fmt.ratio(self.high)} less"
        if self.high < 1:
            return f"{fmt.ratio(1 / self.high)} to {fmt.ratio(1 / self.low)} more"
        return f"no claim: between {fmt.ratio(self.low)} and {fmt.ratio(self.high)}"


def energy_ratio(npu: RunRecord, cpu: RunRecord | None) -> EnergyRatio:
    """The CPU's modelled energy over the NPU's, the worst of one against the best of the other."""
    if cpu is None or not cpu.valid:
        reason = "the CPU was not run" if cpu is None else "the CPU's run is not valid"
        return EnergyRatio(low=None, high=None, reason=reason)
    ours, theirs = energy_of(npu), energy_of(cpu)
    for value, run, side in ((ours, npu, "with the NPU"), (theirs, cpu, "on the CPU")):
        if value is None:
            why = run.energy_missing or "no energy is modelled"
            return EnergyRatio(low=None, high=None, reason=f"no energy {side}: {why}")
    assert ours is not None
    assert theirs is not None
    if ours.kind != theirs.kind:
        reason = f"other definitions: {ours.kind or 'not said'} against {theirs.kind or 'not said'}"
        return EnergyRatio(low=None, high=None, reason=reason)
    if ours.low <= 0:
        return EnergyRatio(low=None, high=None, reason="the energy's range reaches zero")
    return EnergyRatio(low=theirs.low / ours.high, high=theirs.high / ours.low)


def energy_of(run: RunRecord | None) -> RangeRecord | None:
    """The modelled energy of one inference end to end."""
    stage = None if run is None else run.stages.get(Stage.END_TO_END)
    return None if stage is None else stage.energy_uj


def time_words(run: RunRecord) -> str:
    """The time end to end as a range; the lent part's where there is one."""
    stage = run.stages.get(Stage.END_TO_END)
    if stage is None or stage.median is None:
        return fmt.NONE
    if stage.time_us is not None:
        return fmt.between(stage.time_us.low, stage.time_us.high, "s")
    if stage.low is None or stage.high is None:
        return fmt.stage(stage.median, stage.unit)
    return fmt.between(stage.low, stage.high, "s")


def energy_range(run: RunRecord) -> str:
    """The energy end to end as a range; ``no source`` where nobody published what it takes."""
    energy = energy_of(run)
    if energy is not None:
        return fmt.between(energy.low, energy.high, "J")
    return "no source" if run.energy_missing else fmt.NONE


def _sides(pair: NpuPair) -> tuple[tuple[str, RunRecord | None], ...]:
    return ("with the NPU", pair.npu), ("on the CPU", pair.cpu)


def _shown(pair: NpuPair) -> tuple[tuple[str, RunRecord], ...]:
    """The sides that ran."""
    return tuple((words, run) for words, run in _sides(pair) if run is not None)


def told(pair: NpuPair) -> bool:
    """Whether there is more to tell than time."""
    return any(
        run is not None and (energy_of(run) is not None or run.energy_missing)
        for _, run in _sides(pair)
    )


def costs_table(pairs: Sequence[NpuPair]) -> RenderableType | None:
    """Two lines a pair, and below what may be said of them; None where energy is no question."""
    asked = [pair for pair in pairs if told(pair)]
    if not asked:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    table.add_column("Board", overflow="fold", min_width=10)
    table.add_column("Runs", no_wrap=True)
    for title in ("End to end", "Energy", "Flash", "RAM"):
        table.add_column(title, justify="right", no_wrap=True)
    for pair in asked:
        for words, run in _shown(pair):
            first = run is pair.npu
            memory = run.memory
            table.add_row(
                name(pair.network, 20) if first else "",
                cell(run.board) if first else "",
                words,
                time_words(run),
                energy_range(run),
                fmt.size(None if memory is None else memory.flash_bytes),
                fmt.size(None if memory is None else memory.ram_bytes),
            )
    notes = [Text(line, style="dim") for line in said(asked)]
    return Group(heading(_title(asked)), table, *notes)


def _title(pairs: Sequence[NpuPair]) -> str:
    alone = all(pair.cpu is None for pair in pairs)
    return ("With the NPU" if alone else "NPU against CPU") + ": time, energy, memory"


def said(pairs: Sequence[NpuPair]) -> tuple[str, ...]:
    """What may be said of each, and where the energies are from. Networks of a board for which
    nothing may be said for one reason share a line."""
    claims: dict[tuple[str, str], list[str]] = {}
    for pair in pairs:
        if pair.cpu is not None:
            ratio = energy_ratio(pair.npu, pair.cpu)
            words = f"energy, {ratio.words}" if ratio.low is None else f"NPU's energy {ratio.words}"
            claims.setdefault((pair.npu.board, words), []).append(pair.network)
    lines = [f"{', '.join(names)} on {board}: {words}." for (board, words), names in claims.items()]
    for pair in pairs:
        reason = energy_ratio(pair.npu, pair.cpu).reason
        for _, run in _sides(pair):
            energy = energy_of(run)
            if energy is not None:
                lines.append(f"Energy, modelled: {energy.model}.")
            elif run is not None and run.energy_missing and run.energy_missing not in reason:
                lines.append(f"{run.target}: no energy: {run.energy_missing}.")
    for pair in pairs:
        stage = pair.npu.stages.get(Stage.INFER)
        if stage is not None and stage.median is None and stage.reason:
            lines.append(f"{pair.network} on {pair.npu.target}: no time: {stage.reason}.")
        if pair.cpu is None:
            lines.append(ALONE.format(npu=pair.npu.backend))
    return tuple(dict.fromkeys(lines))


def costs_grid(pairs: Sequence[NpuPair]) -> Grid | None:
    """The same for the report."""
    asked = [pair for pair in pairs if told(pair)]
    if not asked:
        return None
    rows = []
    for pair in asked:
        for words, run in _shown(pair):
            memory, energy = run.memory, energy_of(run)
            rows.append(
                (
                    Cell(text=run.target),
                    Cell(text=words),
                    Cell(text=time_words(run)),
                    Cell(
                        text=energy_range(run),
                        value=None if energy is None else float(energy.mid),
                        hint=energy.model if energy is not None else run.energy_missing or "",
                    ),
                    Cell(text="" if energy is None else energy.kind),
                    Cell(text=fmt.size(None if memory is None else memory.flash_bytes)),
                    Cell(text=fmt.size(None if memory is None else memory.ram_bytes)),
                )
            )
    return Grid(
        name="costs",
        caption="Time, energy and memory of one inference, end to end",
        columns=columns("Target", "Runs", "#Time", "#Energy", "Defined as", "#Flash", "#RAM"),
        rows=tuple(rows),
    )


def costs_document(pairs: Sequence[NpuPair]) -> list[dict[str, Any]]:
    """The same as JSON values: the runs by id, the ratios with their reasons."""
    found = []
    for pair in pairs:
        ratio = energy_ratio(pair.npu, pair.cpu)
        found.append(
            {
                "network": pair.network,
                "board": pair.npu.board,
                "npu_run": pair.npu.run_id,
                "cpu_run": None if pair.cpu is None else pair.cpu.run_id,
                "speedup": {
                    "low": pair.speedup.low,
                    "high": pair.speedup.high,
                    "reason": pair.speedup.reason,
                },
                "energy_ratio": {"low": ratio.low, "high": ratio.high, "reason": ratio.reason},
            }
        )
    return found
