"""The promise: a modelled difference is named only where it holds; on one part, by one model, what
is wrong of both cancels."""

from __future__ import annotations

import pytest

from npubench.core.evidence import Evidence
from npubench.runs.compare_parts import LENT, _quantity
from npubench.runs.schema import RangeRecord, StageRecord
from npubench.stats.compare import Verdict


def stage(
    *by_model: float, model: str = "part", low: float = 0.8, high: float = 1.3
) -> StageRecord:
    mid = by_model[0]
    cycles = RangeRecord(
        low=min(by_model) * low,
        mid=mid,
        high=max(by_model) * high,
        model=model,
        by_model=by_model,
        ratio_pct=5,
    )
    return StageRecord(
        unit="instructions",
        evidence=Evidence.COUNTED,
        median=mid,
        cycles=cycles,
        time_us=cycles.model_copy(update={"by_model": ()}),
    )


def judged(a: StageRecord, b: StageRecord) -> tuple[Verdict, float, float]:
    assert a.time_us is not None
    assert b.time_us is not None
    found = _quantity("infer", "time_us", a, b, a.time_us, b.time_us)
    return found.verdict, found.ratio_low, found.ratio_high


def test_parts_whose_ranges_overlap_are_undecided() -> None:
    assert judged(stage(100), stage(130, model="other"))[0] is Verdict.UNDECIDED


def test_parts_whose_ranges_do_not_overlap_differ() -> None:
    verdict, low, high = judged(stage(100), stage(200, model="other"))
    assert verdict is Verdict.MODELLED
    assert (low, high) == pytest.approx((160 / 130, 260 / 80))


def test_on_one_part_the_ratio_has_its_own_error() -> None:
    """The ranges overlap by far; the ratio is 1.2 within 5 %."""
    verdict, low, high = judged(stage(100), stage(120))
    assert verdict is Verdict.MODELLED
    assert (low, high) == pytest.approx((1.2 / 1.05, 1.2 * 1.05))


def test_a_ratio_holds_over_all_models_that_cannot_be_told_apart() -> None:
    assert judged(stage(100, 100), stage(120, 95))[0] is Verdict.UNDECIDED


def test_a_part_that_was_lent_is_the_same_part() -> None:
    assert judged(stage(100), stage(120, model=f"part{LENT}qemu-m4"))[0] is Verdict.MODELLED


def test_the_same_cycles_are_equal() -> None:
    assert judged(stage(100, 90), stage(100, 90)) == (Verdict.EQUAL, 1.0, 1.0)


def test_a_record_without_models_falls_back_to_ranges() -> None:
    old = stage(100)
    assert old.cycles is not None
    bare = old.model_copy(
        update={"cycles": old.cycles.model_copy(update={"by_model": (), "ratio_pct": None})}
    )
    assert judged(bare, bare)[0] is Verdict.UNDECIDED


def test_energy_adds_its_own_error_to_the_ratio() -> None:
    """A fifth more cycles, told within 5 %; a cycle's energy is known to 10 %: still a difference
    in cycles, and none in energy once that error is 20 %."""
    for error_pct, verdict in ((10.0, Verdict.MODELLED), (20.0, Verdict.UNDECIDED)):
        a, b = (
            stage(cycles).model_copy(
                update={
                    "energy_uj": RangeRecord(
                        low=cycles / 2, mid=cycles, high=2 * cycles, model="nJ", ratio_pct=error_pct
                    )
                }
            )
            for cycles in (100, 120)
        )
        assert a.energy_uj is not None
        assert b.energy_uj is not None
        found = _quantity("infer", "energy_uj", a, b, a.energy_uj, b.energy_uj)
        assert found.verdict is verdict
        assert found.ratio_high == pytest.approx(1.2 * 1.05 * (1 + error_pct / 100))
