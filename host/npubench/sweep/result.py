"""From runs to a sweep's record: points, laws, steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from npubench.core.evidence import Evidence
from npubench.core.finding import Found
from npubench.core.stages import Stage
from npubench.runs.reader import StoredRun
from npubench.runs.roofline import roofline
from npubench.runs.schema import FindingRecord, RunRecord, Scalar
from npubench.runs.sweeps import LawRecord, PointRecord, StepRecord, SweepRecord, TermRecord
from npubench.sweep import findings as kinds
from npubench.sweep.law import MIN_POINTS, Law, fit_law, law_text
from npubench.sweep.points import Point, Request
from npubench.sweep.steps import Sample, Step, find_steps

COST = "infer"
UNITS = {
    "instructions": "instr",
    "us": "µs",
    "us_modelled": "µs modelled",
    "cycles": "cycles",
    "bytes": "B",
}
MEMORY = ("flash_bytes", "ram_bytes")


def sweep_record(
    request: Request,
    points: Sequence[Point],
    runs: Mapping[str, StoredRun],
    *,
    command: tuple[str, ...] = (),
) -> SweepRecord:
    """All that is known of a sweep, whole or interrupted. ``runs``: by the points' keys."""
    pairs = [(point, runs.get(point.key)) for point in points]
    records = [_point(point, run) for point, run in pairs if run is not None or point.error]
    series = tuple(dict.fromkeys(point.series for point in points))
    laws: list[LawRecord] = []
    steps: list[StepRecord] = []
    found: list[Found] = []
    for name in series:
        own = [
            (record, runs[record.key].record)
            for record in records
            if record.series == name and record.cost is not None and record.key in runs
        ]
        own_steps = _steps(request, name, own)
        own_laws = _laws(request, name, own, own_steps)
        found += [_found(step) for step in own_steps]
        if not own_laws:
            found.append(kinds.NO_LAW.found(series=name, known=len(own), needed=MIN_POINTS))
        steps += own_steps
        laws += own_laws
    return SweepRecord(
        id=request.id,
        model=request.source.name,
        weights=request.source.weights,
        axes={axis.name: axis.values for axis in request.axes},
        series=series,
        complete=len(records) == len(points),
        points=tuple(records),
        laws=tuple(laws),
        steps=tuple(step.model_copy(update={"text": _found(step).text}) for step in steps),
        findings=tuple(FindingRecord.model_validate(one.document()) for one in found),
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=command,
    )


def _found(step: StepRecord) -> Found:
    """A step as a finding."""
    place = "no layer holds most of it"
    if step.layer is not None:
        share = "" if step.layer_share is None else f", {100 * step.layer_share:.0f} % of it"
        place = f"layer {step.layer} {step.layer_op}{share}"
    fixed = ", ".join(f"{name}={value}" for name, value in step.fixed.items())
    return kinds.STEP.found(
        where=None if step.layer is None else f"layer {step.layer}",
        axis=f"{step.axis} ({fixed})" if fixed else step.axis,
        before=f"{step.before}",
        after=f"{step.after}",
        change_pct=round(100 * step.change_ratio, 2),
        place=place,
        cause=step.cause or "the records show no cause",
    )


def _point(point: Point, run: StoredRun | None) -> PointRecord:
    base = {
        "values": dict(point.values),
        "series": point.series,
        "target": str(point.job.target),
        "key": point.key,
    }
    if run is None:
        assert point.error is not None
        reason = f"{point.error.kind}: {point.error.message}"
        return PointRecord.model_validate({**base, "status": "failed", "reason": reason})
    record = run.record
    stage = record.stages.get(Stage.INFER)
    known = record.valid and stage is not None and stage.median is not None
    memory, energy = record.memory, record.energy
    net = [] if energy is None else [energy.stages.get(Stage.INFER)]
    return PointRecord.model_validate(
        {
            **base,
            "status": "ok" if record.valid else "failed",
            "reason": record.why_invalid
            if not record.valid
            else None
            if known
            else (stage.reason if stage is not None else "it has no timing"),
            "run_id": record.run_id,
            "unit": stage.unit if known and stage is not None else None,
            "evidence": stage.evidence if known and stage is not None else Evidence.UNAVAILABLE,
            "cost": stage.median if known and stage is not None else None,
            "cost_low": stage.low if known and stage is not None else None,
            "cost_high": stage.high if known and stage is not None else None,
            "cpu_instructions": stage.cpu_instructions if known and stage is not None else None,
            "npu_cycles": stage.npu_cycles if known and stage is not None else None,
            "energy_uj": _energy(record, net),
            "flash_bytes": None if memory is None else memory.flash_bytes,
            "ram_bytes": None if memory is None else memory.ram_bytes,
            "arena_bytes": None if memory is None else memory.arena_bytes,
            "macs": record.model.macs,
            "moved_bytes": moved_bytes(record) or None,
            "utilization_ratio": _utilization(record) if known else None,
            "accuracy": {item.metric: item.value for item in record.accuracy},
        }
    )


def _energy(record: RunRecord, stages: Sequence[object]) -> float | None:
    """Of one inference: measured or played back where there is a capture, else the part's model."""
    for stage in stages:
        value = getattr(stage, "net_uj", None)
        if isinstance(value, int | float):
            return float(value)
    infer = record.stages.get(Stage.INFER)
    if infer is None or infer.energy_uj is None:
        return None
    return float(infer.energy_uj.mid)


