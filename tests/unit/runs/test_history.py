"""A history tells where a metric changed, with the run and the versions, and mixes no targets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from npubench.core.errors import ResultError, UsageError
from npubench.runs.history import history
from npubench.runs.store import StoredRun

MakeStored = Callable[..., StoredRun]


def test_a_change_is_told_with_its_run(make_stored: MakeStored) -> None:
    runs = [make_stored(infer=value, second=i) for i, value in enumerate((100, 100, 120, 120))]
    (series,) = history(runs, "infer").series
    (change,) = series.changes
    assert change.run_id == runs[2].record.run_id
    assert change.growth == pytest.approx(0.2)
    assert len(series.points) == 4


def test_targets_networks_and_units_are_kept_apart(make_stored: MakeStored) -> None:
    runs = [
        make_stored(second=1),
        make_stored(board="qemu-m7", second=2),
        make_stored(network="other", second=3),
        make_stored(unit="us", evidence="measured", second=4),
    ]
    found = history(runs, "infer")
    assert len(found.series) == 4
    assert not any(series.changes for series in found.series)


def test_failed_runs_are_left_out_and_counted(make_stored: MakeStored) -> None:
    found = history([make_stored(second=1), make_stored(status="failed", second=2)], "infer")
    assert found.left_out == 1
    with pytest.raises(ResultError):
        history([make_stored(status="failed")], "infer")
    with pytest.raises(UsageError):
        history([make_stored()], "speed")
