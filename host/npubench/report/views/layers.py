"""Which operator the cost lies in, targets side by side."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.stages import Stage
from npubench.report.charts import bars
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Column, Grid, number, size
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.report.views.stages import digits, unit_of
from npubench.runs.schema import LayerRecord, RunRecord
from npubench.runs.store import StoredRun

TITLE = "Layers"
ORDER = 40

MOST_BARS = 160


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """One table with a pair of columns for each target, one figure with each layer's share."""
    counted = [run for run in network.runs if run.valid and _counted(run)]
    absent = tuple(
        f"{run.target}: {_why(run)}" for run in network.runs if run.layers and run not in counted
    )
    if not counted:
        return None
    figures: tuple[Figure, ...] = ()
    if sum(len(run.layers) for run in counted) <= MOST_BARS * 2:
        figures = (_shares(counted),)
    return View(
        lead="Each operator counted in a pass of its own; inside an NPU's job an operator has the "
        "cycles that the model gives it, and no time of its own.",
        figures=figures,
        grids=(_grid(counted),),
        notes=absent,
    )


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's layers with what each costs."""
    run = stored.record
    if not run.valid or not _counted(run):
        return None
    return View(figures=(_costs(run),), grids=(_grid([run], whole=True),))


def _counted(run: RunRecord) -> bool:
    return any(layer.value is not None or layer.npu_cycles for layer in run.layers)


def _why(run: RunRecord) -> str:
    if not run.valid:
        return "not shown, because the run is not valid"
    reasons = {layer.reason for layer in run.layers if layer.reason}
    return "; ".join(sorted(reasons)) or "layers were not counted"


def label(layer: LayerRecord) -> str:
    """A layer in a figure: its number and operator."""
    return f"{layer.index} {layer.op}"


def npu_total(run: RunRecord) -> int:
    """The NPU's cycles over all layers."""
    return sum(layer.npu_cycles or 0 for layer in run.layers if layer.engine == "npu")


def cpu_total(run: RunRecord) -> float:
    """The sum of what was counted on the CPU, in the layers' unit."""
    return sum(float(layer.value or 0) for layer in run.layers if layer.engine == "cpu")


def share(run: RunRecord, layer: LayerRecord) -> float | None:
    """A layer's share of its engine's sum."""
    if layer.engine == "npu":
        total = npu_total(run)
        return (layer.npu_cycles or 0) / total if total else None
    total_cpu = cpu_total(run)
    if layer.engine == "none" or layer.value is None or not total_cpu:
        return None
    return float(layer.value) / total_cpu


def words(layer: LayerRecord) -> str:
    """What a layer costs, with its unit."""
    if layer.engine == "npu" and layer.npu_cycles is not None:
        return f"{fmt.count(layer.npu_cycles)} NPU cycles"
    return fmt.stage(layer.value, layer.unit)


