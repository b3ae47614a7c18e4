"""What was published of the parts that ran on model, beside the modelled ranges; held apart,
nothing was tuned on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from npubench.boards import Board, load_board
from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.core.stages import Stage
from npubench.published import Choice, Published, networks, published, sources
from npubench.report.grid import Cell, Grid, columns
from npubench.report.published import latency, ratio, readings
from npubench.report.table import cell, heading, name, new_table, number
from npubench.runs.against import AgainstRow, against_row, network_of, own_time
from npubench.runs.schema import RunRecord, StageRecord
from npubench.target import Place

SHOWN = 16
"""Rows of a part that a terminal gets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A run and one result that was measured elsewhere of its network, on the same part or with
    the same NPU in another. ``power``: our power is from this very result."""

    run: RunRecord
    row: AgainstRow
    power: bool

    @property
    def own(self) -> str:
        """The run's modelled time of ``infer``."""
        own, _ = own_time(self.run)
        return fmt.NONE if own is None else fmt.between(own.low_us, own.high_us, "s")

    @property
    def energy(self) -> str:
        """Theirs; marked where ours is from its power."""
        told = fmt.micro(self.row.published.result.energy_uj, "J")
        return f"{told}*" if self.power else told


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPart:
    """What was measured of one board, by other hands. ``beside``: of the networks that ran, with
    the runs that they stand beside; ``rows``: all that is of this board."""

    board: str
    rows: tuple[Published, ...]
    beside: tuple[Beside, ...]

    @property
    def words(self) -> str:
        """What is there, in a sentence or two."""
        of_board = [item for item in self.beside if item.row.published in self.rows]
        others = len(self.beside) - len(of_board)
        told = [_count(self.board, len(self.rows), len(of_board))]
        if others:
            told.append(f"{others} more with the same NPU in another part.")
        ran = {item.row.published.result.network for item in self.beside}
        rest = sorted({row.result.network for row in self.rows} - ran)
        if rest:
            told.append(f"Of other networks: {', '.join(rest)}.")
        about = sources()
        fitted = dict.fromkeys(about[row.source].fitted for row in self.rows)
        fitted.pop("", None)
        told += [f"{text}." for text in fitted]
        if self.beside and not fitted:
            told.append("No time was tuned on them.")
        if any(item.power for item in self.beside):
            told.append("* Our power is from this very figure: its energy is no check of ours.")
        return " ".join(told)


def _count(board: str, count: int, same: int) -> str:
    if not count:
        return f"{board}: nothing measured was found published of it."
    results = "result was" if count == 1 else "results were"
    return f"{board}: {count} {results} published, {same or 'none'} of a network that ran."


UNKNOWN = " Error against silicon: unknown."