def moved_bytes(record: RunRecord) -> int:
    """Weights, inputs and outputs of all layers, each moved once."""
    return sum(
        layer.weight_bytes + layer.input_bytes + layer.output_bytes for layer in record.layers
    )


def _utilization(record: RunRecord) -> float | None:
    points = roofline(record)
    whole = points[-1] if points and points[-1].index is None else None
    return None if whole is None else round(whole.utilization_ratio, 6)


Own = Sequence[tuple[PointRecord, RunRecord]]


def _steps(request: Request, series: str, own: Own) -> list[StepRecord]:
    """Along each numeric axis, the others held."""
    found: list[StepRecord] = []
    for axis in request.axes:
        if not axis.numeric:
            continue
        lines: dict[tuple[tuple[str, Scalar], ...], list[tuple[PointRecord, RunRecord]]] = {}
        for record, run in own:
            rest = tuple(sorted((n, v) for n, v in record.values.items() if n != axis.name))
            if not isinstance(record.values.get(axis.name), str):
                lines.setdefault(rest, []).append((record, run))
        for rest, line in lines.items():
            line.sort(key=lambda item: float(item[0].values[axis.name] or 0))
            for step in find_steps([_sample(*item) for item in line]):
                found.append(_step_record(series, axis.name, dict(rest), line, step))
    return found


def _sample(record: PointRecord, run: RunRecord) -> Sample:
    return Sample(
        cost=float(record.cost or 0),
        work=float(record.macs or record.moved_bytes or 1),
        moved=float(record.moved_bytes or 0),
        record=run,
    )


def _step_record(
    series: str, axis: str, fixed: Mapping[str, object], line: Own, step: Step
) -> StepRecord:
    (before, _), (after, _) = line[step.index - 1], line[step.index]
    layer = step.layer
    return StepRecord.model_validate(
        {
            "series": series,
            "metric": COST,
            "axis": axis,
            "before": before.values[axis],
            "after": after.values[axis],
            "fixed": dict(fixed),
            "change_ratio": round(step.change_ratio, 6),
            "layer": None if layer is None else layer.index,
            "layer_name": None if layer is None else layer.name,
            "layer_op": None if layer is None else layer.op,
            "layer_share": None if step.layer_share is None else round(step.layer_share, 4),
            "cause": step.cause,
            "runs": tuple(item.run_id for item in (before, after) if item.run_id),
        }
    )


def _laws(request: Request, series: str, own: Own, steps: Sequence[StepRecord]) -> list[LawRecord]:
    """Of the cost, of the NPU's cycles where there are some, of memory, of energy."""
    if not own:
        return []
    numeric = [axis.name for axis in request.axes if axis.numeric and len(axis.values) > 1]
    alone = numeric[0] if len(numeric) == 1 and len(request.axes) == 1 else None
    found: list[LawRecord] = []
    unit = own[0][0].unit or ""
    wanted = [(COST, UNITS.get(unit, unit), "cost")]
    if any(record.npu_cycles for record, _ in own):
        wanted.append(("npu_cycles", "cycles", "npu_cycles"))
    wanted += [(name, UNITS["bytes"], name) for name in MEMORY]
    wanted.append(("energy", "µJ", "energy_uj"))
    for metric, shown, field in wanted:
        rows = [(record, getattr(record, field)) for record, _ in own]
        if not all(isinstance(value, int | float) and value > 0 for _, value in rows):
            continue
        on_time = metric in (COST, "npu_cycles", "energy")
        levels = [
            [float(_past(record, step)) for record, _ in rows] if on_time else [] for step in steps
        ]
        levels = [level for level in levels if level and 0 < sum(level) < len(level)]
        macs = [float(record.macs or 0) for record, _ in rows]
        law = None
        for kept in (levels, []):
            law = fit_law(
                [float(value) for _, value in rows],
                macs=macs,
                moved=[float(record.moved_bytes or 0) for record, _ in rows],
                size=None
                if alone is None
                else [float(record.values[alone] or 0) for record, _ in rows],
                levels=kept,
            )
            if law is not None:
                found.append(_law_record(series, metric, shown, alone, law, len(rows), len(kept)))
                break
    return found


def _past(record: PointRecord, step: StepRecord) -> bool:
    """Whether a point lies behind a step, on the step's own line."""
    if any(record.values.get(name) != value for name, value in step.fixed.items()):
        return False
    here, there = record.values.get(step.axis), step.after
    if isinstance(here, str) or isinstance(there, str) or here is None or there is None:
        return False
    return here >= there


def _law_record(
    series: str, metric: str, unit: str, axis: str | None, law: Law, points: int, steps: int
) -> LawRecord:
    best = law.best
    return LawRecord(
        series=series,
        metric=metric,
        unit=unit,
        form=best.form,
        axis=axis,
        text=law_text(best, unit, axis),
        terms=tuple(
            TermRecord(per=term.per, value=term.value, low=term.low, high=term.high)
            for term in best.terms
        ),
        points=points,
        error_pct=round(100 * best.error_ratio, 4),
        aicc={name: value for name, value in law.aicc.items() if abs(value) != float("inf")},
        steps_excluded=steps,
    )
