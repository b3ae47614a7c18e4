"""Runs: stored, found, compared, and as a table.

>>> from npubench.runs import load_runs
>>> frame = load_runs("runs")        # a pandas DataFrame, one row per run and stage

The names below are loaded when first used: importing this package costs neither pandas nor
pyarrow nor scipy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from npubench.runs.compare import Comparison, compare_runs
    from npubench.runs.frame import load_runs
    from npubench.runs.samples import read_samples
    from npubench.runs.schema import RunRecord
    from npubench.runs.store import Listing, StoredRun, find_run, list_runs, read_run

_HOME = {
    "Comparison": "compare",
    "compare_runs": "compare",
    "load_runs": "frame",
    "read_samples": "samples",
    "RunRecord": "schema",
    "Listing": "store",
    "StoredRun": "store",
    "find_run": "store",
    "list_runs": "store",
    "read_run": "store",
}
__all__ = [
    "Comparison",
    "Listing",
    "RunRecord",
    "StoredRun",
    "compare_runs",
    "find_run",
    "list_runs",
    "load_runs",
    "read_run",
    "read_samples",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
