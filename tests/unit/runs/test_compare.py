"""A difference is claimed only as far as the data carries it, and only between like and like."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from npubench.core.errors import ResultError
from npubench.runs.compare import Comparison, StageComparison, compare_runs
from npubench.runs.schema import RunRecord
from npubench.runs.store import RunWriter, StoredRun
from npubench.stats.compare import Nature, Verdict, cliffs_delta, compare_samples, mann_whitney_p

MakeStored = Callable[..., StoredRun]


def noisy(center: float, spread: float, n: int, seed: int) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(center, spread, size=n)]


def stage(comparison: Comparison, name: str) -> StageComparison:
    return next(item for item in comparison.stages if item.stage == name)


def test_counts_without_spread_differ_deterministically() -> None:
    result = compare_samples([100, 100], [71, 71], nature=Nature.COUNTED)
    assert result.verdict is Verdict.DETERMINISTIC
    assert result.ratio == pytest.approx(0.71)
    assert result.p_value is None
    assert result.cliffs_delta == -1


def test_equal_counts_are_equal() -> None:
    assert compare_samples([5, 5], [5, 5], nature=Nature.COUNTED).verdict is Verdict.EQUAL


def test_a_single_count_is_not_a_claim() -> None:
    result = compare_samples([5], [6], nature=Nature.COUNTED)
    assert result.verdict is Verdict.TOO_FEW
    assert "single" in result.reason


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0], [2.0]),
        ([1.0, 1.1], [2.0, 2.1]),
        (noisy(100, 1, 50, 1), noisy(50, 1, 50, 2)),
        ([7.0] * 20, [9.0] * 20),
    ],
)
def test_measured_values_of_one_session_carry_no_claim(
    a: Sequence[float], b: Sequence[float]
) -> None:
    result = compare_samples(a, b, nature=Nature.MEASURED)
    assert result.verdict is Verdict.TOO_FEW
    assert "1 and 1 boots" in result.reason
    assert result.ratio is not None


def test_a_large_difference_over_several_boots_is_claimed() -> None:
    result = compare_samples(
        noisy(100, 1, 30, 1),
        noisy(90, 1, 30, 2),
        nature=Nature.MEASURED,
        sessions_a=3,
        sessions_b=3,
    )
    assert result.verdict is Verdict.DIFFERENT
    assert result.p_value is not None
    assert result.p_value < 0.001


def test_a_significant_but_tiny_difference_is_negligible() -> None:
    result = compare_samples(
        noisy(10_000, 1, 200, 1),
        noisy(10_002, 1, 200, 2),
        nature=Nature.MEASURED,
        sessions_a=3,
        sessions_b=3,
    )
    assert result.p_value is not None
    assert result.p_value < 0.05
    assert result.verdict is Verdict.NEGLIGIBLE


def test_noise_is_no_difference() -> None:
    result = compare_samples(
        noisy(100, 5, 20, 3),
        noisy(100, 5, 20, 4),
        nature=Nature.MEASURED,
        sessions_a=3,
        sessions_b=3,
    )
    assert result.verdict is Verdict.NOT_SHOWN


def test_three_against_three_cannot_be_tested() -> None:
    result = compare_samples(
        [1.0, 1.1, 1.2], [9.0, 9.1, 9.2], nature=Nature.MEASURED, sessions_a=3, sessions_b=3
    )
    assert result.verdict is Verdict.TOO_FEW
    assert result.p_value is None


def test_a_median_of_zero_has_no_ratio() -> None:
    result = compare_samples([0, 0], [5, 5], nature=Nature.COUNTED)
    assert result.ratio is None
    assert result.verdict is Verdict.DETERMINISTIC


def test_modelled_values_are_called_modelled() -> None:
    assert compare_samples([1.0], [2.0], nature=Nature.MODELLED).verdict is Verdict.MODELLED


def test_cliffs_delta_counts_pairs() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.integers(0, 20, 30).tolist(), generator.integers(0, 20, 25).tolist()
    expected = sum((y > x) - (y < x) for x in a for y in b) / (30 * 25)
    assert cliffs_delta(a, b) == pytest.approx(expected)


def test_the_exact_test_agrees_with_its_table() -> None:
    """Four against four, fully apart: p = 2 / C(8, 4)."""
    assert mann_whitney_p([1, 2, 3, 4], [5, 6, 7, 8]) == pytest.approx(2 / 70)


def test_provenance_comes_first_and_names_what_differs(make_stored: MakeStored) -> None:
    comparison = compare_runs(make_stored(), make_stored(board="qemu-m55", infer=30_000_000))
    assert [item.what for item in comparison.provenance] == ["target", "ELF"]
    assert comparison.provenance[0].a == "qemu-m4:cpu"
    assert stage(comparison, "infer").verdict is Verdict.DETERMINISTIC
    assert stage(comparison, "load").verdict is Verdict.EQUAL
    assert stage(comparison, "init_cold").verdict is Verdict.EQUAL
    document = json.loads(json.dumps(comparison.document()))
    named = ["a", "b", "mixed_evidence", "provenance", "stages", "memory", "energy"]
    assert list(document) == [*named, "accuracy", "parts", "gap"]
    assert document["energy"] is None
    assert document["stages"][3]["verdict"] == "deterministic difference"


def test_flags_and_tools_are_compared(
    make_stored: MakeStored, make_record: Callable[..., RunRecord]
) -> None:
    environment = make_record().environment.model_copy(
        update={"flags": ("-O3", "-mthumb"), "tools": {"arm-none-eabi-gcc": "13.2"}}
    )
    differences = {
        item.what: (item.a, item.b)
        for item in compare_runs(make_stored(), make_stored(environment=environment)).provenance
    }
    assert differences["flags"] == ("-O2 -mcpu=cortex-m4", "-O3")
    assert differences["tool arm-none-eabi-gcc"] == ("12.2.1", "13.2")
    assert differences["tool qemu-system-arm"] == ("7.2.0", None)


def test_memory_is_compared_by_owner(
    make_stored: MakeStored, make_record: Callable[..., RunRecord]
) -> None:
    memory = make_record().memory
    assert memory is not None
    smaller = memory.model_copy(update={"kernels_bytes": 6_000, "stack_bytes": None})
    lines = {
        line.name: line.difference_bytes
        for line in compare_runs(make_stored(), make_stored(memory=smaller)).memory
    }
    assert lines["kernels"] == -1_200
    assert lines["weights"] == 0
    assert lines["stack"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "another"}, "networks differ"),
        ({"stage_contract": 2}, "stage contracts differ"),
        ({"status": "failed"}, "is failed"),
        ({"evidence": "modelled"}, "different evidence"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    make_stored: MakeStored, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ResultError, match=words) as caught:
        compare_runs(make_stored(), make_stored(**changes))
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_mixed_evidence_is_shown_on_request_without_a_claim(make_stored: MakeStored) -> None:
    other = make_stored(unit="us", evidence="measured", infer=1_000.0)
    comparison = compare_runs(make_stored(), other, allow_mixed=True)
    assert comparison.mixed
    infer = stage(comparison, "infer")
    assert infer.ratio is None
    assert infer.verdict is None
    assert "different units" in infer.reason


def test_overlapping_models_are_undecided(make_stored: MakeStored) -> None:
    def modelled(infer: float, low: float, high: float) -> StoredRun:
        return make_stored(unit="us_modelled", evidence="modelled", infer=infer, low=low, high=high)

    near = compare_runs(modelled(100.0, 80.0, 120.0), modelled(110.0, 90.0, 130.0))
    far = compare_runs(modelled(100.0, 80.0, 120.0), modelled(300.0, 250.0, 350.0))
    assert stage(near, "infer").verdict is Verdict.UNDECIDED
    assert stage(far, "infer").verdict is Verdict.MODELLED


def test_stored_samples_decide_where_there_are_some(
    tmp_path: Path, make_record: Callable[..., RunRecord]
) -> None:
    runs = []
    for second, center in ((1, 100.0), (2, 90.0)):
        record = make_record(
            second=second,
            unit="us",
            evidence="measured",
            infer=center,
            n=30,
            boots=3,
            deterministic=False,
        )
        assert record.clock is not None
        record = record.model_copy(
            update={"clock": record.clock.model_copy(update={"measured_hz": 1e6})}
        )
        counts = [round(value) for value in noisy(center, 2, 30, second)]
        with RunWriter(tmp_path / "runs", record.run_id) as run:
            runs.append(run.finish(record, samples={"infer": counts}))
    infer = stage(compare_runs(*runs), "infer")
    assert infer.verdict is Verdict.DIFFERENT
    assert infer.p_value is not None
    assert infer.cliffs_delta is not None
    assert infer.cliffs_delta < -0.9


def test_a_stage_of_one_run_only_is_said(make_stored: MakeStored) -> None:
    full = make_stored()
    part = make_stored(
        stages={name: item for name, item in full.record.stages.items() if name != "post"}
    )
    post = stage(compare_runs(full, part), "post")
    assert post.ratio is None
    assert post.reason == "run b does not have it"
