"""Sweeps are kept as one file beside the runs, and read back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.core.errors import ResultError
from npubench.runs.reader import list_runs
from npubench.runs.sweeps import PointRecord, SweepRecord, load_sweeps, read_sweep, write_sweep


def sweep(sweep_id: str, created: str) -> SweepRecord:
    return SweepRecord(
        id=sweep_id,
        model="convs",
        weights="seeded",
        axes={"input": (8, 12)},
        series=("qemu-m4:cpu",),
        complete=False,
        points=(
            PointRecord(
                values={"input": 8}, series="qemu-m4:cpu", target="qemu-m4:cpu", key="k",
                status="ok", unit="instructions", cost=1000, macs=500,
            ),
        ),
        created=created,
    )  # fmt: skip


def test_kept_and_read_back_oldest_first(tmp_path: Path) -> None:
    newer, older = sweep("aa", "2026-02-02T00:00:00Z"), sweep("bb", "2026-01-01T00:00:00Z")
    path = write_sweep(tmp_path, newer)
    write_sweep(tmp_path, older)
    assert read_sweep(path) == newer
    assert load_sweeps(tmp_path) == (older, newer)
    listing = list_runs(tmp_path)
    assert (listing.runs, listing.unreadable) == ((), ())


def test_what_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep-x.json"
    path.write_text("{")
    with pytest.raises(ResultError, match="not JSON"):
        load_sweeps(tmp_path)
    path.write_text("{}")
    with pytest.raises(ResultError, match="not a sweep: id"):
        load_sweeps(tmp_path)
