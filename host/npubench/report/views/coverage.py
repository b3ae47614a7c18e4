"""What runs on the NPU and what is left to the CPU, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.report.grid import Cell, Column, Grid, columns, number, text
from npubench.report.library import Library, model_page, run_page
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.runs.schema import RunRecord

TITLE = "Coverage"
ORDER = 75


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """Operators by engine, of the targets that used an NPU."""
    runs = [run for run in network.runs if run.npu is not None and run.layers]
    if not runs:
        return None
    kinds = list(dict.fromkeys(layer.op for run in runs for layer in run.layers))
    return View(
        claim=" ".join(_sentence(run) for run in runs),
        grids=(
            Grid(
                name="coverage",
                columns=(
                    Column(title="Operator"),
                    *(Column(title=run.target, unit="on the NPU") for run in runs),
                ),
                rows=tuple(
                    (Cell(text=kind), *(_cell(run, kind) for run in runs)) for kind in kinds
                ),
            ),
        ),
        notes=tuple(
            f"{run.target}: {line}"
            for run in runs
            if run.npu is not None
            for line in run.npu.fallbacks
        ),
    )


def of_backend(subject: str, library: Library) -> View | None:
    """Every network that the backend ran: how much of it the NPU took."""
    found = [
        (network, run)
        for network, run in library.shown()
        if run.backend == subject and run.npu is not None
    ]
    if not found:
        return None
    return View(
        grids=(
            Grid(
                name="coverage",
                columns=columns(
                    "Network",
                    "Target",
                    "#MACs on the NPU",
                    "#Operators there",
                    "#of",
                    "~Left to the CPU",
                ),
                rows=tuple(_line(network, run, library) for network, run in found),
            ),
        )
    )


def _sentence(run: RunRecord) -> str:
    assert run.npu is not None
    return f"{run.target} runs {fmt.percent(run.npu.macs_share)} of the MACs on its NPU."


def _cell(run: RunRecord, kind: str) -> Cell:
    same = [layer for layer in run.layers if layer.op == kind]
    there = sum(layer.engine == "npu" for layer in same)
    if not same:
        return Cell(text=fmt.NONE)
    word = "all" if there == len(same) else "none" if not there else f"{there}"
    return Cell(text=f"{word} of {len(same)}", value=there / len(same))


def _line(network: NetworkRuns, run: RunRecord, library: Library) -> tuple[Cell, ...]:
    assert run.npu is not None
    there = sum(layer.engine == "npu" for layer in run.layers)
    return (
        Cell(
            text=network.name, page=library.page(model_page(network.name, network.network_sha256))
        ),
        Cell(text=run.target, page=library.page(run_page(run.run_id))),
        number(run.npu.macs_share, fmt.percent, share=run.npu.macs_share),
        number(there if run.layers else None),
        number(len(run.layers) or None),
        text("; ".join(run.npu.fallbacks)),
    )


def kinds_left(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Kinds of operators that some NPU left to the CPU."""
    return tuple(
        sorted(
            {
                layer.op
                for run in runs
                if run.npu is not None
                for layer in run.layers
                if layer.engine == "cpu"
            }
        )
    )
