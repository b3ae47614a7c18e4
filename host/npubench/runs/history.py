"""A metric over the runs of a folder, by network and target: its values, and where they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from npubench.core.errors import ResultError
from npubench.core.evidence import Evidence
from npubench.runs.gate import Key, metric_value, pair_key, pair_title
from npubench.runs.policy import check_metric
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun
from npubench.stats.changes import changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run. ``version``: npubench's version, with the git state it ran from."""

    run_id: str
    created: str
    value: float
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryChange:
    """The level changes with this run; ``growth`` = after / before - 1."""

    run_id: str
    before: float
    after: float
    growth: float
    p_value: float | None
    version_before: str
    version_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One network on one target, oldest first."""

    target: str
    unit: str
    evidence: Evidence
    points: tuple[Point, ...]
    changes: tuple[HistoryChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A metric over time. ``left_out``: runs without it."""

    metric: str
    series: tuple[Series, ...]
    left_out: int

    def document(self) -> dict[str, Any]:
        """The history as JSON values."""
        return {
            "metric": self.metric,
            "series": [asdict(series) for series in self.series],
            "left_out": self.left_out,
        }


def history(runs: Sequence[StoredRun], metric: str) -> History:
    """The history of ``metric`` (as in a gate) over runs that are ok.

    Raises UsageError for an unknown metric, ResultError when no run has it.
    """
    check_metric(metric)
    grouped: dict[tuple[Key, str, Evidence], list[StoredRun]] = {}
    left_out = 0
    for run in sorted(runs, key=lambda run: run.record.run_id):
        value, unit = metric_value(run.record, metric)
        if value is None or run.record.status != "ok":
            left_out += 1
            continue
        key = (pair_key(run.record), unit, _evidence(run.record, metric))
        grouped.setdefault(key, []).append(run)
    if not grouped:
        raise ResultError(f"none of {len(runs)} runs has {metric}")
    return History(
        metric=metric,
        series=tuple(
            _series(key, unit, evidence, items, metric)
            for (key, unit, evidence), items in sorted(
                grouped.items(), key=lambda item: (pair_title(item[0][0]), item[0][1])
            )
        ),
        left_out=left_out,
    )


def _series(
    key: Key, unit: str, evidence: Evidence, runs: Sequence[StoredRun], metric: str
) -> Series:
    points = []
    for run in runs:
        value, _ = metric_value(run.record, metric)
        assert value is not None
        points.append(
            Point(
                run_id=run.record.run_id,
                created=run.record.created,
                value=value,
                version=_version(run.record),
            )
        )
    found = changes([point.value for point in points], exact=evidence is not Evidence.MEASURED)
    return Series(
        target=pair_title(key),
        unit=unit,
        evidence=evidence,
        points=tuple(points),
        changes=tuple(
            HistoryChange(
                run_id=points[change.index].run_id,
                before=change.before,
                after=change.after,
                growth=change.after / change.before - 1 if change.before else float("inf"),
                p_value=change.p_value,
                version_before=points[change.index - 1].version,
                version_after=points[change.index].version,
            )
            for change in found
        ),
    )


def _version(record: RunRecord) -> str:
    environment = record.environment
    return environment.npubench + (f" ({environment.git})" if environment.git else "")


def _evidence(record: RunRecord, metric: str) -> Evidence:
    if metric.startswith("energy."):
        return Evidence.UNAVAILABLE if record.energy is None else record.energy.evidence
    stage = record.stages.get(metric)
    return Evidence.STATIC if stage is None else stage.evidence
