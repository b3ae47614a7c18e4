"""A sweep beside the runs has a page; its points are no answers of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from npubench.report.library import library
from npubench.report.site.contents import all_pages
from npubench.report.site.writer import render_page
from npubench.runs.store import StoredRun
from npubench.runs.sweeps import (
    LawRecord,
    PointRecord,
    StepRecord,
    SweepRecord,
    TermRecord,
    write_sweep,
)

MakeStored = Callable[..., StoredRun]
SERIES = "qemu-m4:cpu"


def swept(runs: list[StoredRun]) -> SweepRecord:
    """A sweep over ``width`` whose points are these runs, with a law and a step."""
    return SweepRecord(
        id="abc123",
        model="mlp",
        weights="seeded",
        axes={"width": (16, 32, 48, 64)},
        series=(SERIES,),
        complete=True,
        created="2026-11-25T01:55:00Z",
        points=tuple(
            PointRecord(
                values={"width": 16 * (at + 1)},
                series=SERIES,
                target=SERIES,
                key=f"k{at}",
                status="ok",
                run_id=run.record.run_id,
                unit="instructions",
                cost=run.record.stages["infer"].median,
                utilization_ratio=0.1 * (at + 1),
                macs=1000 * (at + 1),
            )
            for at, run in enumerate(runs)
        ),
        laws=(
            LawRecord(
                series=SERIES,
                metric="infer",
                unit="instructions",
                form="macs",
                text="4.1 instructions a MAC",
                terms=(TermRecord(per="macs", value=4.1, low=4.0, high=4.2),),
                points=4,
                error_pct=1.5,
                aicc={"macs": 3.0},
            ),
        ),
        steps=(
            StepRecord(
                series=SERIES,
                metric="infer",
                axis="width",
                before=32,
                after=48,
                change_ratio=0.2,
                layer=1,
                layer_op="FULLY_CONNECTED",
                cause="another kernel",
            ),
        ),
    )


def test_a_sweep_has_a_page_and_its_points_no_answer(
    tmp_path: Path, make_stored: MakeStored
) -> None:
    points = [
        make_stored(
            model=f"mlp-{at}",
            second=at,
            infer=4_100 * (at + 1),
            sweep={"id": "abc123", "width": at},
        )
        for at in range(4)
    ]
    write_sweep(tmp_path / "runs", swept(points))
    shown = library([*points, make_stored(second=9)])
    pages = {page.path: page for page in all_pages(shown)}
    assert [network.name for network in shown.asked] == ["kws"]
    assert len(pages["index"].values["answers"]) == 1
    sweep = pages["sweeps/abc123"]
    assert [figure.name for figure in sweep.figures] == [
        "cost-width-instructions",
        "utilization-width-instructions",
    ]
    assert len(sweep.figures[0].rows) == 4
    html = render_page(sweep, shown)
    for words in ("4.1 instructions a MAC", "another kernel", "+20.0", "width 32 and 48"):
        assert words in html.replace("\u00a0", " ")
    assert points[0].record.run_id in html
    index = render_page(pages["index"], shown)
    assert "sweeps/abc123.html" in index
    assert "mlp over width" in index
    for point in points:
        assert point.record.run_id in index


def test_a_sweep_of_other_runs_is_not_shown(tmp_path: Path, make_stored: MakeStored) -> None:
    points = [make_stored(second=at, infer=4_100 * (at + 1), sweep={"id": "x"}) for at in range(4)]
    write_sweep(tmp_path / "runs", swept(points))
    assert library([make_stored(second=9, sweep={"id": "y"})]).sweeps == ()
    assert len(library(points).sweeps) == 1
