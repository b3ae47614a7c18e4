"""Summaries: exact, with an interval only where the data carries one, nothing dropped."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npubench.stats.summary import (
    MIN_FOR_INTERVAL,
    bootstrap_medians,
    outlier_positions,
    summarize,
)

counts = st.lists(st.integers(min_value=0, max_value=2**50), min_size=1, max_size=60)


@given(counts)
def test_whole_values_are_summarised_exactly(values: list[int]) -> None:
    summary = summarize(values)
    assert summary.n == len(values)
    assert (summary.min, summary.max) == (min(values), max(values))
    assert summary.median == statistics.median(values)
    assert isinstance(summary.min, int)
    assert isinstance(summary.max, int)
    if len(values) % 2:
        assert isinstance(summary.median, int)


@given(counts)
def test_the_interval_lies_in_the_data_and_holds_the_median(values: list[int]) -> None:
    summary = summarize(values)
    if summary.ci95_low is None or summary.ci95_high is None:
        assert summary.deterministic or len(values) < MIN_FOR_INTERVAL
        return
    assert summary.min <= summary.ci95_low <= summary.median <= summary.ci95_high <= summary.max


def test_zero_spread_is_deterministic_and_has_no_interval() -> None:
    summary = summarize([43_039_868] * 20)
    assert summary.deterministic is True
    assert summary.mad == 0
    assert summary.ci95_low is None
    assert summary.outliers == ()


def test_one_value_cannot_show_that_it_repeats() -> None:
    assert summarize([7]).deterministic is None
    assert summarize([7, 7]).deterministic is True
    assert summarize([7, 8]).deterministic is False


def test_few_values_carry_no_interval() -> None:
    assert summarize([1, 2, 3, 4, 5]).ci95_low is None
    assert summarize([1, 2, 3, 4, 5, 6]).ci95_low is not None


def test_the_same_data_gives_the_same_interval() -> None:
    values = [float(value) for value in np.random.default_rng(1).normal(100, 5, size=40)]
    assert summarize(values) == summarize(values)


@pytest.mark.parametrize("n", [6, 15, 40])
def test_the_bootstrap_is_the_plain_one(n: int) -> None:
    """Drawing order statistics equals resampling the values themselves: same distribution."""
    generator = np.random.default_rng(2)
    values = np.sort(generator.normal(1000, 30, size=n))
    plain = np.sort(np.median(generator.choice(values, size=(40_000, n)), axis=1))
    drawn = np.sort(bootstrap_medians([float(value) for value in values]))
    grid = np.concatenate([plain, drawn])
    distance = np.abs(
        np.searchsorted(plain, grid, side="right") / len(plain)
        - np.searchsorted(drawn, grid, side="right") / len(drawn)
    ).max()
    assert distance < 0.02


def test_outliers_are_labelled_and_kept() -> None:
    values = [100, 101, 99, 100, 102, 98, 100, 5_000]
    summary = summarize(values)
    assert summary.outliers == (7,)
    assert summary.max == 5_000
    assert summary.n == 8


def test_an_outlier_among_equal_values_is_found_although_the_mad_is_zero() -> None:
    assert outlier_positions([10] * 19 + [11]) == (19,)
    assert outlier_positions([10, 10, 10]) == ()


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_what_cannot_be_summarised_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"nothing|finite"):
        summarize(values)


def test_many_values_need_no_memory_of_their_square() -> None:
    summary = summarize(list(range(100_000)))
    assert summary.ci95_low is not None
    assert 49_000 < summary.ci95_low < 49_999.5 < (summary.ci95_high or 0) < 51_000


def test_the_bench_path_imports_neither_pandas_nor_scipy_nor_pyarrow() -> None:
    code = (
        "import sys; import npubench.runs, npubench.runs.store, npubench.report.html,"
        " npubench.report.terminal; from npubench.stats.summary import summarize;"
        " summarize([1, 2, 3, 4, 5, 6, 7]);"
        " bad = {'pandas', 'scipy', 'PIL', 'pyarrow'} & set(sys.modules); assert not bad, bad"
    )
    path = ":".join(entry for entry in sys.path if entry)
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})


def test_storing_and_reading_samples_imports_no_pandas(tmp_path: Path) -> None:
    """pyarrow's own conversions of lists import it, which takes longer than a warm run."""
    code = (
        "import sys; from pathlib import Path; from npubench.runs.samples import *;"
        " s = (Sample(rep=0, stage='infer', unit='us', raw_count=None, value=1.5),"
        "  Sample(rep=1, stage='\u00fc', unit='cycles', raw_count=2**40, value=7));"
        " write_samples(Path(sys.argv[1]) / FILE_NAME, s);"
        " assert read_samples(Path(sys.argv[1])) == s;"
        " bad = {'pandas', 'scipy'} & set(sys.modules); assert not bad, bad"
    )
    path = ":".join(entry for entry in sys.path if entry)
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, env={"PYTHONPATH": path}
    )
