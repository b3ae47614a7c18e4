"""Layers as points: how much work each does for a byte, and how fast it is done."""

from __future__ import annotations

from npubench.report.charts import points
from npubench.report.figure import Figure, Row
from npubench.report.library import Library, board_of
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.report.views.layers import label
from npubench.runs.roofline import Peak, cpu_peak, npu_peak
from npubench.runs.schema import LayerRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Roofline"
ORDER = 45

PER = {"instructions": "instruction", "cycles": "CPU cycle"}


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """A figure for each unit that layers were counted in."""
    return _view([run for run in network.runs if run.valid])


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's layers."""
    return _view([stored.record] if stored.record.valid else [])


def _view(runs: list[RunRecord]) -> View | None:
    figures = []
    for unit in ("NPU cycle", "instruction", "CPU cycle"):
        figure = _figure(runs, unit)
        if figure is not None:
            figures.append(figure)
    if not figures:
        return None
    return View(
        lead="Each point is a layer: to the right it does more multiplications for a byte that it "
        "moves, upwards it does more of them in a cycle or an instruction. A layer far to the "
        "right and low is held up by arithmetic, one to the left by memory.",
        figures=tuple(figures),
    )


def intensity(layer: LayerRecord) -> float | None:
    """MACs for a byte of weights, input and output, each moved once."""
    moved = layer.weight_bytes + layer.input_bytes + layer.output_bytes
    return layer.macs / moved if layer.macs and moved else None


def _rate(layer: LayerRecord, unit: str) -> float | None:
    if unit == "NPU cycle":
        return layer.macs / layer.npu_cycles if layer.npu_cycles and layer.engine == "npu" else None
    if layer.engine != "cpu" or PER.get(layer.unit) != unit or not layer.value:
        return None
    return layer.macs / float(layer.value)


def _figure(runs: list[RunRecord], unit: str) -> Figure | None:
    rows: list[Row] = []
    roofs: dict[str, float] = {}
    for run in runs:
        for layer in run.layers:
            x, y = intensity(layer), _rate(layer, unit)
            if x is None or not y:
                continue
            rows.append(
                {
                    "layer": label(layer),
                    "target": run.target,
                    "intensity": x,
                    "rate": y,
                    "text": f"{y:.3g} MACs per {unit}, {x:.3g} MACs per byte",
                }
            )
        peak = _peak(run, unit)
        if peak is not None and any(row.get("target") == run.target for row in rows):
            roofs[peak.name] = peak.macs_per
    if not rows:
        return None
    xs = [float(row["intensity"] or 0) for row in rows]
    for name, roof in roofs.items():
        for x in (min(xs) / 1.5, max(xs) * 1.5):
            rows.append({"line": name, "intensity": x, "rate": roof})
    best = max((row for row in rows if row.get("layer")), key=lambda row: float(row["rate"] or 0))
    return Figure(
        name=f"roofline-{unit.replace(' ', '-').lower()}",
        title=f"Layers: MACs per {unit} by MACs per byte",
        words=f"Best is {best['layer']} on {best['target']} with {best['text']}",
        rows=tuple(rows),
        spec=points(
            x="intensity",
            y="rate",
            x_title="MACs per byte of weights, input and output",
            y_title=f"MACs per {unit}",
            colour="target",
            names=[run.target for run in runs],
            label="layer",
            x_log=True,
            y_log=True,
            lines=tuple(roofs),
        ),
        note="; ".join(roofs) + ". The memory's slope is not drawn: the record has no bandwidth."
        if roofs
        else f"A roof is not drawn: no limit of MACs per {unit} is known.",
    )


def _peak(run: RunRecord, unit: str) -> Peak | None:
    """The most that the engine can do in one of ``unit``, where that is known."""
    if unit == "NPU cycle":
        return npu_peak(run)
    board = board_of(run.board)
    if board is None:
        return None
    return cpu_peak(board, "instructions" if unit == "instruction" else "cycles")
