"""A folder of runs as a pandas DataFrame, for notebooks and scripts."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npubench.core.errors import ResultError
from npubench.core.evidence import Evidence
from npubench.runs.energy_record import EnergyRecord
from npubench.runs.reader import StoredRun, list_runs
from npubench.runs.schema import StageRecord

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

UNITS = ("instructions", "cycles", "us", "us_modelled")
_STATISTICS = ("median", "min", "max", "mad", "ci95_low", "ci95_high")
_MEMORY = (
    "flash_bytes",
    "ram_bytes",
    "arena_bytes",
    "weights_bytes",
    "kernels_bytes",
    "harness_flash_bytes",
    "harness_ram_bytes",
    "fixture_bytes",
    "stack_bytes",
    "data_bytes",
    "scratch_bytes",
    "baseline_flash_bytes",
    "baseline_ram_bytes",
)
_TEXT = (
    "run_id",
    "run_dir",
    "created",
    "status",
    "run_evidence",
    "target",
    "board",
    "board_kind",
    "backend",
    "place",
    "model",
    "network_sha256",
    "artifact_sha256",
    "golden_status",
    "golden_reference",
    "error",
    "stage",
    "unit",
    "evidence",
    "reason",
    "energy_verdict",
    "energy_evidence",
)
_WHOLE = (
    "stage_contract",
    "macs_count",
    "parameters_count",
    "golden_tensors_count",
    "golden_mismatches_count",
    "n_count",
    "outliers_count",
    "cpu_instructions",
    "npu_cycles",
    "energy_repeats_count",
    *_MEMORY,
)
_ENERGY = (
    "gross_uj",
    "gross_low_uj",
    "gross_high_uj",
    "net_uj",
    "net_low_uj",
    "net_high_uj",
    "mean_uw",
    "peak_uw",
)
_REAL = (
    *(f"{statistic}_{unit}" for unit in UNITS for statistic in _STATISTICS),
    "low_us_modelled",
    "high_us_modelled",
    "per_mac_instructions",
    "per_mac_cycles",
    *(f"energy_{name}" for name in _ENERGY),
    "energy_idle_uw",
)


def load_runs(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Load a folder of runs (or one run folder): one row per run and stage, oldest run first.

    A run without stages (it failed before any was counted) is one row whose ``stage`` is missing,
    so that no failure disappears; filter on ``status == "ok"`` before comparing numbers. Broken
    folders are logged and left out. Raises ResultError when ``path`` does not exist.

    Columns:

    - the run: ``run_id``, ``run_dir``, ``created`` (UTC, ISO 8601), ``status``, ``error``,
      ``run_evidence`` (weakest of the timing stages), ``stage_contract``
    - the target: ``target`` (its text), ``board``, ``board_kind``, ``backend``, ``place``
    - the network: ``model``, ``network_sha256``, ``artifact_sha256``, ``macs_count``,
      ``parameters_count``
    - correctness: ``golden_status``, ``golden_reference``, ``golden_tensors_count``,
      ``golden_mismatches_count``
    - the stage: ``stage``, ``unit``, ``evidence``, ``reason``, ``n_count``, ``outliers_count``,
      ``deterministic``, and ``median_``, ``min_``, ``max_``, ``mad_``, ``ci95_low_``,
      ``ci95_high_`` each followed by the unit: ``instructions``, ``cycles``, ``us`` or
      ``us_modelled``. Only the columns of the row's own unit are filled: different units are never
      in one column. ``low_us_modelled``/``high_us_modelled`` bound a modelled time;
      ``median_cycles`` is also filled where ``us`` came from cycles
    - ``cpu_instructions`` (counted) and ``npu_cycles`` (modelled) of a stage that uses an NPU
    - ``per_mac_instructions``, ``per_mac_cycles``: median per MAC of the network, ``infer`` only
    - energy of one repetition of the stage: ``energy_gross_uj`` with ``energy_gross_low_uj`` and
      ``energy_gross_high_uj`` (k = 2), the same net of idle as ``energy_net_uj``,
      ``energy_net_low_uj`` and ``energy_net_high_uj``; ``energy_mean_uw``, ``energy_peak_uw``,
      ``energy_repeats_count``; ``energy_verdict``, ``energy_evidence`` and ``energy_idle_uw`` of
      the run; figures of a refused capture are left out
    - memory, bytes, the same on every row of a run: ``flash_bytes``, ``ram_bytes``,
      ``arena_bytes``, ``weights_bytes``, ``kernels_bytes``, ``harness_flash_bytes``,
      ``harness_ram_bytes``, ``fixture_bytes``, ``stack_bytes``, ``data_bytes``,
      ``scratch_bytes``, ``baseline_flash_bytes``, ``baseline_ram_bytes``

    Text columns are ``string``, counts and bytes ``Int64``, statistics ``Float64``,
    ``deterministic`` ``boolean``; what is not known is ``NA``.
    """
    import pandas as pd

    folder = Path(path)
    if not folder.exists():
        raise ResultError(
            f"{folder}: there is no such folder", hint="npubench bench kws makes ./runs"
        )
    listing = list_runs(folder)
    for broken, why in listing.unreadable:
        log.warning("%s is left out: %s", broken, why)
    rows = [row for run in listing.runs for row in _rows(run)]
    columns: dict[str, Any] = {}
    kinds: tuple[tuple[tuple[str, ...], Any], ...] = (
        (_TEXT, "string"),
        (_WHOLE, "Int64"),
        (_REAL, "Float64"),
        (("deterministic",), "boolean"),
    )
    for names, dtype in kinds:
        for name in names:
            columns[name] = pd.array([row.get(name, pd.NA) for row in rows], dtype=dtype)
    return pd.DataFrame(columns)


