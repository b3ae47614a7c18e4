"""The repetitions behind a median, one by one, where they differ."""

from __future__ import annotations

from collections.abc import Sequence

from npubench.core import format as fmt
from npubench.core.errors import NpubenchError
from npubench.core.stages import Stage
from npubench.report.charts import strips
from npubench.report.figure import Figure, Row
from npubench.report.library import Library
from npubench.report.selection import NetworkRuns
from npubench.report.view import View
from npubench.report.views.stages import unit_of
from npubench.runs.samples import read_samples
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

TITLE = "Repetitions"
ORDER = 68

FEWEST, MOST = 3, 2_000
STAGES = (Stage.LOAD, Stage.INFER, Stage.UNLOAD, Stage.POST, Stage.END_TO_END)


def of_network(network: NetworkRuns, library: Library) -> View | None:
    """The inference of every target whose repetitions differ."""
    found = [
        (run.target, _values(library.of(run), Stage.INFER), run)
        for run in network.runs
        if _varies(run, Stage.INFER)
    ]
    figures = []
    for unit in dict.fromkeys(run.stages[Stage.INFER].unit for _, values, run in found if values):
        same = [item for item in found if item[2].stages[Stage.INFER].unit == unit and item[1]]
        figures.append(_figure(f"repetitions-{unit}", "infer", unit, [item[:2] for item in same]))
    return View(figures=tuple(figures)) if figures else None


def of_run(stored: StoredRun, library: Library) -> View | None:
    """Every stage of one run whose repetitions differ."""
    run = stored.record
    figures = []
    for stage in STAGES:
        if _varies(run, stage):
            values = _values(stored, stage)
            if values:
                unit = run.stages[stage].unit
                figures.append(_figure(f"repetitions-{stage}", str(stage), unit, [(stage, values)]))
    return View(figures=tuple(figures)) if figures else None


def _varies(run: RunRecord, name: Stage) -> bool:
    stage = run.stages.get(name)
    return (
        run.valid
        and stage is not None
        and stage.median is not None
        and stage.n >= FEWEST
        and stage.deterministic is False
    )


def _values(stored: StoredRun, stage: Stage) -> list[float]:
    """The stage's repetitions in the record's unit; none where the folder keeps none."""
    try:
        samples = read_samples(stored.path)
    except NpubenchError:
        return []
    unit = stored.record.stages[stage].unit
    found = [float(item.value) for item in samples if item.stage == stage and item.unit == unit]
    return found if len(found) <= MOST else found[:: -(-len(found) // MOST)]


def _figure(
    name: str, stage: str, unit: str, found: Sequence[tuple[str, Sequence[float]]]
) -> Figure:
    factor, words = unit_of(unit, max(value for _, values in found for value in values))
    rows: list[Row] = []
    for target, values in found:
        middle = sorted(values)[len(values) // 2]
        rows += [
            {"target": target, "kind": "repetition", "value": value / factor,
             "text": f"repetition {at}: {fmt.stage(value, unit)}"}
            for at, value in enumerate(values)
        ]  # fmt: skip
        rows.append(
            {"target": target, "kind": "median", "value": middle / factor,
             "text": f"median {fmt.stage(middle, unit)}"}
        )  # fmt: skip
    return Figure(
        name=name,
        title=f"Repetitions of {stage.replace('_', ' ')}",
        words="; ".join(
            f"{target}: {len(values)} from {fmt.stage(min(values), unit)} to "
            f"{fmt.stage(max(values), unit)}"
            for target, values in found
        ),
        rows=tuple(rows),
        spec=strips(category="target", value="value", title=words),
        note="A tick is a repetition, the diamond their median. None is dropped.",
    )
