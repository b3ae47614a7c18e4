"""Promise: a comparison never names a winner that answers worse without saying so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from npubench.report.html import render_report
from npubench.report.terminal import compare_view
from npubench.runs.compare import compare_runs
from npubench.runs.compare_accuracy import AccuracyComparison, compare_accuracy
from npubench.runs.gate import gate_sets
from npubench.runs.policy import parse_rules
from npubench.runs.schema import RunRecord
from npubench.runs.store import StoredRun

Make = Callable[..., RunRecord]


def answers(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {
        "metric": "top1",
        "form": "target",
        "value": value,
        "low": low,
        "high": high,
        "interval": "Wilson score",
        "samples": 400,
        "data": "test.npz",
        "data_sha256": "ab" * 32,
        "agreement_ratio": 1.0,
    } | more


GOOD, BAD = answers(0.95, 0.92, 0.97), answers(0.80, 0.76, 0.84)
NEAR = answers(0.94, 0.91, 0.96)
WAVERS = answers(3.0, 2.9, 3.1, metric="perplexity")
SURE = answers(2.0, 1.9, 2.1, metric="perplexity")


def found(make: Make, a: dict[str, Any] | None, b: dict[str, Any] | None) -> AccuracyComparison:
    records = [make(accuracy=[] if item is None else [item]) for item in (a, b)]
    result = compare_accuracy(records[0], records[1])
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (GOOD, BAD, "b answers worse"),
        (BAD, GOOD, "a answers worse"),
        (GOOD, NEAR, "not shown to differ"),
        (GOOD, GOOD, "equal"),
        (SURE, WAVERS, "b answers worse"),
        (GOOD, None, "unknown"),
        (GOOD, GOOD | {"samples": 50}, "unknown"),
        (GOOD, GOOD | {"data_sha256": "cd" * 32}, "unknown"),
        (GOOD, SURE, "unknown"),
    ],
    ids=("worse", "better", "near", "equal", "perplexity", "unasked", "fewer", "data", "metric"),
)
def test_verdicts(
    make_record: Make, a: dict[str, Any] | None, b: dict[str, Any] | None, verdict: str
) -> None:
    assert found(make_record, a, b).verdict == verdict


def test_two_artifacts_whose_answers_nobody_asked_are_said_to_be_unknown(make_record: Make) -> None:
    a = make_record()
    assert compare_accuracy(a, make_record(backend="other")) is None
    model = a.model.model_copy(update={"artifact_sha256": "cd" * 32})
    golden = a.golden.model_copy(update={"reference": "vendor"})
    b = make_record(backend="other").model_copy(update={"model": model, "golden": golden})
    result = compare_accuracy(a, b)
    assert result is not None
    assert result.verdict == "unknown"


@pytest.mark.parametrize(
    ("after", "status", "words"),
    [
        (BAD, "fail", "wrong grew by 300.00 %"),
        (GOOD, "pass", "wrong is the same"),
        (answers(0.99, 0.97, 1.0), "pass", "wrong shrank"),
        (GOOD | {"samples": 50}, "undecided", "other samples"),
        (None, "fail", "wrong is gone"),
    ],
    ids=("worse", "same", "better", "unlike", "gone"),
)
def test_a_gate_holds_answers(
    make_record: Make, tmp_path: Path, after: dict[str, Any] | None, status: str, words: str
) -> None:
    old = make_record(accuracy=[GOOD], second=1)
    new = make_record(accuracy=[] if after is None else [after], second=2)
    stored = [StoredRun(path=tmp_path / run.run_id, record=run) for run in (old, new)]
    (pair,) = gate_sets(stored[:1], stored[1:], parse_rules(["wrong>0"])).pairs
    assert pair.status == status
    assert words in pair.metrics[0].sentence


def test_a_faster_run_that_answers_worse_is_named_as_such(
    make_record: Make, tmp_path: Path
) -> None:
    """In the comparison before the stages, and beside the winner in the report."""
    slow = make_record(infer=9_000_000, accuracy=[GOOD], second=1)
    fast = make_record(infer=1_000_000, accuracy=[BAD], second=2, backend="other")
    stored = [StoredRun(path=tmp_path / run.run_id, record=run) for run in (slow, fast)]
    console = Console(width=140, record=True)
    console.print(compare_view(compare_runs(*stored)))
    text = console.export_text()
    assert "b answers worse: Top-1 95.0 % and Top-1 80.0 %" in text
    assert text.index("b answers worse") < text.index("infer")
    page = render_report(stored)
    assert "But qemu-m4:other answers worse: Top-1 80.0 %" in page
    later = make_record(infer=1_000_001, second=3, backend="other")  # benched again, not asked
    again = render_report([*stored, StoredRun(path=tmp_path / later.run_id, record=later)])
    assert "But qemu-m4:other answers worse" in again