def _rows(run: StoredRun) -> list[dict[str, Any]]:
    record = run.record
    base: dict[str, Any] = {
        "run_id": record.run_id,
        "run_dir": str(run.path.resolve()),
        "created": record.created,
        "status": record.status,
        "run_evidence": str(record.evidence),
        "stage_contract": record.stage_contract,
        "target": record.target,
        "board": record.board,
        "board_kind": record.board_kind,
        "backend": record.backend,
        "place": str(record.place),
        "model": record.model.name,
        "network_sha256": record.model.network_sha256,
        "artifact_sha256": record.model.artifact_sha256,
        "macs_count": record.model.macs,
        "parameters_count": record.model.parameters,
        "golden_status": record.golden.status,
        "golden_reference": record.golden.reference,
        "golden_tensors_count": record.golden.tensors,
        "golden_mismatches_count": record.golden.mismatches,
    }
    if record.error is not None:
        base["error"] = record.error.message
    if record.memory is not None:
        base |= _known({name: getattr(record.memory, name) for name in _MEMORY})
    energy = record.energy
    if energy is not None:
        base |= {"energy_verdict": energy.verdict, "energy_evidence": str(energy.evidence)}
        if energy.idle_uw is not None and energy.verdict != "refused":
            base["energy_idle_uw"] = energy.idle_uw
    if not record.stages:
        return [base]
    return [
        base
        | _stage_columns(name, stage, record.model.macs or 0)
        | _energy_columns(name, record.energy)
        for name, stage in record.stages.items()
    ]


def _energy_columns(name: str, energy: EnergyRecord | None) -> dict[str, Any]:
    stage = None if energy is None or energy.verdict == "refused" else energy.stages.get(name)
    if stage is None:
        return {}
    columns = {f"energy_{field}": getattr(stage, field) for field in _ENERGY}
    return _known({**columns, "energy_repeats_count": stage.repeats})


def _stage_columns(name: str, stage: StageRecord, macs: int) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "stage": name,
        "unit": stage.unit,
        "evidence": str(stage.evidence),
        "reason": stage.reason,
        "n_count": stage.n,
        "outliers_count": stage.outliers,
        "deterministic": stage.deterministic,
        "cpu_instructions": stage.cpu_instructions,
        "npu_cycles": stage.npu_cycles,
        "median_cycles": stage.cycles_median,
    }
    if stage.evidence is not Evidence.UNAVAILABLE:
        columns |= {
            f"{statistic}_{stage.unit}": getattr(stage, statistic) for statistic in _STATISTICS
        }
    if stage.unit == "us_modelled":
        columns |= {"low_us_modelled": stage.low, "high_us_modelled": stage.high}
    if name == "infer" and macs:
        for unit in ("instructions", "cycles"):
            median = columns.get(f"median_{unit}")
            if median is not None:
                columns[f"per_mac_{unit}"] = median / macs
    return _known(columns)


def _known(columns: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if value is not None}
