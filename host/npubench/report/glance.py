"""All networks in one table: the answers at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.evidence import MEANING
from npubench.core.stages import Stage
from npubench.report.grid import Cell, Column, Grid, size, text
from npubench.report.views.answer import Answer, energy_words


def glance(answers: Sequence[Answer]) -> Grid:
    """A row for each network; without a column that would say nothing."""
    rows = []
    for item in answers:
        run = item.lead
        first = Cell(text=item.network.name, page=item.page)
        if run is None:
            rows.append((first, text(item.headline), *(Cell(text=fmt.NONE) for _ in range(6))))
            continue
        split = item.where
        memory = run.memory
        stage = run.stages.get(Stage.END_TO_END) or run.stages[Stage.INFER]
        rows.append(
            (
                first,
                Cell(text=item.headline),
                Cell(text=item.tiles[0].figure, value=stage.median, under=run.target, strong=True),
                Cell(text=f"{split[0].name} {fmt.percent(split[0].share)}", share=split[0].share)
                if split
                else Cell(text=fmt.NONE),
                size(None if memory is None else memory.flash_bytes),
                size(None if memory is None else memory.ram_bytes),
                text(energy_words(run)),
                Cell(
                    text=str(stage.evidence),
                    badge=str(stage.evidence),
                    hint=MEANING[stage.evidence],
                ),
            )
        )
    return Grid(
        name="glance",
        columns=(
            Column(title="Network"),
            Column(title="Answer", wide=True),
            Column(title="One inference", number=True),
            Column(title="Most of it goes to"),
            Column(title="Flash", number=True),
            Column(title="RAM", number=True),
            Column(title="Energy", number=True),
            Column(title="Worth"),
        ),
        rows=tuple(rows),
    ).without_empty()
