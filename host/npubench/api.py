"""The front door for Python: analyze, build, bench, compare, load_runs, sweep and its kin.

>>> from npubench import api
>>> outcome = api.bench(["kws"], boards=["qemu-m4"], runs_dir="runs")

Stable by SemVer, with the types named in ``__all__``. Nothing here prints, changes folder or
handles signals; progress goes to the reporter that the caller gives; errors are those of
``npubench.core.errors``. Ctrl-C raises Interrupted, which holds the runs that were finished.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npubench.bench.inspect import Inspection, inspect_brought, inspect_model
from npubench.bench.job import Job, Sampling, Settings, at_speed, default_jobs, resolve_jobs
from npubench.bench.matrix import Interrupted, Outcome, run_matrix
from npubench.bench.prepare import BuiltImage, build_to
from npubench.compiler.compiled import Compiled, Network
from npubench.core.errors import CompileError, NpubenchError, ToolMissing, UsageError
from npubench.core.progress import Event, Reporter, Silent
from npubench.micro.run import MicroResult
from npubench.runs.compare import Comparison, compare_runs
from npubench.runs.compare_energy import RATES_PER_SECOND
from npubench.runs.reader import StoredRun, find_run, with_earlier
from npubench.runs.sweeps import SweepRecord
from npubench.sweep.limit import Limit
from npubench.sweep.run import SweepOutcome
from npubench.target import Place, Target, parse_settings

if TYPE_CHECKING:
    import pandas as pd

    from npubench.farm.executor import Executor

__all__ = [
    "BuiltImage",
    "Comparison",
    "Compiled",
    "Event",
    "Inspection",
    "Interrupted",
    "Limit",
    "MicroResult",
    "Network",
    "Outcome",
    "Place",
    "Reporter",
    "Sampling",
    "Settings",
    "StoredRun",
    "SweepOutcome",
    "SweepRecord",
    "Target",
    "analyze",
    "bench",
    "build",
    "compare",
    "load_runs",
    "micro",
    "sweep",
    "where_it_breaks",
]

AnyPath = str | os.PathLike[str]


def analyze(
    model: AnyPath,
    *,
    board: str | None = None,
    backend: str | None = None,
    options: Iterable[str] = (),
    costs: bool = False,
    on_model: bool = False,
) -> Inspection:
    """What a network needs, without running it; with a board, its plan there as well.

    ``model``: a zoo id or the path of a .tflite. ``options``: as `ethos-u.optimise=Size`.
    ``costs``: what each option of the NPU's compiler costs. ``on_model``: a physical board as its
    model plays it. A network that does not run is looked at all the same: the inspection's
    ``error`` says why, ``missing`` lists every operator. Raises UsageError, and ModelFormatError
    for what is no network at all.
    """
    if board is not None:
        try:
            place = Place.MODEL if on_model else None
            job = _one(model, board, backend, options, place=place)
        except (CompileError, ToolMissing) as error:
            return inspect_brought(os.fspath(model), error)
        return inspect_model(os.fspath(model), job, costs=costs)
    if costs:
        raise UsageError("the costs of options need a board", hint="name one with an NPU")
    if backend is not None or list(options):
        raise UsageError("a backend needs a board", hint="name one")
    return inspect_model(os.fspath(model), None)


def build(
    model: AnyPath,
    *,
    board: str,
    backend: str | None = None,
    options: Iterable[str] = (),
    mlperf: str | None = None,
    baud: int | None = None,
    output: AnyPath | None = None,
    progress: Reporter | None = None,
) -> BuiltImage:
    """Emit and build the firmware of a network for a board; ``output``: a folder to copy it to.

    ``mlperf``: the benchmark of MLPerf Tiny whose form of uploads and results it takes. ``baud``:
    the console's speed instead of the board's.
    Raises CompileError, ToolError, StorageError, UsageError.
    """
    job = at_speed(_one(model, board, backend, options, mlperf=mlperf), baud)
    return build_to(job, None if output is None else Path(output), progress or Silent())


def bench(
    models: Sequence[AnyPath],
    *,
    boards: Sequence[str] = (),
    backends: Sequence[str] = (),
    options: Iterable[str] = (),
    place: Place | None = None,
    mlperf: str | None = None,
    wishes: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    runs_dir: AnyPath = "runs",
    report: AnyPath | None = None,
    progress: Reporter | None = None,
    at: str | None = None,
    coordinator: str | None = None,
    on: str | None = None,
    insecure: bool = False,
    resume: bool = False,
) -> Outcome:
    """Run every model on every target, keep the runs, and write the report where one is named.

    ``boards`` empty: the default ones. ``backends`` empty: each board's own. ``place``: physical
    boards on their models, or the vendors' simulators. ``wishes``: how float networks are imported,
    by field of ``compiler.importers.wishes.Wishes``. A run that fails is stored as failed; the
    outcome's ``error`` is why runs, or the report, could not be stored.

    ``at``: the place of a lab that the board hangs on (labgrid), or ``any`` free one that has it;
    ``coordinator``: HOST:PORT, else that of ``LG_COORDINATOR`` or of bench.toml's ``[lab]``. The
    settings' ``probe_serial`` tells boards of one kind apart.
    ``on``: where it is done: ``local:N`` processes here, or the workers of ``dask://HOST:PORT``
    (``insecure``: over a network without TLS). ``resume``: what is stored of the same network,
    target, settings and tools is not done again there.

    Raises UsageError, ConfigError and, when no network can be compiled at all, CompileError before
    anything is run; Interrupted on Ctrl-C, with the outcome so far.
    """
    from npubench.bench.energy import check_power, with_power
    from npubench.bench.flashing import require_boards
    from npubench.bench.part_cycles import part_of

    progress = progress or Silent()
    how = settings or Settings()
    names = [os.fspath(model) for model in models]
    chosen = parse_settings(options)
    if boards:
        jobs = resolve_jobs(
            names,
            boards,
            backends,
            place=place,
            settings=chosen,
            mlperf=mlperf,
            said=wishes,
            reporter=progress,
        )
    elif place is not None and place is not Place.MODEL:
        raise UsageError(f"the place {place} needs a board", hint="name one with --board")
    else:
        jobs = default_jobs(
            names, backends, settings=chosen, mlperf=mlperf, said=wishes, reporter=progress
        )
        jobs, without = with_power(jobs, how)
        for name in without:
            text = "it has no virtual power: it is left out"
            progress.event(Event(job=name, step="power", state="note", detail=text))
    jobs = tuple(at_speed(job, how.baud) for job in jobs)
    if at is not None:
        if on is not None or not boards:
            raise UsageError(
                "a place needs --board, and is not used with --on", hint="leave --on out"
            )
    else:
        check_power([job.board for job in jobs], how)
    if on is None and at is None:
        require_boards(jobs, how)
    for job in jobs:
        part_of(job, how)
    if at is not None:
        from npubench.lab.description import lab_description
        from npubench.lab.matrix import run_matrix_at

        outcome = run_matrix_at(
            at,
            jobs,
            how,
            lab=lab_description(coordinator),
            runs_dir=Path(runs_dir),
            reporter=progress,
        )
    elif on is None:
        outcome = run_matrix(jobs, how, runs_dir=Path(runs_dir), reporter=progress)
    else:
        from npubench.farm.address import executor_of
        from npubench.farm.matrix import run_matrix_on

        outcome = run_matrix_on(
            executor_of(on, insecure=insecure),
            jobs,
            how,
            runs_dir=Path(runs_dir),
            reporter=progress,
            resume=resume,
        )
    return outcome if report is None else _reported(outcome, Path(report), Path(runs_dir))


def compare(
    a: StoredRun | AnyPath,
    b: StoredRun | AnyPath,
    *,
    runs_dir: AnyPath = "runs",
    mix_evidence: bool = False,
    rates_per_second: Sequence[float] = (),
) -> Comparison:
    """Run b against run a: each is a run, its id or the start of it, its path, or ``latest``.

    Raises ResultError when there is no such run, or the two cannot be compared.
    """
    return compare_runs(
        _run(a, runs_dir),
        _run(b, runs_dir),
        allow_mixed=mix_evidence,
        rates_per_second=tuple(rates_per_second) or RATES_PER_SECOND,
    )


def load_runs(runs_dir: AnyPath = "runs") -> pd.DataFrame:
    """Stored runs as a DataFrame, one row for each run and stage. Raises ResultError."""
    from npubench.runs.frame import load_runs as load

    return load(Path(runs_dir))


def sweep(
    model: AnyPath,
    *,
    vary: Iterable[str],
    boards: Sequence[str] = (),
    backends: Sequence[str] = (),
    options: Iterable[str] = (),
    place: Place | None = None,
    settings: Settings | None = None,
    runs_dir: AnyPath = "runs",
    workers: int | None = None,
    progress: Reporter | None = None,
    on: str | None = None,
    insecure: bool = False,
) -> SweepOutcome:
    """Vary a network's size or a target's settings: points, laws and steps (docs/sweeps.md).

    ``model``: a family, ``file.py:build``, or any model when ``vary`` names options of targets
    alone. ``vary``: as `input=32:96:16`. What the runs folder has already is not run again. On
    Ctrl-C the outcome holds what was finished, and says so. ``on`` and ``insecure``: as for bench.
    Raises UsageError before anything is run.
    """
    from npubench.sweep.run import request_of, run_sweep

    reporter = progress or Silent()
    request = request_of(
        model,
        vary,
        boards=boards,
        backends=backends,
        options=parse_settings(options),
        place=place,
        settings=settings,
        reporter=reporter,
    )
    return run_sweep(
        request,
        runs_dir=Path(runs_dir),
        reporter=reporter,
        workers=workers,
        executor=_executor(on, insecure=insecure),
    )


def where_it_breaks(
    model: AnyPath,
    *,
    vary: Iterable[str],
    budgets: Mapping[str, str] | None = None,
    boards: Sequence[str] = (),
    backends: Sequence[str] = (),
    options: Iterable[str] = (),
    place: Place | None = None,
    settings: Settings | None = None,
    runs_dir: AnyPath = "runs",
    progress: Reporter | None = None,
) -> tuple[Limit, ...]:
    """The largest value of one axis that fits and meets the budgets, for each target, and what
    stops the next one. ``budgets``: `latency`, `ram`, `flash`, `energy` as text with a unit.

    Raises UsageError before anything is run.
    """
    from npubench.sweep.limit import find_limits
    from npubench.sweep.run import request_of

    reporter = progress or Silent()
    request = request_of(
        model,
        vary,
        boards=boards,
        backends=backends,
        options=parse_settings(options),
        place=place,
        settings=settings,
        reporter=reporter,
    )
    return find_limits(request, budgets or {}, runs_dir=Path(runs_dir), reporter=reporter)


def micro(
    *,
    boards: Sequence[str],
    backends: Sequence[str] = (),
    options: Iterable[str] = (),
    place: Place | None = None,
    predict: Iterable[AnyPath] = (),
    networks: Sequence[str] | None = None,
    settings: Settings | None = None,
    runs_dir: AnyPath = "runs",
    progress: Reporter | None = None,
    on: str | None = None,
    insecure: bool = False,
) -> tuple[MicroResult, ...]:
    """The fixed suite of operator shapes on each target; networks predicted from it, with the
    error that leaving each network out gives (docs/sweeps.md).

    ``networks``: those that run for the error, by default the zoo. ``on`` and ``insecure``: as for
    bench. Raises UsageError before
    anything is run, ResultError where the suite does not run on a target.
    """
    from npubench.micro.run import run_micro

    return run_micro(
        boards,
        backends=backends,
        options=parse_settings(options),
        place=place,
        models=[os.fspath(model) for model in predict],
        networks=networks,
        settings=settings or Settings(),
        runs_dir=Path(runs_dir),
        reporter=progress or Silent(),
        executor=_executor(on, insecure=insecure),
    )


def _executor(on: str | None, *, insecure: bool) -> Executor | None:
    if on is None:
        return None
    from npubench.farm.address import executor_of

    return executor_of(on, insecure=insecure)


def _one(
    model: AnyPath,
    board: str,
    backend: str | None,
    options: Iterable[str],
    *,
    place: Place | None = None,
    mlperf: str | None = None,
) -> Job:
    (job,) = resolve_jobs(
        [os.fspath(model)],
        [board],
        [backend] if backend else [],
        place=place,
        settings=parse_settings(options),
        mlperf=mlperf,
    )
    return job


def _run(run: StoredRun | AnyPath, runs_dir: AnyPath) -> StoredRun:
    return run if isinstance(run, StoredRun) else find_run(Path(runs_dir), os.fspath(run))


def _reported(outcome: Outcome, path: Path, runs_dir: Path) -> Outcome:
    """The outcome with its report, which never forgets: it shows all that the folder held before,
    too. The runs are stored, so an error of the report is kept."""
    from npubench.report.html import write_report

    try:
        shown = with_earlier(outcome.stored, runs_dir)
        earlier_count = len(shown) - len(outcome.stored)
        return replace(outcome, report=write_report(shown, path), earlier_count=earlier_count)
    except NpubenchError as error:
        return replace(outcome, error=outcome.error or error)
