"""Specification against reality: what the NPU could do by its data sheet, and what was reached."""

from __future__ import annotations

from npubench.core import format as fmt
from npubench.core.evidence import Evidence
from npubench.report.charts import points
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Grid, columns, number
from npubench.report.library import Library, model_page, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.speedup import detail
from npubench.report.view import View
from npubench.runs.schema import RunRecord

TITLE = "Specification against reality"
ORDER = 47

Found = list[tuple[str, str, RunRecord, float, float]]


def of_all(subject: None, library: Library) -> View | None:
    """Every NPU that ran anything."""
    return _view(_found(library), library)


def of_backend(subject: str, library: Library) -> View | None:
    """The runs of one backend."""
    return _view([row for row in _found(library) if row[2].backend == subject], library)


def of_board(subject: str, library: Library) -> View | None:
    """The runs of one board."""
    return _view([row for row in _found(library) if row[2].board == subject], library)


def of_network(subject: NetworkRuns, library: Library) -> View | None:
    """The runs of one network, where several NPUs ran it."""
    found = [row for row in _found(library) if row[1] == subject.network_sha256]
    return _view(found, library, by_target=True) if len(found) > 1 else None


def _found(library: Library) -> Found:
    rows: Found = []
    for network, run in library.shown():
        peak, reached = detail(run, "peak_ops_per_s"), detail(run, "effective_ops_per_s")
        if run.valid and peak and reached:
            rows.append((network.name, network.network_sha256, run, peak, reached))
    return rows


def _view(found: Found, library: Library, *, by_target: bool = False) -> View | None:
    """``by_target``: one network on several targets, so that these are named."""
    if not found:
        return None
    rows: list[Row] = [
        {
            "network": name,
            "target": run.target,
            "peak": peak / 1e9,
            "reached": reached / 1e9,
            "text": f"{fmt.si(reached, 'op/s')} of {fmt.si(peak, 'op/s')}, "
            f"{fmt.percent(reached / peak)}",
        }
        for name, _, run, peak, reached in found
    ]
    peaks = sorted({peak / 1e9 for _, _, _, peak, _ in found})
    for x in (peaks[0] / 2, peaks[-1] * 2):
        rows.append({"line": "all of the specification", "peak": x, "reached": x})
    worst = min(found, key=lambda row: row[4] / row[3])
    best = max(found, key=lambda row: row[4] / row[3])
    first, last = ((row[2].target if by_target else row[0]) for row in (best, worst))
    modelled = all(run.evidence is not Evidence.MEASURED for _, _, run, _, _ in found)
    by = "By its model " if modelled else ""
    claim = (
        f"{by}{first} reaches {fmt.percent(best[4] / best[3])} of what the data sheet promises, "
        f"{last} {fmt.percent(worst[4] / worst[3])}."
    )
    if best is worst:
        claim = f"{by}{first} reaches {fmt.percent(best[4] / best[3])} of the data sheet's peak."
    return View(
        claim=claim,
        lead="Operations are two for each MAC. The peak is all multipliers busy in every cycle; "
        "what is reached is the network's operations in the NPU's own time.",
        figures=(
            Figure(
                name="specification",
                title="Operations per second: specified and reached",
                words="; ".join(f"{row['network']} on {row['target']}: {row['text']}" for row in
                                rows if row.get("network")),
                rows=tuple(rows),
                spec=points(
                    x="peak",
                    y="reached",
                    x_title="specified, Gop/s",
                    y_title="reached, Gop/s",
                    colour="network",
                    names=[name for name, *_ in found],
                    label="target",
                    x_log=True,
                    y_log=True,
                    lines=("all of the specification",),
                ),
            ),
        ),
        grids=(
            Grid(
                name="specification",
                columns=columns("Network", "Target", "#Specified", "#Reached", "#Share"),
                rows=tuple(
                    (
                        Cell(text=name, page=library.page(model_page(name, sha))),
                        Cell(text=run.target, page=library.page(run_page(run.run_id))),
                        number(peak, lambda value: fmt.si(value, "op/s")),
                        number(reached, lambda value: fmt.si(value, "op/s")),
                        number(reached / peak, fmt.percent, share=reached / peak),
                    )
                    for name, sha, run, peak, reached in found
                ),
            ),
        ),
    )  # fmt: skip
