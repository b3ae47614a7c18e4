"""An NPU whose arithmetic is its own: how near it comes, and by what rule that was judged."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.report.charts import bars
from npubench.report.figure import Figure, Row
from npubench.report.grid import Grid, columns, rows, text
from npubench.report.library import Library
from npubench.report.scheme_cost import rules, scheme_cost, scheme_grid, scheme_rows, way
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.target import Place

TITLE = "The NPU's own arithmetic"
ORDER = 16

LEAD = (
    "These NPUs do not compute as TFLite does, so that no answer is equal bit by bit. Each was "
    "asked many inputs, drawn as the network's calibration draws them, and judged by the noise "
    "beside the signal and by the best class."
)


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Every target that was judged so, failed ones too."""
    return _view(network.runs, library, ())


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run, with all that its tool told."""
    told = scheme_rows(stored.record)
    grid = Grid(
        name="scheme-told",
        columns=columns("What", "~Value"),
        rows=rows((text(key), text(value)) for key, value in told),
    )
    return _view([stored.record], library, (grid,))


def _view(runs: Sequence[RunRecord], library: Library, more: tuple[Grid, ...]) -> View | None:
    costs = [(run, cost) for run in runs if (cost := scheme_cost(run)) is not None]
    grid = scheme_grid(runs, library)
    if grid is None:
        return None
    ways = [f"{run.target}: {taken}" for run, _ in costs if not more and (taken := way(run))]
    fallbacks = [
        f"{run.target}, on the CPU: {line}"
        for run, _ in costs
        if run.place is Place.SIMULATOR and run.npu is not None
        for line in run.npu.fallbacks
    ]
    figures = [_figure(run) for run, _ in costs if run.scheme and run.scheme.layers_snr_db]
    return View(
        lead=f"{LEAD} {' '.join(rules(costs))}",
        figures=tuple(figures),
        grids=more or (grid,),
        notes=(*ways, *fallbacks),
    )


def _figure(run: RunRecord) -> Figure:
    """How the signal loses against the noise, operator by operator."""
    assert run.scheme is not None
    kinds = {layer.index: layer.op for layer in run.layers}
    told: list[Row] = [
        {"op": f"{index} {kinds.get(int(index), '')}".strip(), "value": value,
         "text": f"{value:.1f} dB"}
        for index, value in run.scheme.layers_snr_db.items()
        if value is not None
    ]  # fmt: skip
    return Figure(
        name=f"scheme-{fmt.printable(run.run_id, 80)}",
        title=f"{run.target}: signal to noise of the network up to each operator",
        words="; ".join(f"{row['op']}: {row['text']}" for row in told),
        rows=tuple(told),
        spec=bars(category="op", value="value", title="signal to noise, dB"),
    )
