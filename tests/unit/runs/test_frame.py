"""Runs as a DataFrame: a row per run and stage, units never in one column, no failure lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import npubench.runs
from npubench.core.errors import ResultError
from npubench.runs import load_runs
from npubench.runs.schema import RunRecord
from npubench.runs.store import RunWriter

Make = Callable[..., RunRecord]


@pytest.fixture
def runs_dir(tmp_path: Path, make_record: Make) -> Path:
    records = (
        make_record(second=1),
        make_record(second=2, board="qemu-m55", status="failed"),
        make_record(
            second=3,
            board="board-a",
            unit="us",
            evidence="measured",
            infer=181_923.5,
            n=20,
            deterministic=False,
        ),
        make_record(
            second=4,
            board="qemu-m55-u55",
            backend="ethos-u",
            unit="us_modelled",
            evidence="modelled",
            infer=2_100.5,
            low=1_700.0,
            high=2_900.0,
        ),
    )
    for record in records:
        with RunWriter(tmp_path / "runs", record.run_id) as run:
            run.finish(record)
    return tmp_path / "runs"


def test_one_row_per_run_and_stage(runs_dir: Path) -> None:
    frame = load_runs(runs_dir)
    ok = frame[frame.status == "ok"]
    assert len(ok) == 3 * 7
    assert not ok.duplicated(["run_id", "stage"]).any()
    infer = ok[(ok.board == "qemu-m4") & (ok.stage == "infer")].iloc[0]
    assert infer["median_instructions"] == 43_039_868
    assert infer["min_instructions"] == 43_039_868
    assert infer["n_count"] == 2
    assert infer["flash_bytes"] == 52_400
    assert infer["per_mac_instructions"] == pytest.approx(16.2, abs=0.01)


def test_a_unit_has_columns_of_its_own(runs_dir: Path) -> None:
    frame = load_runs(runs_dir).dropna(subset=["stage"])
    for unit in ("instructions", "us", "us_modelled"):
        column = frame[f"median_{unit}"]
        assert column.notna().any()
        assert (frame.unit[column.notna()] == unit).all()
    modelled = frame[(frame.unit == "us_modelled") & (frame.stage == "infer")].iloc[0]
    assert (modelled["low_us_modelled"], modelled["high_us_modelled"]) == (1_700, 2_900)


def test_a_run_without_stages_is_a_row_without_a_stage(runs_dir: Path) -> None:
    frame = load_runs(runs_dir)
    failed = frame[frame.status == "failed"]
    assert len(failed) == 1
    assert failed.stage.isna().all()
    assert "no answer" in failed.iloc[0]["error"]


def test_every_column_is_documented_and_typed(runs_dir: Path) -> None:
    frame = load_runs(runs_dir)
    documented = load_runs.__doc__ or ""
    units = ("instructions", "cycles", "us_modelled", "us")
    for column in frame.columns:
        stems = [column.removesuffix(unit) for unit in units if column.endswith(f"_{unit}")]
        assert any(f"``{name}``" in documented for name in [column, *stems]), column
    assert str(frame.n_count.dtype) == "Int64"
    assert str(frame.median_instructions.dtype) == "Float64"
    assert str(frame.deterministic.dtype) == "boolean"


def test_one_run_folder_and_an_empty_folder_load(runs_dir: Path, tmp_path: Path) -> None:
    one = sorted(runs_dir.iterdir())[0]
    assert set(load_runs(str(one)).run_id) == {one.name}
    (tmp_path / "empty").mkdir()
    empty = load_runs(tmp_path / "empty")
    assert len(empty) == 0
    assert "median_instructions" in empty.columns


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no such folder"):
        load_runs(tmp_path / "absent")


def test_a_broken_run_is_logged_and_left_out(
    runs_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (runs_dir / "broken").mkdir()
    assert "broken" not in set(load_runs(runs_dir).run_id)
    assert "broken is left out" in caplog.text


def test_the_package_offers_what_it_lists() -> None:
    for name in npubench.runs.__all__:
        assert getattr(npubench.runs, name) is not None
    with pytest.raises(AttributeError):
        _ = npubench.runs.nothing
