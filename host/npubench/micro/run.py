"""The suite on a target: run, kept as a run, compared with the one before; networks predicted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from npubench.bench.evaluate import kernels_of
from npubench.bench.job import NO_SETTINGS, Job, Settings, resolve_jobs
from npubench.bench.prepare import compile_job
from npubench.compiler.importers.load import load_model
from npubench.compiler.tflite.reader import load_tflite, read_tflite
from npubench.core.errors import NpubenchError, ResultError
from npubench.core.evidence import Evidence
from npubench.core.paths import cache_root
from npubench.core.progress import Reporter
from npubench.farm.executor import Executor
from npubench.farm.point import key_of_job
from npubench.micro.model import (
    LeftOut,
    Sample,
    fit,
    infer_cost,
    median_error,
    overhead_of,
    predict,
    samples_of,
)
from npubench.micro.suite import NAME, VERSION, suite
from npubench.runs.reader import StoredRun, list_runs
from npubench.runs.roofline import layer_point
from npubench.runs.schema import RunRecord, Scalar
from npubench.sweep.engine import run_points
from npubench.sweep.points import Point
from npubench.target import Options, Place
from npubench.zoo import ResolvedModel, load_zoo, made_path, zoo_ids

REGRESSION_RATIO: Final = 0.01
"""A shape whose cost changed by more is told: counts are exact, a hundredth is no accident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One shape on one target. ``cost`` in ``unit``; ``per_mac`` and ``per_byte``: cost over MACs
    and over bytes moved; ``before``: the cost in the run before, ``change_ratio`` against it."""

    name: str
    kind: str
    engine: str
    kernel: str
    macs: int
    moved_bytes: int
    unit: str
    evidence: Evidence
    cost: float
    macs_per: float | None
    bytes_per: float
    utilization_ratio: float | None
    before: float | None = None
    change_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A network's inference, predicted. ``unit`` of ``predicted`` (CPU) is instructions or
    microseconds, of ``npu_predicted`` cycles. ``error_ratio``: the median error of networks left
    out, in the part that dominates; ``actual``: where the network ran, too, and the error there
    of the model that has not seen it."""

    network: str
    target: str
    unit: str
    predicted: float
    npu_predicted: float
    error_ratio: float | None
    unseen_ratio: float
    actual: float | None = None
    npu_actual: float | None = None
    left_out_ratio: float | None = None
    evidence: Evidence = Evidence.PREDICTED


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroResult:
    """The suite on one target. ``left_out``: each network of the zoo that ran, predicted from the
    suite and the others; ``suite_alone``: likewise, from the suite alone. ``fitted_on``: which of
    the two predicts, the one with the smaller median error. ``failed``: networks that did not run,
    and why."""

    target: str
    suite_version: int
    run_id: str
    rows: tuple[Row, ...]
    compared_with: str | None
    left_out: tuple[LeftOut, ...]
    suite_alone: tuple[LeftOut, ...]
    fitted_on: str
    predictions: tuple[Prediction, ...]
    failed: Mapping[str, str]

    @property
    def regressions(self) -> tuple[Row, ...]:
        """Shapes that cost more than in the run before."""
        return tuple(row for row in self.rows if (row.change_ratio or 0) > REGRESSION_RATIO)

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **asdict(self),
            "left_out": [
                {**asdict(item), "error_ratio": item.error_ratio} for item in self.left_out
            ],
            "suite_alone": [
                {**asdict(item), "error_ratio": item.error_ratio} for item in self.suite_alone
            ],
            "median_error_ratio": median_error(self.left_out),
            "suite_alone_median_error_ratio": median_error(self.suite_alone),
            "regressions": [row.name for row in self.regressions],
        }


