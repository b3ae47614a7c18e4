"""A sweep as it is kept: its points, the laws that fit them, the steps that do not.

One JSON file beside the runs, ``sweep-<id>.json``; each point that ran names its run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npubench.core.errors import ResultError
from npubench.core.evidence import Evidence
from npubench.runs.schema import FindingRecord, Number, Scalar
from npubench.runs.staging import storage

SWEEP_SCHEMA: Literal[1] = 1
PREFIX = "sweep-"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class PointRecord(_Part):
    """One network on one target. ``series``: the target without what is varied of it.

    ``cost`` is the median of ``infer`` in ``unit``; None with the ``reason`` where there is none.
    ``moved_bytes``: weights, inputs and outputs of all layers, each once.
    """

    values: dict[str, Scalar]
    series: str
    target: str
    key: str
    status: Literal["ok", "failed"]
    reason: str | None = None
    run_id: str | None = None
    unit: str | None = None
    evidence: Evidence = Evidence.UNAVAILABLE
    cost: Number | None = None
    cost_low: Number | None = None
    cost_high: Number | None = None
    cpu_instructions: int | None = None
    npu_cycles: int | None = None
    energy_uj: Number | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    arena_bytes: int | None = None
    macs: int | None = None
    moved_bytes: int | None = None
    utilization_ratio: float | None = None
    accuracy: dict[str, float] = Field(default_factory=dict)


class TermRecord(_Part):
    """One coefficient of a law with its 95 % interval. ``per``: what it is multiplied with."""

    per: str
    value: float
    low: float
    high: float


class LawRecord(_Part):
    """The law that explains a metric of one series best. ``form``: ``macs``, ``bytes``,
    ``macs+bytes``, ``size``, ``size2`` (sums of terms) or ``power`` (of the axis ``size``).

    ``aicc``: of every form that was tried, lower is better; ``error_pct``: the law's typical
    distance from a point; ``steps_excluded``: level changes that were fitted beside it.
    """

    series: str
    metric: str
    unit: str
    form: str
    axis: str | None = None
    text: str
    terms: tuple[TermRecord, ...]
    points: int
    error_pct: float
    aicc: dict[str, float]
    steps_excluded: int = 0


class StepRecord(_Part):
    """Where cost leaves its law: between two neighbouring values of ``axis``.

    ``text``: the finding `sweep.step` in words. ``change_ratio``: how much of the cost is beyond
    the law, 0.1 for a tenth more; ``layer``: where most of it lies, ``layer_share`` of it;
    ``cause``: what the two records differ in there.
    """

    series: str
    metric: str
    axis: str
    before: Scalar
    after: Scalar
    fixed: dict[str, Scalar] = Field(default_factory=dict)
    change_ratio: float
    layer: int | None = None
    layer_name: str | None = None
    layer_op: str | None = None
    layer_share: float | None = None
    cause: str | None = None
    text: str = ""
    runs: tuple[str, ...] = ()


class SweepRecord(_Part):
    """A whole sweep. ``findings``: what is said about it, its steps among them. ``axes``: what was
    varied, with all values; ``weights``: ``seeded`` where the networks were made for their cost
    alone.
    """

    schema_version: Literal[1] = SWEEP_SCHEMA
    id: str
    model: str
    weights: Literal["seeded", "own"] = "own"
    axes: dict[str, tuple[Scalar, ...]]
    series: tuple[str, ...]
    complete: bool
    points: tuple[PointRecord, ...]
    laws: tuple[LawRecord, ...] = ()
    findings: tuple[FindingRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    created: str
    command: tuple[str, ...] = ()


def sweep_path(runs_dir: Path, sweep_id: str) -> Path:
    """Where a sweep is kept."""
    return runs_dir / f"{PREFIX}{sweep_id}.json"


def write_sweep(runs_dir: Path, sweep: SweepRecord) -> Path:
    """Keep a sweep in one rename. Raises StorageError."""
    path = sweep_path(runs_dir, sweep.id)
    with storage(runs_dir):
        runs_dir.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        document = sweep.model_dump(mode="json")
        fresh.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        fresh.replace(path)
    return path


def read_sweep(path: Path) -> SweepRecord:
    """One kept sweep. Raises ResultError."""
    try:
        return SweepRecord.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultError(f"{path}: not a sweep: {where}: {first['msg']}") from error
    except ValueError as error:
        raise ResultError(f"{path}: not JSON: {error}") from error


def load_sweeps(runs_dir: Path) -> tuple[SweepRecord, ...]:
    """Every sweep of a runs folder, oldest first. Raises ResultError for one that is broken."""
    found = [read_sweep(path) for path in sorted(runs_dir.glob(f"{PREFIX}*.json"))]
    return tuple(sorted(found, key=lambda sweep: (sweep.created, sweep.id)))
