"""Every stage of every target, cold and warm, one panel per unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.stages import BOUNDARY, Stage
from npubench.report.charts import stack
from npubench.report.figure import Figure, Row
from npubench.report.grid import Cell, Column, Grid, columns, number
from npubench.report.library import Library, run_page
from npubench.report.selection import END_TO_END, NetworkRuns, Ranking, rankings
from npubench.report.view import View
from npubench.runs.schema import RunRecord, StageRecord
from npubench.runs.store import StoredRun

TITLE = "Stages"
ORDER = 20

COLUMNS = (
    Stage.LOAD,
    Stage.INFER,
    Stage.UNLOAD,
    Stage.POST,
    Stage.END_TO_END,
    Stage.INIT_COLD,
    Stage.INIT_WARM,
)
COLOURS = ("var(--c2)", "var(--c1)", "var(--c3)", "var(--c4)")
_BOUNDARY = {str(stage): words for stage, words in BOUNDARY.items()}
TIME_SCALES = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"))


def unit_of(unit: str, largest: float) -> tuple[float, str]:
    """One unit for a whole figure: divide by the first, write the second."""
    if unit not in ("us", "us_modelled"):
        return 1.0, fmt.UNIT_NAME.get(unit, unit)
    modelled = ", modelled" if unit == "us_modelled" else ""
    for factor, name in TIME_SCALES:
        if largest >= factor:
            return factor, f"{name}{modelled}"
    return 1.0, f"µs{modelled}"


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """A panel for each kind of unit and evidence."""
    groups = rankings(network.runs)
    if not groups:
        return None
    statistics = [
        (run, name, stage)
        for run in network.runs
        if run.valid
        for name, stage in run.stages.items()
    ]
    parts = _part_times(network.runs)
    return View(
        lead="Every board runs the same stages with the same boundaries. Each inference is "
        "preceded by its load; end to end is load + infer + unload + post of one repetition.",
        figures=tuple(
            figure("stages", group.runs, group.unit, str(group.evidence)) for group in groups
        ),
        grids=(
            *(grid for group in groups for grid in _grids(group, library)),
            *((parts,) if parts is not None else ()),
        ),
        folded={"All statistics": (_statistics(statistics, with_target=True),)},
        notes=tuple(note for group in groups for note in notes(group.runs)),
    )


def of_run(stored: StoredRun, library: Library) -> View | None:
    """One run's stages, with all that is known of each."""
    run = stored.record
    if not run.stages or not run.valid:
        return None
    infer = run.stages.get(Stage.INFER)
    figures: tuple[Figure, ...] = ()
    if infer is not None and infer.median is not None:
        figures = (figure("stages", [run], infer.unit, str(infer.evidence)),)
    return View(
        figures=figures,
        grids=(_statistics([(run, name, stage) for name, stage in run.stages.items()]),),
        notes=(
            *notes([run]),
            "The interval is a bootstrap of the median within one session. Outliers are labelled "
            "(modified z-score above 3.5) and kept.",
        ),
    )


def figure(name: str, runs: Sequence[RunRecord], unit: str, evidence: str) -> Figure:
    """Stacked stages of runs that share a unit, with the range of what is modelled."""
    totals = [sum(_median(run, stage, unit) for stage in END_TO_END) for run in runs]
    factor, words = unit_of(unit, max(totals, default=0.0))
    rows: list[Row] = []
    for run in runs:
        for order, stage in enumerate(END_TO_END):
            value = _median(run, stage, unit)
            rows.append(
                {
                    "target": run.target,
                    "stage": str(stage),
                    "value": value / factor,
                    "order": order,
                    "text": fmt.stage(value, unit),
                }
            )
        whole = run.stages.get(Stage.END_TO_END)
        if whole is not None and whole.low is not None and whole.high is not None:
            rows.append(
                {
                    "target": run.target,
                    "low": whole.low / factor,
                    "high": whole.high / factor,
                    "text": fmt.stage(whole.median, unit, low=whole.low, high=whole.high),
                }
            )
    return Figure(
        name=f"{name}-{unit.replace('_', '-')}",
        title=f"Stages, {words.split(',')[0]}, {evidence}",
        words="; ".join(f"{run.target}: {_end_to_end(run)} end to end" for run in runs),
        rows=tuple(rows),
        spec=stack(
            category="target",
            part="stage",
            value="value",
            title=f"one inference, {words}",
            parts=[str(stage) for stage in END_TO_END],
            colours=COLOURS,
            ranges=any("low" in row for row in rows),
        ),
        note="The line over a bar is the range of the model." if unit == "us_modelled" else "",
    )