def sources_of_time(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Of each part with an NPU that ran on model: where the ends of its times are from."""
    lines: dict[str, str] = {}
    for run in runs:
        if run.place is not Place.MODEL or run.npu is None or run.board in lines:
            continue
        told = _time_source(run)
        if told is not None:
            lines[run.board] = told
    compared = {part.board for part in of_parts(runs) if part.beside}
    return tuple(
        f"{line.removesuffix(UNKNOWN)} Against silicon: see what was published of these parts."
        if board in compared
        else line
        for board, line in lines.items()
    )


def _time_source(run: RunRecord) -> str | None:
    board = _board(run)
    stage = run.stages.get(Stage.INFER)
    if board is None or run.npu is None or stage is None:
        return None
    if board.stand_in is None:
        return _programmed_source(run, board, stage)
    cpu = board.cpu
    cycles = f"{cpu.cpi_low:g} to {cpu.cpi_high:g} cycles an instruction"
    if stage.cycles is not None:
        cycles = stage.cycles.model.partition(";")[0]
    hz = float(run.npu.details.get("npu_hz") or cpu.hz or 0)
    return (
        f"Time of {run.board}, modelled: CPU at {fmt.si(cpu.hz, 'Hz')} ({cycles}); "
        f"{run.npu.accelerator} at {fmt.si(hz, 'Hz')}, memories: {board.stand_in.memories}."
        f"{UNKNOWN}"
    )


def _board(run: RunRecord) -> Board | None:
    try:
        return load_board(run.board)
    except NpubenchError:  # a board of another installation
        return None


def _programmed_source(run: RunRecord, board: Board, stage: StageRecord) -> str | None:
    """Of a part whose accelerator's cycles follow from its program; None where they do not."""
    model = None if run.npu is None else run.npu.details.get("time_model")
    if model is None or run.npu is None or board.cpu.cpi_low is None:
        return None
    cycles = f"{board.cpu.cpi_low:g} to {board.cpu.cpi_high:g} cycles an instruction"
    if stage.cycles is not None:
        cycles = stage.cycles.model.partition(";")[0]
    hz = float(run.npu.details.get("npu_hz") or 0)
    return (
        f"Time of {run.board}, modelled: CPU at {fmt.si(board.cpu.hz, 'Hz')} ({cycles}); "
        f"{run.npu.accelerator} at {fmt.si(hz, 'Hz')}, {model}. Its cycles were held against "
        "published times (docs/max7800x-time.md); of a whole run the error against silicon is "
        "unknown."
    )


def of_parts(runs: Sequence[RunRecord]) -> tuple[OfPart, ...]:
    """The boards with an NPU that ran on model, and what was measured of them elsewhere."""
    by_board: dict[str, list[RunRecord]] = {}
    for run in runs:
        if run.place is Place.MODEL and run.npu is not None:
            by_board.setdefault(run.board, []).append(run)
    return tuple(_of_part(board, group) for board, group in by_board.items())


def _of_part(board: str, runs: Sequence[RunRecord]) -> OfPart:
    rows = tuple(row for row in published(Choice(board=board)) if row.origin == "measured")
    return OfPart(
        board=board,
        rows=rows,
        beside=tuple(item for run in runs if run.valid for item in _beside(run, rows)),
    )


def _beside(run: RunRecord, rows: Sequence[Published]) -> list[Beside]:
    """The results of the run's network: the part's own first, then those of its NPU elsewhere."""
    found = network_of(run)
    if found is None or run.npu is None:
        return []
    accelerator = run.npu.accelerator
    theirs = [row for row in published(Choice(network=found[0])) if row.origin == "measured"]
    own = [row for row in theirs if row in rows and row.result.accelerator]
    same_npu = [
        row
        for row in theirs
        if row not in rows and row.result.accelerator.lower() == accelerator and row.result.board
    ]
    board = _board(run)
    power = "" if board is None or board.part_power is None else board.part_power.source
    return [
        Beside(
            run=run,
            row=against_row(run, row),
            power=row.result.energy_uj is not None
            and row.result.locator.partition(",")[0] in power,
        )
        for row in (*own, *same_npu)
    ]


def beside_table(runs: Sequence[RunRecord]) -> RenderableType | None:
    """The first results of the networks that ran, by part; None where no part ran on model."""
    parts = of_parts(runs)
    if not parts:
        return None
    table = new_table(tight=True)
    table.add_column("Model", no_wrap=True)
    for title in ("Measured on", "Engine"):
        table.add_column(title, overflow="fold")
    for title in ("Energy", "Latency", "Ours, modelled", "Ours / theirs"):
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("Source", overflow="fold")
    shown: dict[str, None] = {}
    for part in parts:
        for item in part.beside[:SHOWN]:
            row = item.row.published
            shown[row.source] = None
            table.add_row(
                name(item.run.model.name, 20),
                cell(row.result.board),
                cell(row.result.engine, 30),
                number(item.energy),
                cell(latency(row)),
                number(item.own),
                cell(ratio(item.row)),
                cell(row.source),
            )
    about = sources()
    lines = [
        f"{part.words} npubench published --board {part.board}" if part.rows else part.words
        for part in parts
    ]
    lines += dict.fromkeys(
        f"{item.row.published.result.network}: {', '.join(_unlike(item.row))}"
        for part in parts
        for item in part.beside[:SHOWN]
        if _unlike(item.row)
    )
    lines += [f"{source}: {about[source].notes}" for source in shown]
    body = [table] if table.row_count else []
    notes = [Text(line, style="dim") for line in lines]
    times = [Text(line, style="dim") for line in sources_of_time(runs)]
    return Group(*times, heading("Published of these parts"), *body, *notes)


def _unlike(row: AgainstRow) -> list[str]:
    """How far the network that ran is another than the published one."""
    likeness = networks()[row.published.result.network].likeness
    return [words for words in row.differs if words == likeness]


def beside_grid(parts: Sequence[OfPart]) -> Grid | None:
    """For the report: every result of the networks that ran, with the ratio; None without any."""
    rows = [_ran(item) for part in parts for item in part.beside]
    if not rows:
        return None
    heads = ("Ours", "Measured with", "#Latency", "#Ours, modelled", "#Ours / theirs", "#Energy")
    return Grid(name="published", columns=columns(*heads, "Source"), rows=tuple(rows))


def _ran(item: Beside) -> tuple[Cell, ...]:
    row = item.row.published
    (printed, other), (first, second) = readings(item.row)
    return (
        Cell(text=item.run.target),
        Cell(text=row.result.engine, under=row.result.board),
        Cell(text=printed, value=row.result.latency_us, under=other),
        Cell(text=item.own),
        Cell(text=first, value=item.row.ratio_low, under=second),
        Cell(text=item.energy, value=row.result.energy_uj),
        Cell(text=row.source, hint=row.result.locator),
    )


def notes_of(parts: Sequence[OfPart]) -> tuple[str, ...]:
    """How far each result of a network that ran is another thing than the run, each said once."""
    return tuple(
        dict.fromkeys(
            f"{item.row.published.result.engine}, {latency(item.row.published)}: "
            + "; ".join((*_unlike(item.row), item.row.published.result.notes))
            for part in parts
            for item in part.beside
        )
    )


def others_grid(parts: Sequence[OfPart]) -> Grid | None:
    """For the report: the other results of the boards; None without any."""
    rows = [
        (
            Cell(text=part.board),
            Cell(text=row.result.network),
            Cell(text=row.result.engine),
            Cell(text=latency(row), value=row.result.latency_us),
            Cell(text=fmt.micro(row.result.energy_uj, "J"), value=row.result.energy_uj),
            Cell(text=row.source, hint=row.result.locator),
        )
        for part in parts
        for row in part.rows
        if all(item.row.published != row for item in part.beside)
    ]
    if not rows:
        return None
    return Grid(
        name="published-others",
        columns=columns("Board", "Network", "Engine", "#Latency", "#Energy", "Source"),
        rows=tuple(rows),
    )
