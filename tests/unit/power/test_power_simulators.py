"""Every simulated instrument goes the whole way, and each misbehaviour is survived or named."""

from __future__ import annotations

from pathlib import Path

import pytest

from npubench.core.errors import UsageError
from npubench.power.capture.rig import choose_power
from npubench.power.simulators.catalog import kinds
from npubench.power.simulators.faults import FAULTS
from support.power_session import Outcome, rehearse, true_uj

SURVIVED = {"split-words", "range-spike", "clock-off"}
# Nothing is refused, but no interval is stated.
UNQUALIFIED = {"nan-calibration", "uncalibrated"}
# What a misbehaviour must be called; several names where the instruments differ.
NAMED = {
    "counter-gap": {"samples-lost", "suspect-samples"},
    "counter-gap-64": {"markers-unmatched"},
    "lost-byte": {"samples-lost"},
    "swapped-bytes": {"samples-lost", "suspect-samples", "markers-unmatched"},
    "silence": {"stream-ended"},
    "disconnect": {"stream-ended"},
    "saturation": {"saturated", "stream-ended"},
    "clock-wild": {"clocks-disagree"},
    "voltage-low": {"voltage-out-of-tolerance"},
    "marker-lost": {"markers-unmatched"},
    "marker-glitch": {"markers-unmatched"},
    "idle-drift": {"idle-drift"},
}
QUICK = ("ppk2-sim", "lpm01a-sim")


def check_infer(outcome: Outcome) -> None:
    """The energy of ``infer`` is true within its interval, and the interval is no excuse."""
    assert outcome.causes == ()
    stage = outcome.account.stages["infer"]
    assert stage.gross.low <= true_uj("infer") <= stage.gross.high
    assert stage.gross.high - stage.gross.low < 0.1 * true_uj("infer")


@pytest.mark.parametrize(
    "name", [*(kind.name for kind in kinds().values() if kind.marks), "virtual"]
)
def test_a_simulated_instrument_measures_what_the_model_says(name: str, tmp_path: Path) -> None:
    outcome = rehearse(name, tmp_path / "power")
    check_infer(outcome)
    for stage in ("load", "post"):
        gross = outcome.account.stages[stage].gross
        assert gross.low <= true_uj(stage) <= gross.high
    net = outcome.account.stages["infer"].net
    assert net is not None
    assert net.value < outcome.account.stages["infer"].gross.value


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_each_misbehaviour_is_survived_or_refused_by_name(
    name: str, fault: str, tmp_path: Path
) -> None:
    if fault not in kinds()[name].faults:
        with pytest.raises(UsageError, match="cannot play"):
            choose_power(name, (fault,))
        return
    outcome = rehearse(name, tmp_path / "power", fault)
    if fault in SURVIVED:
        check_infer(outcome)
    elif fault in UNQUALIFIED:
        assert outcome.causes == ()
        assert not outcome.sourced
    else:
        assert NAMED[fault] & set(outcome.causes), outcome.causes


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (kind.name, fault)
        for kind in kinds().values()
        if kind.name not in QUICK and kind.marks
        for fault in ("counter-gap", "disconnect", "voltage-low")
        if fault in kind.faults
    ],
)
def test_the_other_instruments_are_refused_too(name: str, fault: str, tmp_path: Path) -> None:
    outcome = rehearse(name, tmp_path / "power", fault)
    assert NAMED[fault] & set(outcome.causes), outcome.causes


def test_every_fault_is_named_and_offered_by_someone() -> None:
    offered = {fault for kind in kinds().values() for fault in kind.faults}
    assert offered == set(FAULTS)
    assert offered == SURVIVED | UNQUALIFIED | set(NAMED)


def test_a_fault_needs_a_simulator() -> None:
    with pytest.raises(UsageError, match="cannot misbehave"):
        choose_power("virtual", ("silence",))


def test_an_unknown_simulator_is_answered_with_the_closest() -> None:
    with pytest.raises(UsageError) as caught:
        choose_power("ppk-sim")
    assert "ppk2-sim" in caught.value.hint
