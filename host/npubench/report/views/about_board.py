"""What a board is, and what of it was verified."""

from __future__ import annotations

from npubench.core import format as fmt
from npubench.report.charts import bars
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Grid, columns, size, text
from npubench.report.library import Library, board_of
from npubench.report.view import View
from npubench.report.views.memory import region_shares

TITLE = "The board"
ORDER = 90


def of_board(subject: str, library: Library) -> View | None:
    """Facts of the board's file; None where this installation does not know the board."""
    board = board_of(subject)
    if board is None:
        return None
    facts = [
        ("name", board.name),
        ("kind", board.kind),
        ("part", board.part),
        ("core", board.cpu.core),
        ("clock", fmt.si(board.cpu.hz, "Hz") if board.cpu.hz else ""),
        ("kernels", ", ".join(board.cpu.kernels)),
        ("NPU", "" if board.npu is None else board.npu.name),
        ("CPU", board.status.cpu),
        ("NPU's status", "" if board.npu is None else board.status.npu),
        ("power", board.status.power),
    ]
    figure = _figure(subject, library)
    return View(
        figures=() if figure is None else (figure,),
        grids=(
            Grid(
                name="regions",
                caption="Memory as the linker sees it",
                columns=columns("Region", "#Size", "Holds"),
                rows=tuple(
                    (Cell(text=region.name), size(region.size_bytes), text(", ".join(region.roles)))
                    for region in board.memory
                ),
            ),
        )
        if board.memory
        else (),
        notes=(*board.notes, *board.status.unverified, *board.status.missing, *board.power_notes),
        template="views/facts.html.j2",
        values={"facts": [(name, value, False) for name, value in facts if value]},
    )


def _figure(subject: str, library: Library) -> Figure | None:
    rows: list[Row] = []
    for network, run in library.shown():
        if run.board != subject:
            continue
        for name, used, whole in region_shares(run):
            rows.append(
                {
                    "network": f"{network.name}, {run.backend}",
                    "region": name,
                    "share": used / whole,
                    "text": f"{fmt.size(used)} of {fmt.size(whole)}, {fmt.percent(used / whole)}",
                }
            )
    if not rows:
        return None
    return Figure(
        name="regions",
        title="Share of the board's memory that each network takes",
        words="; ".join(f"{row['network']} {row['region']}: {row['text']}" for row in rows[:30]),
        rows=tuple(rows),
        spec=bars(
            category="network",
            value="share",
            title="share of the region",
            colour="region",
            names=[str(row["region"]) for row in rows],
            offset=True,
            share=True,
            step=10,
        ),
    )
