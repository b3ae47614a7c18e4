"""Explain the gap: where the difference between two targets of one ranking comes from."""

from __future__ import annotations

from npubench.core import format as fmt
from npubench.report.grid import Cell, Grid, columns, text
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns, rankings
from npubench.report.view import View
from npubench.runs.gap import Gap, explain_gap
from npubench.runs.schema import RunRecord

TITLE = "Explain the gap"
ORDER = 35

MOST = 6
"""Pairs that are told; a reader compares the rest by `npubench compare`."""


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """The best of each ranking against the others, part by part."""
    found: list[tuple[RunRecord, RunRecord, Gap]] = []
    for group in rankings(network.runs):
        if not group.ranks:
            continue
        for other in group.runs[1:]:
            gap = explain_gap(group.best, other)
            if gap is not None and gap.parts and gap.a != gap.b:
                found.append((group.best, other, gap))
    if not found:
        return None
    return View(
        claim=" ".join(_claim(best, other, gap) for best, other, gap in found[:MOST]),
        lead="The difference of one inference, split into parts that add up to it, each with its "
        "cause and what that rests on. What has no cause is called unexplained.",
        folded={
            f"{other.target} against {best.target}": (_grid(gap, at),)
            for at, (best, other, gap) in enumerate(found[:MOST])
        },
    )


def _claim(best: RunRecord, other: RunRecord, gap: Gap) -> str:
    part = gap.parts[0]
    return (
        f"{other.target} against {best.target}: {fmt.percent(part.share_ratio)} of the difference "
        f"is {part.cause}."
    )


def _grid(gap: Gap, at: int) -> Grid:
    return Grid(
        name=f"gap-{at}",
        caption=f"{fmt.stage(gap.b, gap.unit)} instead of {fmt.stage(gap.a, gap.unit)}",
        columns=columns("Cause", "#Part", "#Share", "~What", "~Evidence"),
        rows=tuple(
            (
                text(str(part.cause)),
                Cell(
                    text=fmt.signed(fmt.stage(part.amount, gap.unit), part.amount),
                    value=part.amount,
                ),
                Cell(
                    text=fmt.percent(part.share_ratio),
                    value=part.share_ratio,
                    share=max(0.0, min(1.0, part.share_ratio)),
                ),
                text(fmt.printable(part.what, 300)),
                text(fmt.printable(part.evidence, 300)),
            )
            for part in gap.parts
        ),
        note=fmt.printable("; ".join(gap.beside), 400),
    )