def _shares(runs: Sequence[RunRecord]) -> Figure:
    rows: list[Row] = []
    for at in range(max(len(run.layers) for run in runs)):
        for run in runs:
            if at >= len(run.layers):
                continue
            layer = run.layers[at]
            part = share(run, layer)
            rows.append(
                {
                    "layer": label(run.layers[at]),
                    "target": run.target,
                    "share": part,
                    "text": f"{fmt.percent(part)}, {words(layer)}",
                }
            )
    top = max(runs[0].layers, key=lambda layer: share(runs[0], layer) or 0)
    return Figure(
        name="layers",
        title="Share of each layer in its target's sum",
        words=f"On {runs[0].target} the largest is {label(top)} with "
        f"{fmt.percent(share(runs[0], top))}",
        rows=tuple(rows),
        spec=bars(
            category="layer",
            value="share",
            title="share of the sum over the layers",
            colour="target",
            names=[run.target for run in runs],
            offset=True,
            share=True,
            step=max(8, 26 // len(runs)),
        ),
    )


def _costs(run: RunRecord) -> Figure:
    npu = npu_total(run) > 0
    on_npu = [layer for layer in run.layers if layer.engine == "npu" and layer.npu_cycles]
    if npu and len(on_npu) >= len([layer for layer in run.layers if layer.engine == "cpu"]):
        rows: list[Row] = [
            {
                "layer": label(layer),
                "value": layer.npu_cycles,
                "text": f"{words(layer)}, {fmt.percent(share(run, layer))}",
            }
            for layer in on_npu
        ]
        title, axis = "NPU cycles of each layer, modelled", "NPU cycles, modelled"
    else:
        timed = [layer for layer in run.layers if layer.value is not None and layer.engine == "cpu"]
        unit = timed[0].unit if timed else "instructions"
        factor, name = unit_of(unit, max((float(layer.value or 0) for layer in timed), default=0))
        rows = [
            {
                "layer": label(layer),
                "value": float(layer.value or 0) / factor,
                "text": f"{words(layer)}, {fmt.percent(share(run, layer))}; {layer.kernel}",
            }
            for layer in timed
        ]
        title, axis = "Cost of each layer", name
    return Figure(
        name="layers",
        title=title,
        words="; ".join(f"{row['layer']}: {row['text']}" for row in rows[:40]),
        rows=tuple(rows),
        spec=bars(category="layer", value="value", title=axis, step=20),
    )


def _grid(runs: Sequence[RunRecord], *, whole: bool = False) -> Grid:
    first = runs[0].layers
    heads = [Column(title="Layer"), Column(title="MACs", number=True)]
    heads.append(Column(title="Weights", number=True))
    if whole:
        heads += [Column(title="Input", number=True), Column(title="Output", number=True)]
    for run in runs:
        if npu_total(run):
            heads.append(Column(title=run.target, unit="NPU cycles", number=True))
        if _timed(run):
            heads.append(Column(title=run.target, unit=_unit_words(run), number=True))
            if _per_mac(run, runs):
                heads.append(Column(title="per MAC", number=True))
    if whole:
        heads += [Column(title="Engine"), Column(title="Kernel")]
    return Grid(
        name="layers",
        columns=tuple(heads),
        rows=tuple(_row(layer, runs, whole=whole) for layer in first),
        foot=_foot(runs, whole=whole),
        dense=True,
    )


def _unit(run: RunRecord) -> str:
    return next(
        layer.unit for layer in run.layers if layer.value is not None and layer.engine != "npu"
    )


def _unit_words(run: RunRecord) -> str:
    unit = _unit(run)
    return unit_of(unit, _largest(run))[1] if unit == "us_modelled" else fmt.UNIT_SHORT[unit]


def _largest(run: RunRecord) -> float:
    return max(float(layer.value or 0) for layer in run.layers if layer.engine != "npu")


def _row(layer: LayerRecord, runs: Sequence[RunRecord], *, whole: bool) -> tuple[Cell, ...]:
    engines = {run.layers[layer.index].engine for run in runs if layer.index < len(run.layers)}
    cells = [
        Cell(
            text=label(layer),
            value=layer.index,
            hint=layer.name[:200],
            under="moves no data" if engines == {"none"} else "",
        ),
        number(layer.macs),
        size(layer.weight_bytes),
    ]
    if whole:
        cells += [size(layer.input_bytes), size(layer.output_bytes)]
    for run in runs:
        mine = next((item for item in run.layers if item.index == layer.index), None)
        cells += _cells(run, mine, runs)
    if whole:
        cells += [Cell(text=layer.engine), Cell(text=layer.kernel or fmt.NONE, hint=layer.choice or
                                                "", code=bool(layer.kernel))]  # fmt: skip
    return tuple(cells)


def _timed(run: RunRecord) -> bool:
    """Whether some layer has a cost of its own: in an NPU's job only the job has."""
    return any(layer.value is not None and layer.engine != "npu" for layer in run.layers)


def _per_mac(run: RunRecord, runs: Sequence[RunRecord]) -> bool:
    return len(runs) <= 2 and _unit(run) != "us_modelled"


def _cells(run: RunRecord, layer: LayerRecord | None, runs: Sequence[RunRecord]) -> list[Cell]:
    cells = []
    if npu_total(run):
        if layer is None or layer.engine != "npu" or layer.npu_cycles is None:
            cells.append(Cell(text=fmt.NONE, value=-1, hint="not on the NPU"))
        else:
            part = share(run, layer)
            hint = f"{fmt.percent(part)} of the NPU's cycles, modelled; {layer.kernel}"
            cells.append(number(layer.npu_cycles, share=part, hint=hint))
    if _timed(run):
        unit = _unit(run)
        modelled = unit == "us_modelled"
        if layer is None or layer.value is None or layer.engine == "npu":
            why = "not in this run" if layer is None else layer.reason or "unavailable"
            cells.append(Cell(text=fmt.NONE, value=-1, hint=why))
            if _per_mac(run, runs):
                cells.append(Cell(text=fmt.NONE, value=-1))
            return cells
        part = share(run, layer)
        factor = unit_of(unit, _largest(run))[0]
        text = digits(float(layer.value) / factor) if modelled else fmt.count(layer.value)
        hint = f"{fmt.percent(part)} of the sum; {layer.kernel or 'no kernel'}"
        cells.append(Cell(text=text, value=float(layer.value), share=part, hint=hint))
        if _per_mac(run, runs):
            per_mac = float(layer.value) / layer.macs if layer.macs else None
            value = -1 if per_mac is None else per_mac
            cells.append(Cell(text=fmt.per_mac(per_mac), value=value))
    return cells


def _foot(runs: Sequence[RunRecord], *, whole: bool) -> tuple[tuple[Cell, ...], ...]:
    first = runs[0].layers
    sums = [
        Cell(text="Sum of the layers"),
        number(sum(layer.macs for layer in first)),
        size(sum(layer.weight_bytes for layer in first)),
    ]
    stage = [Cell(text="Stage infer"), Cell(text=""), Cell(text="")]
    if whole:
        sums += [Cell(text=""), Cell(text="")]
        stage += [Cell(text=""), Cell(text="")]
    for run in runs:
        if npu_total(run):
            sums.append(number(npu_total(run)))
            stage.append(Cell(text=""))
        if _timed(run):
            unit = _unit(run)
            factor = unit_of(unit, _largest(run))[0]
            total = cpu_total(run)
            modelled = unit == "us_modelled"
            infer = run.stages.get(Stage.INFER)
            median = None
            if infer is not None:
                median = infer.median if infer.unit == unit else infer.cycles_median
            sums.append(Cell(text=digits(total / factor)) if modelled else number(round(total)))
            stage.append(
                Cell(text=fmt.NONE)
                if median is None
                else Cell(text=digits(median / factor))
                if modelled
                else number(median)
            )
            if _per_mac(run, runs):
                macs = run.model.macs
                sums.append(Cell(text=""))
                stage.append(Cell(text=fmt.per_mac(median / macs if median and macs else None)))
    if whole:
        sums += [Cell(text=""), Cell(text="")]
        stage += [Cell(text=""), Cell(text="")]
    return (tuple(sums), tuple(stage))
