"""The store of runs: where they are written and found again."""

from __future__ import annotations

from npubench.runs.reader import Listing, StoredRun, find_run, list_runs, read_run, short_id
from npubench.runs.writer import RunWriter, check_runs_dir, new_run_id

__all__ = [
    "Listing",
    "RunWriter",
    "StoredRun",
    "check_runs_dir",
    "find_run",
    "list_runs",
    "new_run_id",
    "read_run",
    "short_id",
]
