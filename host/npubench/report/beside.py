"""What was published of the parts that ran on model, beside the modelled ranges; held apart,
nothing was tuned on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.boards import load_board
from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.core.stages import Stage
from npubench.published import Choice, Published, published, sources
from npubench.report.grid import Cell, Grid, columns
from npubench.report.table import cell, heading, name, new_table, number
from npubench.runs.schema import RunRecord
from npubench.target import Place

SHOWN = 6
"""Rows of a part that a terminal gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPart:
    """Measured results of one board. ``same``: those of a network that ran."""

    board: str
    rows: tuple[Published, ...]
    same: int

    @property
    def words(self) -> str:
        """What is there, in a sentence."""
        if not self.rows:
            return f"{self.board}: nothing measured was found published of it."
        count = len(self.rows)
        of = f"{self.same} of a network that ran" if self.same else "none of a network that ran"
        results = "result was" if count == 1 else "results were"
        return f"{self.board}: {count} {results} published, {of}; nothing was tuned on them."


def sources_of_time(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Of each part with an NPU that ran on model: where the ends of its times are from."""
    lines: dict[str, str] = {}
    for run in runs:
        if run.place is not Place.MODEL or run.npu is None or run.board in lines:
            continue
        told = _time_source(run)
        if told is not None:
            lines[run.board] = told
    return tuple(lines.values())


def _time_source(run: RunRecord) -> str | None:
    try:
        board = load_board(run.board)
    except NpubenchError:  # a board of another installation
        return None
    stage = run.stages.get(Stage.INFER)
    if board.stand_in is None or run.npu is None or stage is None:
        return None
    cpu = board.cpu
    cycles = f"{cpu.cpi_low:g} to {cpu.cpi_high:g} cycles an instruction"
    if stage.cycles is not None:
        cycles = stage.cycles.model.partition(";")[0]
    hz = float(run.npu.details.get("npu_hz") or cpu.hz or 0)
    return (
        f"Time of {run.board}, modelled: CPU at {fmt.si(cpu.hz, 'Hz')} ({cycles}); "
        f"{run.npu.accelerator} at {fmt.si(hz, 'Hz')}, memories: {board.stand_in.memories}. "
        "Error against silicon: unknown."
    )


def of_parts(runs: Sequence[RunRecord]) -> tuple[OfPart, ...]:
    """The boards with an NPU that ran on model, and what was measured of them elsewhere."""
    found: dict[str, set[str]] = {}
    for run in runs:
        if run.place is Place.MODEL and run.npu is not None:
            found.setdefault(run.board, set()).add(run.model.name)
    parts = []
    for board, networks in found.items():
        measured = [row for row in published(Choice(board=board)) if row.origin == "measured"]
        rows = tuple(sorted(measured, key=lambda row: row.result.energy_uj is None))
        same = [row for row in rows if row.result.network in networks]
        parts.append(OfPart(board=board, rows=rows, same=len(same)))
    return tuple(parts)


def beside_table(runs: Sequence[RunRecord]) -> RenderableType | None:
    """The first rows of each part; None where no part ran on model."""
    parts = of_parts(runs)
    if not parts:
        return None
    table = new_table(tight=True)
    table.add_column("Board", no_wrap=True)
    table.add_column("Network", no_wrap=True)
    table.add_column("Engine", overflow="fold")
    for title in ("Latency", "Energy"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Source", overflow="fold")
    for part in parts:
        for row in part.rows[:SHOWN]:
            table.add_row(
                part.board,
                name(row.result.network, 20),
                cell(row.result.engine, 30),
                number(fmt.micro(row.result.latency_us, "s")),
                number(fmt.micro(row.result.energy_uj, "J")),
                cell(row.source),
            )
    lines = [Text(f"{part.words} npubench published --board {part.board}"
                  if part.rows else part.words, style="dim") for part in parts]  # fmt: skip
    body = [table] if table.row_count else []
    about = sources()
    shown = dict.fromkeys(row.source for part in parts for row in part.rows[:SHOWN])
    lines += [Text(f"{source}: {about[source].notes}", style="dim") for source in shown]
    times = [Text(line, style="dim") for line in sources_of_time(runs)]
    return Group(*times, heading("Published of these parts"), *body, *lines)


def beside_grid(parts: Sequence[OfPart]) -> Grid | None:
    """Every row, for the report; None without any."""
    rows = [
        (
            Cell(text=part.board),
            Cell(text=row.result.network),
            Cell(text=row.result.engine),
            Cell(text=fmt.micro(row.result.latency_us, "s"), value=row.result.latency_us),
            Cell(text=fmt.micro(row.result.energy_uj, "J"), value=row.result.energy_uj),
            Cell(text=row.source, hint=row.result.locator),
            Cell(text=row.result.notes),
        )
        for part in parts
        for row in part.rows
    ]
    if not rows:
        return None
    return Grid(
        name="published",
        columns=columns("Board", "Network", "Engine", "#Latency", "#Energy", "Source", "Notes"),
        rows=tuple(rows),
    )