def run_micro(
    boards: Sequence[str],
    *,
    backends: Sequence[str] = (),
    options: Mapping[str, Options] = NO_SETTINGS,
    place: Place | None = None,
    models: Iterable[str] = (),
    networks: Sequence[str] | None = None,
    settings: Settings,
    runs_dir: Path,
    reporter: Reporter,
    executor: Executor | None = None,
) -> tuple[MicroResult, ...]:
    """Run the suite on each target. With ``models``, predict them; for that the ``networks`` (by
    default those of the zoo that are there) run, too, whose error stands beside. What the runs
    folder has is not run again. ``executor``: where it is run, as for a sweep.

    Raises UsageError before anything is run, ResultError where the suite does not run.
    """
    data = suite().data
    wanted = [load_model(model, reporter=reporter) for model in dict.fromkeys(models)]
    names = (networks if networks is not None else ready_networks()) if wanted else ()
    bases = resolve_jobs(
        [str(_suite_file(data))], boards, backends, place=place, settings=options, reporter=reporter
    )
    others = {name: load_model(name, reporter=reporter) for name in names}
    points: list[Point] = []
    for base in bases:
        suite_job = replace(base, model=replace(base.model, id=f"{NAME}{VERSION}"))
        jobs = [suite_job, *(replace(base, model=model) for model in others.values())]
        points += [_point(job, settings) for job in jobs]
    earlier = {str(base.target): _earlier(runs_dir, str(base.target)) for base in bases}
    done = run_points(points, settings, runs_dir=runs_dir, reporter=reporter, executor=executor)
    if done.error is not None:
        raise done.error
    results = []
    for base in bases:
        target = str(base.target)
        own = {
            point.job.model.id: done.runs[point.key]
            for point in points
            if str(point.job.target) == target
        }
        results.append(_result(base, own, earlier[target], wanted, [m.id for m in others.values()]))
    return tuple(results)


def ready_networks() -> tuple[str, ...]:
    """The zoo's networks whose file is there; the others would be made first, with TensorFlow."""
    entries = (load_zoo(name) for name in zoo_ids())
    return tuple(entry.id for entry in entries if entry.committed or made_path(entry).is_file())


def _suite_file(data: bytes) -> Path:
    folder = cache_root() / "sweep" / hashlib.sha256(data).hexdigest()[:16]
    path = folder / f"{NAME}{VERSION}.tflite"
    if not path.is_file() or path.read_bytes() != data:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(data)
        fresh.replace(path)
    return path


def _point(job: Job, settings: Settings) -> Point:
    key = key_of_job(job, settings)
    sweep: dict[str, Scalar] = {"id": NAME, "key": key, "model": job.model.id, "suite": VERSION}
    target = str(job.target)
    return Point(values={}, series=target, job=replace(job, sweep=tuple(sweep.items())), key=key)


def _earlier(runs_dir: Path, target: str) -> StoredRun | None:
    """The newest valid run of the suite on a target that is there before we begin."""
    found = [
        run
        for run in list_runs(runs_dir).runs
        if run.record.target == target
        and run.record.sweep.get("model") == f"{NAME}{VERSION}"
        and run.record.valid
    ]
    return found[-1] if found else None


def _result(
    base: Job,
    own: Mapping[str, StoredRun],
    earlier: StoredRun | None,
    wanted: Sequence[ResolvedModel],
    names: Sequence[str],
) -> MicroResult:
    target = str(base.target)
    run = own[f"{NAME}{VERSION}"]
    record = run.record
    if not record.valid:
        raise ResultError(
            f"the suite does not run on {target}: {record.why_invalid}",
            hint="" if record.error is None else record.error.hint,
        )
    before = None if earlier is None or earlier.path == run.path else earlier
    graph = read_tflite(suite().data, name=NAME)
    micro = samples_of(NAME, record, graph)
    seen: dict[str, tuple[StoredRun, tuple[Sample, ...]]] = {}
    failed: dict[str, str] = {}
    for name in names:
        other = own[name]
        if not other.record.valid or not other.record.layers:
            failed[name] = other.record.why_invalid or "it has no layers"
            continue
        _, brought = load_tflite(other.path / "model.tflite")
        seen[name] = (other, samples_of(name, other.record, brought))
    both = _left_out(micro, seen, with_others=True)
    alone = _left_out(micro, seen, with_others=False)
    with_others = (median_error(both) or 0) <= (median_error(alone) or 0)
    predictions = [
        _prediction(
            base,
            model,
            micro,
            seen,
            both if with_others else alone,
            failed,
            with_others=with_others,
        )
        for model in wanted
    ]
    return MicroResult(
        target=target,
        suite_version=VERSION,
        run_id=record.run_id,
        rows=_rows(base, record, None if before is None else before.record),
        compared_with=None if before is None else before.record.run_id,
        left_out=both,
        suite_alone=alone,
        fitted_on="suite and other networks" if with_others else "suite",
        predictions=tuple(item for item in predictions if item is not None),
        failed=failed,
    )