def _end_to_end(run: RunRecord) -> str:
    whole = run.stages.get(Stage.END_TO_END)
    if whole is None:
        return fmt.NONE
    return fmt.stage(whole.median, whole.unit, low=whole.low, high=whole.high)


def _median(run: RunRecord, stage: Stage, unit: str) -> float:
    record = run.stages.get(stage)
    if record is None or record.unit != unit or record.median is None:
        return 0.0
    return float(record.median)


def _grids(group: Ranking, library: Library) -> list[Grid]:
    unit = group.unit
    largest = max((_median(run, stage, unit) for run in group.runs for stage in COLUMNS), default=0)
    factor, words = unit_of(unit, largest)
    grids = [
        Grid(
            name=f"stages-{unit.replace('_', '-')}",
            caption=f"Stages in {words.partition(',')[0]} ({group.evidence})",
            columns=(
                Column(title="Target"),
                *(
                    Column(title=stage.replace("_", " "), number=True, hint=BOUNDARY[stage])
                    for stage in COLUMNS
                ),
            ),
            rows=tuple(
                (
                    Cell(text=run.target, page=library.page(run_page(run.run_id))),
                    *(_cell(run.stages.get(stage), unit, factor, stage) for stage in COLUMNS),
                )
                for run in group.runs
            ),
        )
    ]
    made_of = [row for run in group.runs for row in _made_of(run)]
    if made_of:
        grids.append(
            Grid(
                name=f"made-of-{unit.replace('_', '-')}",
                caption="What these times are made of: instructions (counted) and NPU cycles "
                "(modelled), never added",
                columns=(
                    Column(title="Target"),
                    Column(title="Count"),
                    *(Column(title=stage.replace("_", " "), number=True) for stage in COLUMNS),
                ),
                rows=tuple(made_of),
                dense=True,
            )
        )
    return grids


def _cell(stage: StageRecord | None, unit: str, factor: float, name: Stage) -> Cell:
    strong = name in (Stage.INFER, Stage.END_TO_END)
    if stage is None or stage.median is None:
        why = "not in this run" if stage is None else stage.reason or "unavailable"
        return Cell(text=fmt.NONE, hint=why)
    if stage.unit != unit:
        return Cell(text=fmt.quantity(stage.median, stage.unit), value=stage.median)
    under = ""
    if stage.low is not None and stage.high is not None:
        under = span(stage.low / factor, stage.high / factor)
    text = fmt.count(stage.median) if factor == 1.0 and unit == "instructions" else None
    return Cell(
        text=text or digits(stage.median / factor),
        value=stage.median,
        under=under,
        strong=strong,
        hint=BOUNDARY[name],
    )


def digits(value: float) -> str:
    """Three significant digits: what a modelled or measured time bears."""
    if 0 < abs(value) < 0.1:
        return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"
    return fmt.ratio(value).removesuffix("×")


def span(low: float, high: float) -> str:
    """A range, once where both ends read the same."""
    left, right = digits(low), digits(high)
    return left if left == right else f"{left} to {right}"


