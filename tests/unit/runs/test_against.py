"""A run beside published results: a ratio only where both are times, and all that differs said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from npubench.core.errors import ResultError
from npubench.published import Choice, networks
from npubench.runs.against import against_published, network_of
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

L4R5 = Choice(board="nucleo-l4r5zi", source="mlperf-tiny")


def stored(record: RunRecord) -> StoredRun:
    return StoredRun(path=Path("runs") / record.run_id, record=record)


def with_network(record: RunRecord, sha256: str) -> RunRecord:
    model = record.model.model_copy(update={"network_sha256": sha256})
    return record.model_copy(update={"model": model})


def test_instructions_are_never_set_against_milliseconds(
    make_record: Callable[..., RunRecord],
) -> None:
    view = against_published(stored(make_record()), L4R5)
    assert view.own is None
    assert "no time" in view.reason
    assert view.rows
    assert all(row.ratio_low is None for row in view.rows)


def test_a_measured_time_gives_a_ratio(make_record: Callable[..., Any]) -> None:
    record = make_record(unit="us", evidence="measured", infer=86_373.14, board="nucleo-l4r5zi")
    sha256 = networks()["kws"].sha256
    assert sha256 is not None
    view = against_published(stored(with_network(record, sha256)), L4R5)
    assert view.same_weights
    (row,) = (row for row in view.rows if row.published.result.latency_us == 43186.57)
    assert row.ratio_low is not None
    assert row.ratio_high is not None
    assert row.ratio_low <= 2.0 <= row.ratio_high
    assert not any(text.startswith("board:") for text in row.differs)
    assert any(text.startswith("engine: cpu against") for text in row.differs)


def test_other_weights_are_said(make_record: Callable[..., RunRecord]) -> None:
    view = against_published(stored(make_record()), L4R5)
    assert not view.same_weights
    assert all("other weights" in row.differs[0] for row in view.rows)


def test_a_network_that_nobody_published_is_refused(make_record: Callable[..., RunRecord]) -> None:
    with pytest.raises(ResultError, match="nothing published"):
        against_published(stored(make_record(macs=12345)))


def test_two_networks_of_one_cost_are_told_apart_by_the_zoos_names(
    make_record: Callable[..., Any],
) -> None:
    assert networks()["resnet"].macs == networks()["simplenet"].macs
    for name in ("resnet", "simplenet"):
        record = make_record(model=name, macs=networks()[name].macs)
        assert network_of(record) == (name, False)
    brought = make_record(model="mine", macs=networks()["resnet"].macs)
    assert network_of(brought) is None, "a network of the user's is neither"


def test_a_clock_in_doubt_gives_a_ratio_for_each_reading(make_record: Callable[..., Any]) -> None:
    record = make_record(model="yolo", macs=networks()["yolov1"].macs, unit="us", infer=1800.0)
    view = against_published(stored(record), Choice(source="unpu-bench"))
    assert "same kind" in view.likeness
    doubtful = [row for row in view.rows if row.other_ratio_low is not None]
    assert doubtful
    for row in doubtful:
        assert row.ratio_high is not None
        assert row.other_ratio_high == pytest.approx(4 * row.ratio_high)
        assert any("clock is in doubt" in words for words in row.differs)
    assert any(row.other_ratio_low is None for row in view.rows), "the trace's time is in no doubt"