def _rows(base: Job, record: RunRecord, before: RunRecord | None) -> tuple[Row, ...]:
    was = {} if before is None else {layer.index: _cost(layer) for layer in before.layers}
    rows = []
    made = suite()
    for shape, index in zip(made.shapes, made.operators, strict=True):
        layer = record.layers[index]
        known = _cost(layer)
        if known is None:
            continue
        cost, unit, evidence = known
        point = layer_point(record, layer, base.board)
        moved = layer.weight_bytes + layer.input_bytes + layer.output_bytes
        old = was.get(index)
        rows.append(
            Row(
                name=shape.name,
                kind=shape.kind,
                engine=layer.engine,
                kernel=layer.kernel,
                macs=layer.macs,
                moved_bytes=moved,
                unit=unit,
                evidence=evidence,
                cost=cost,
                macs_per=layer.macs / cost if layer.macs else None,
                bytes_per=moved / cost,
                utilization_ratio=None if point is None else round(point.utilization_ratio, 6),
                before=None if old is None else old[0],
                change_ratio=None if old is None else round(cost / old[0] - 1, 6),
            )
        )
    return tuple(rows)


def _cost(layer: Any) -> tuple[float, str, Evidence] | None:
    """A layer's own cost, its unit and evidence."""
    if layer.engine == "npu":
        if not layer.npu_cycles:
            return None
        return float(layer.npu_cycles), "npu cycles", Evidence.MODELLED
    if layer.cpu_instructions:
        return float(layer.cpu_instructions), "instructions", Evidence.COUNTED
    if not layer.value:
        return None
    return float(layer.value), str(layer.unit), Evidence(layer.evidence)


Seen = Mapping[str, tuple[StoredRun, tuple[Sample, ...]]]


def _left_out(micro: Sequence[Sample], seen: Seen, *, with_others: bool) -> tuple[LeftOut, ...]:
    """Each network predicted by a model that was fitted without it. What is compared is the part
    that dominates: the NPU's cycles where there are more of them than instructions of the CPU."""
    found = []
    for name, (run, _) in seen.items():
        training = list(micro)
        if with_others:
            training += [
                sample for other, (_, own) in seen.items() if other != name for sample in own
            ]
        _, graph = load_tflite(run.path / "model.tflite")
        places = {layer.index: (layer.engine, layer.kernel) for layer in run.record.layers}
        made = predict(fit(training), graph, places, driver_instructions=overhead_of(run.record))
        cpu, npu = infer_cost(run.record)
        if made is None or not (cpu or npu):
            continue
        on_npu = npu > cpu
        found.append(
            LeftOut(
                network=name,
                predicted=made.npu if on_npu else made.cpu,
                actual=npu if on_npu else cpu,
            )
        )
    return tuple(found)


def _prediction(
    base: Job,
    model: ResolvedModel,
    micro: Sequence[Sample],
    seen: Seen,
    left_out: Sequence[LeftOut],
    failed: dict[str, str],
    *,
    with_others: bool,
) -> Prediction | None:
    """A network that is compiled for the target and not run, unless the zoo's run is there."""
    try:
        compiled = compile_job(replace(base, model=model))
    except NpubenchError as refusal:
        failed[model.id] = refusal.message
        return None
    training = list(micro)
    if with_others:
        for name, (_, own) in seen.items():
            training += own if name != model.id else ()
    jobs = sum(1 for engine, _ in set(kernels_of(compiled).values()) if engine == "npu")
    driver = _driver_instructions(seen, model.id)
    made = predict(
        fit(training),
        compiled.network.graph,
        kernels_of(compiled),
        driver_instructions=driver * jobs,
    )
    if made is None:
        failed[model.id] = "nothing was run on one of its engines"
        return None
    ran = seen.get(model.id)
    actual = None if ran is None else infer_cost(ran[0].record)
    error = next((item.error_ratio for item in left_out if item.network == model.id), None)
    others = [item for item in left_out if item.network != model.id]
    unit = "us" if base.board.kind == "physical" and not base.board.is_model else "instructions"
    return Prediction(
        network=model.id,
        target=str(base.target),
        unit=unit,
        predicted=round(made.cpu, 1),
        npu_predicted=round(made.npu, 1),
        error_ratio=median_error(others),
        unseen_ratio=made.unseen_ratio,
        actual=None if actual is None else actual[0],
        npu_actual=None if actual is None else actual[1],
        left_out_ratio=error,
    )


def _driver_instructions(seen: Seen, without: str) -> float:
    """Of one job, the median over the networks that ran."""
    found = []
    for name, (run, _) in seen.items():
        npu = run.record.npu
        jobs = None if npu is None else npu.details.get("jobs")
        if name != without and isinstance(jobs, int) and jobs:
            found.append(overhead_of(run.record) / jobs)
    found.sort()
    return found[len(found) // 2] if found else 0.0
