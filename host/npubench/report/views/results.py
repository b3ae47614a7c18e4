"""What ran on a board, or by a backend: the latest run of every network."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.grid import Cell, Grid, columns, number, size, text
from npubench.report.library import Library, board_page, model_page, run_page
from npubench.report.selection import NetworkRuns, infer_per_mac
from npubench.report.view import View
from npubench.report.views.correctness import verdict
from npubench.runs.schema import RunRecord

TITLE = "Results"
ORDER = 10


def of_board(subject: str, library: Library) -> View | None:
    """Every network on the board."""
    return _view([item for item in library.shown() if item[1].board == subject], library)


def of_backend(subject: str, library: Library) -> View | None:
    """Every network by the backend."""
    return _view([item for item in library.shown() if item[1].backend == subject], library)


def _view(found: Sequence[tuple[NetworkRuns, RunRecord]], library: Library) -> View | None:
    if not found:
        return None
    return View(
        lead="Each row has its own unit; rows of different boards are not ranked against each "
        "other.",
        grids=(
            Grid(
                name="results",
                columns=columns(
                    "Network", "Target", "Result", "#Infer", "#End to end", "#per MAC", "#Flash",
                    "#RAM", "#Energy", "Evidence",
                ),
                rows=tuple(_row(network, run, library) for network, run in found),
            ).without_empty(),
        ),
    )  # fmt: skip


def _row(network: NetworkRuns, run: RunRecord, library: Library) -> tuple[Cell, ...]:
    path = library.page(model_page(network.name, network.network_sha256))
    memory, energy = run.memory, run.energy
    whole = None if energy is None or energy.verdict == "refused" else (
        energy.stages.get(Stage.END_TO_END)
    )  # fmt: skip
    return (
        Cell(text=network.name, page=path),
        Cell(text=run.target, page=library.page(run_page(run.run_id)),
             hint=library.page(board_page(run.board))),
        verdict(run),
        cost(run, Stage.INFER),
        cost(run, Stage.END_TO_END),
        number(infer_per_mac(run) if run.valid else None, fmt.per_mac),
        size(None if memory is None else memory.flash_bytes),
        size(None if memory is None else memory.ram_bytes),
        number(None if whole is None else whole.gross_uj, lambda value: fmt.micro(value, "J")),
        Cell(text=str(run.evidence), badge=str(run.evidence)),
    )  # fmt: skip


def cost(run: RunRecord, name: Stage) -> Cell:
    """A stage's cost; nothing of a run that is not valid."""
    stage = run.stages.get(name)
    if stage is None or stage.median is None or not run.valid:
        return text(None)
    if stage.low is not None and stage.high is not None:
        return Cell(text=fmt.between(stage.low, stage.high, "s"), value=stage.median)
    if stage.unit == "us":
        return Cell(text=fmt.micro(stage.median, "s"), value=stage.median)
    return Cell(text=fmt.quantity(stage.median, stage.unit), value=stage.median)
