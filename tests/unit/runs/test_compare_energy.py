"""Energies are told apart only where their intervals are, and rates where both keep up."""

from __future__ import annotations

from typing import Any

import pytest

from npubench.core.evidence import Evidence
from npubench.runs.compare_energy import compare_energy
from npubench.runs.energy_record import EnergyInstrumentRecord, EnergyRecord, EnergyStageRecord
from npubench.stats.compare import Verdict


def record(
    gross_uj: float,
    half_uj: float | None,
    *,
    idle_uw: float = 100.0,
    duration_us: float = 1000.0,
    evidence: Evidence = Evidence.MEASURED,
) -> EnergyRecord:
    net_uj = gross_uj - idle_uw * duration_us / 1e6
    ends: dict[str, Any] = {
        f"{kind}_{end}_uj": None if half_uj is None else value + sign * half_uj
        for kind, value in (("gross", gross_uj), ("net", net_uj))
        for end, sign in (("low", -1), ("high", 1))
    }
    stage = EnergyStageRecord(
        gross_uj=gross_uj,
        net_uj=net_uj,
        **ends,
        repeats=10,
        windows=2,
        samples=2000,
        duration_us=duration_us,
        mean_uw=gross_uj / duration_us * 1e6,
        peak_uw=gross_uj / duration_us * 1e6,
        charge_uc=1.0,
    )
    return EnergyRecord(
        evidence=evidence,
        idle_uw=idle_uw,
        clock_ppm=0.0,
        voltage_mv=3000.0,
        voltage_source="measured",
        stages={"end_to_end": stage},
        verdict="ok" if half_uj is not None else "unqualified",
        instrument=EnergyInstrumentRecord(
            name="lab", driver="ppk2", model="PPK2", serial="1", simulated=False
        ),
    )


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        (record(100, 2), record(110, 2), Verdict.DIFFERENT),
        (record(100, 2), record(103, 2), Verdict.UNDECIDED),
        (record(100, None), record(200, 2), Verdict.UNDECIDED),
        (record(100, 2), record(200, 2, evidence=Evidence.MODELLED), Verdict.UNDECIDED),
        (
            record(100, 2, evidence=Evidence.MODELLED),
            record(200, 2, evidence=Evidence.MODELLED),
            Verdict.MODELLED,
        ),
    ],
)
def test_a_difference_is_named_only_between_intervals(
    a: EnergyRecord, b: EnergyRecord, verdict: Verdict
) -> None:
    compared = compare_energy(a, b)
    assert compared is not None
    assert compared.stages[0].verdict is verdict


def test_the_break_even_rate_gives_both_the_same_power() -> None:
    frugal_at_rest = record(1000, 10, idle_uw=10.0)
    frugal_at_work = record(200, 2, idle_uw=1000.0)
    compared = compare_energy(frugal_at_rest, frugal_at_work)
    assert compared is not None
    rate = compared.break_even_per_second
    assert rate is not None
    again = compare_energy(frugal_at_rest, frugal_at_work, rates_per_second=(rate,))
    assert again is not None
    (duty,) = again.duty
    assert duty.a_uw == pytest.approx(duty.b_uw)


def test_no_break_even_where_one_cannot_keep_up() -> None:
    compared = compare_energy(
        record(1000, 10, idle_uw=10.0), record(5990, 2, idle_uw=5000.0, duration_us=1e6)
    )
    assert compared is not None
    assert compared.break_even_per_second is None
    assert compared.break_even.startswith("one takes less")
    assert compared.duty[-1].a_uw is not None
    assert compared.duty[-1].b_uw is None


def test_without_energy_nothing_is_compared() -> None:
    assert compare_energy(record(1, 1), None) is None