def _made_of(run: RunRecord) -> list[tuple[Cell, ...]]:
    stages = [run.stages.get(stage) for stage in COLUMNS]
    rows = []
    for what, values in (
        ("instructions", [None if stage is None else stage.cpu_instructions for stage in stages]),
        ("NPU cycles", [None if stage is None else stage.npu_cycles for stage in stages]),
    ):
        if any(values):
            rows.append(
                (Cell(text=run.target), Cell(text=what), *(number(value) for value in values))
            )
    return rows


def _part_times(runs: Sequence[RunRecord]) -> Grid | None:
    """Modelled time and energy of the part, with their ranges, where the records have them."""
    rows = []
    models: list[str] = []
    for run in runs:
        stage = run.stages.get(Stage.INFER)
        if not run.valid or stage is None or stage.time_us is None:
            continue
        time, energy = stage.time_us, stage.energy_uj
        rows.append(
            (
                Cell(text=run.target),
                Cell(text=fmt.micro(time.mid, "s"), value=time.mid),
                Cell(text=fmt.between(time.low, time.high, "s")),
                Cell(text=fmt.NONE)
                if energy is None
                else Cell(text=fmt.micro(energy.mid, "J"), value=energy.mid),
                Cell(
                    text=fmt.NONE if energy is None else fmt.between(energy.low, energy.high, "J")
                ),
            )
        )
        models += [item.model for item in (time, energy) if item is not None]
    if not rows:
        return None
    return Grid(
        name="part-times",
        caption="infer on the part itself: modelled from what was counted",
        columns=columns("Target", "#Time", "#from, to", "#Energy", "#from, to"),
        rows=tuple(rows),
        note="; ".join(fmt.printable(model, 300) for model in dict.fromkeys(models) if model),
    ).without_empty()


def _statistics(
    found: Sequence[tuple[RunRecord, str, StageRecord]], *, with_target: bool = False
) -> Grid:
    head = [Column(title="Target")] if with_target else []
    titles = ("Median", "Range", "Min", "Max", "n", "MAD")
    rows = []
    for run, name, stage in found:
        first = [Cell(text=run.target)] if with_target else []
        low = None if stage.low is None or stage.high is None else stage.low
        rows.append(
            (
                *first,
                Cell(text=name.replace("_", " "), hint=_BOUNDARY.get(name, "")),
                Cell(text=fmt.stage(stage.median, stage.unit), value=stage.median, strong=True)
                if stage.median is not None
                else Cell(text=stage.reason or "unavailable"),
                Cell(text=fmt.NONE if low is None else fmt.stage(
                    stage.median, stage.unit, low=stage.low, high=stage.high
                ).partition("(")[2].rstrip(")") or fmt.NONE),
                number(stage.min),
                number(stage.max),
                number(stage.n),
                number(stage.mad),
                Cell(text=_interval(stage)),
                Cell(text=str(stage.evidence), badge=str(stage.evidence)),
            )
        )  # fmt: skip
    return Grid(
        name="statistics",
        columns=(
            *head,
            Column(title="Stage"),
            *(Column(title=title, number=True) for title in titles),
            Column(title="95 % interval"),
            Column(title="Evidence"),
        ),
        rows=tuple(rows),
        dense=True,
    ).without_empty()


def _interval(stage: StageRecord) -> str:
    if stage.median is None:
        return fmt.NONE
    outliers = f", {stage.outliers} outliers kept" if stage.outliers else ""
    if stage.deterministic:
        return "deterministic"
    if stage.ci95_low is None:
        return f"too few to say{outliers}"
    return f"{fmt.count(stage.ci95_low)} to {fmt.count(stage.ci95_high)}{outliers}"


def notes(runs: Sequence[RunRecord]) -> list[str]:
    """What a number alone would hide: stages that cannot be told apart, and why one has none."""
    found = []
    for run in runs:
        for name, stage in run.stages.items():
            label = f"{run.target}, {name.replace('_', ' ')}"
            if not stage.separable:
                found.append(f"{label}: not separable: {stage.reason or 'no reason given'}")
            elif stage.median is None and stage.reason:
                found.append(f"{label}: {stage.reason}")
    return found
