"""From a request to the points of a sweep: a network and a target each, with a key."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from npubench.bench.job import Job, Settings, resolve_jobs
from npubench.compiler.backends import settle
from npubench.core.errors import NpubenchError, UsageError
from npubench.farm.point import key_of_job
from npubench.sweep.axis import ENGINE, Axis, Value
from npubench.sweep.source import Source
from npubench.target import Options, Place
from npubench.zoo import ResolvedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One network on one target. ``error``: why there is no network, and so no run."""

    values: Mapping[str, Value]
    series: str
    job: Job
    key: str
    error: NpubenchError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for. ``fixed``: parameters of the network that are set and not varied;
    ``options``: of backends, likewise."""

    source: Source
    axes: tuple[Axis, ...]
    boards: tuple[str, ...]
    backends: tuple[str, ...] = ()
    place: Place | None = None
    options: Mapping[str, Options] = field(default_factory=dict)
    settings: Settings

    @property
    def id(self) -> str:
        """The same request has the same id, today and tomorrow."""
        words = [
            self.source.name,
            json.dumps([[axis.name, list(axis.values)] for axis in self.axes]),
            json.dumps([self.boards, self.backends, self.place, sorted(self.options.items())]),
            repr(_asked(self.settings)),
        ]
        return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def points_of(request: Request) -> tuple[Point, ...]:
    """Every point, targets outermost, then the axes in their order. Raises UsageError for a board,
    backend or option that does not exist; what is wrong with one network alone stays in its point.
    """
    points: dict[str, Point] = {}
    own = [axis for axis in request.axes if not axis.of_target]
    networks: dict[tuple[Value, ...], ResolvedModel | NpubenchError] = {}
    for values in itertools.product(*(axis.values for axis in own)):
        named = dict(zip((axis.name for axis in own), values, strict=True))
        try:
            networks[values] = request.source.network(named)
        except NpubenchError as error:
            networks[values] = error
    good = next((made for made in networks.values() if isinstance(made, ResolvedModel)), None)
    if good is None:
        first = next(iter(networks.values()))
        assert isinstance(first, NpubenchError)
        raise first
    for target, series in _targets(request, good):
        for values in itertools.product(*(axis.values for axis in own)):
            made = networks[values]
            network = made if isinstance(made, ResolvedModel) else good
            job = replace(target.job, model=network)
            named = dict(zip((axis.name for axis in own), values, strict=True)) | target.values
            refusal = made if isinstance(made, NpubenchError) else None
            key = (
                key_of_job(job, request.settings) if refusal is None else _failed_key(series, named)
            )
            sweep = {
                "id": request.id,
                "key": key,
                "model": request.source.name,
                "weights": request.source.weights,
                **{f"vary.{name}": value for name, value in named.items()},
            }
            points.setdefault(
                f"{key} {sorted(named.items())}",
                Point(
                    values={axis.name: named[axis.name] for axis in request.axes},
                    series=series,
                    job=replace(job, sweep=tuple(sweep.items())),
                    key=key,
                    error=refusal,
                ),
            )
    return tuple(points.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    job: Job
    values: dict[str, Value]


def _targets(request: Request, network: ResolvedModel) -> list[tuple[_Target, str]]:
    """A job for each board, backend and value of the options that are varied, and its series."""
    engines = next((axis for axis in request.axes if axis.name == ENGINE), None)
    varied = [axis for axis in request.axes if axis.backend is not None]
    backends: Sequence[Sequence[str]] = [request.backends]
    if engines is not None:
        if request.backends:
            raise UsageError("--backend and --vary backend=... exclude each other")
        backends = [(str(value),) for value in engines.values]
    found: list[tuple[_Target, str]] = []
    path = str(network.path)
    used: set[str] = set()
    for names in backends:
        for base in resolve_jobs([path], request.boards, names, place=request.place):
            options = dict(request.options.get(base.backend, ()))
            used.add(base.backend)
            own = [axis for axis in varied if axis.backend == base.backend]
            fixed = settle(base.backend, tuple(sorted(options.items())))
            series = str(replace(base, options=fixed).target)
            for values in itertools.product(*(axis.values for axis in own)):
                chosen = {axis.option: f"{value}" for axis, value in zip(own, values, strict=True)}
                settled = settle(base.backend, tuple(sorted((options | chosen).items())))
                named: dict[str, Value] = {axis.name: "-" for axis in varied}
                named |= {axis.name: value for axis, value in zip(own, values, strict=True)}
                if engines is not None:
                    named[ENGINE] = base.backend
                found.append((_Target(job=replace(base, options=settled), values=named), series))
    for backend in {*request.options, *(axis.backend for axis in varied)}:
        if backend not in used:
            raise UsageError(
                f"{backend} is not run, so that none of its options can be set",
                hint=f"these are: {', '.join(sorted(used))}",
            )
    return found


def _failed_key(series: str, values: Mapping[str, Value]) -> str:
    return hashlib.sha256(f"{series} {sorted(values.items())}".encode()).hexdigest()[:32]


def _asked(settings: Settings) -> tuple[object, ...]:
    """What of the settings changes a number."""
    own = settings.input_path
    return (
        settings.warmups,
        settings.repetitions,
        settings.seed,
        None if own is None else hashlib.sha256(own.read_bytes()).hexdigest(),
        settings.layers,
        settings.power,
    )
