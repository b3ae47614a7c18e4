"""From samples to energy: intervals that cover, edges that must match, limits that refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from npubench.power.energy.account import Account, Limits, account
from npubench.power.energy.clockfit import ClockFit, device_edges, fit_clocks
from npubench.power.energy.duty import break_even_per_second, duty_power_uw
from npubench.power.energy.edges import Edge, EdgeFinder, Wiring
from npubench.power.energy.marks import Mark
from npubench.power.energy.refusal import Reason
from npubench.power.energy.slow import SlowNoise
from npubench.power.energy.term import Term
from npubench.power.simulators.base import Feed, Frontend
from npubench.power.simulators.model import trace_of
from npubench.power.simulators.trace import Trace
from npubench.power.source.accuracy import Accuracy, RangeAccuracy
from npubench.power.source.interface import Block, Flag, Traits, block_of
from support.power_session import MODEL, STAGE_US, make_marks, true_uj

SEEDS = 1000
RATE_HZ = 20_000.0
LEAST = 100
ACCURACY = Accuracy(
    ranges=(RangeAccuracy(gain_ratio=0.02, offset_ua=40.0),),
    voltage_ratio=0.01,
    source="for tests",
)
TRAITS = Traits(
    rate_hz=RATE_HZ,
    marker_bits=3,
    min_window_samples=LEAST,
    accuracy=ACCURACY,
    marker_skew_samples=0.0,
)
MARKS = make_marks(rate_hz=RATE_HZ, least=LEAST)
SECONDS = {name: value * 1e-6 for name, value in STAGE_US.items()}
LIMITS = Limits(min_window_samples=LEAST)
TRACE: Trace = trace_of(MARKS, MODEL, SECONDS)[0]


def sample(frontend: Frontend, *, seed: int = 1, volts_ratio: float = 1.0) -> list[Block]:
    """The trace as an instrument with these errors sees it."""
    feed = Feed(
        TRACE, rate_hz=RATE_HZ, frontend=frontend, faults=frozenset(), trouble_s=0.0, seed=seed
    )
    current, levels = feed.take(feed.count)
    return [block_of(0, (current * volts_ratio).astype(np.float32), markers=levels)]


def analyse(blocks: list[Block], traits: Traits = TRAITS, limits: Limits = LIMITS) -> Account:
    return account(lambda: blocks, MARKS, traits, wiring=Wiring(), limits=limits, stage_us=STAGE_US)


def causes(found: Account) -> set[str]:
    return {str(reason.cause) for reason in found.reasons}


def test_the_stated_interval_covers_the_truth_as_often_as_it_says() -> None:
    claim = ACCURACY.of_range(0)
    generator = np.random.default_rng(20261125)
    gross = net = 0
    for seed in range(SEEDS):
        frontend = Frontend(
            gain_error_ratio=generator.normal(0.0, claim.gain_sigma_ratio),
            offset_error_ua=generator.normal(0.0, claim.offset_sigma_ua),
            noise_ua=generator.uniform(1.0, 200.0),
            clock_ppm=generator.uniform(-200.0, 200.0),
        )
        # The supply's true voltage is not what was declared: the energy follows it.
        volts_ratio = 1 + generator.normal(0.0, ACCURACY.voltage_ratio / 2)
        found = analyse(sample(frontend, seed=seed))
        assert not found.reasons
        stage = found.stages["infer"]
        truth = true_uj("infer") * volts_ratio
        true_net = truth - MODEL.idle_ua * MODEL.supply_mv * STAGE_US["infer"] * 1e-9 * volts_ratio
        gross += stage.gross.low <= truth <= stage.gross.high
        assert stage.net is not None
        net += stage.net.low <= true_net <= stage.net.high
    assert 0.93 <= gross / SEEDS <= 0.98
    assert 0.93 <= net / SEEDS <= 0.98


HUM_SEEDS = 60
TIGHT = Accuracy(
    ranges=(RangeAccuracy(gain_ratio=0.001, offset_ua=2.0),), voltage_ratio=0.0005, source="tests"
)


@pytest.mark.parametrize(
    ("rate_hz", "least", "hum_ua", "hum_hz"),
    [
        (100_000.0, 1000, 100.0, 50.0),
        (100_000.0, 1000, 200.0, 50.0),
        (100_000.0, 1000, 500.0, 50.0),
        (100_000.0, 1000, 300.0, 60.0),
        (20_000.0, 100, 200.0, 50.0),
        (20_000.0, 1000, 500.0, 50.0),
        (5_000.0, 1000, 500.0, 50.0),
        (4_000.0, 500, 200.0, 60.0),
    ],
)
def test_hum_is_in_the_interval(rate_hz: float, least: int, hum_ua: float, hum_hz: float) -> None:
    """An accurate instrument, so that nothing hides the hum; its phase is any."""
    marks = make_marks(rate_hz=rate_hz, least=least)
    trace = trace_of(marks, MODEL, SECONDS)[0]
    traits = replace(TRAITS, rate_hz=rate_hz, min_window_samples=least, accuracy=TIGHT)
    generator = np.random.default_rng(20261127)
    stages = ("load", "infer", "post")
    hits = dict.fromkeys([f"{stage} {kind}" for stage in stages for kind in ("gross", "net")], 0)
    for seed in range(HUM_SEEDS):
        frontend = Frontend(
            gain_error_ratio=generator.normal(0.0, TIGHT.of_range(0).gain_sigma_ratio),
            offset_error_ua=generator.normal(0.0, TIGHT.of_range(0).offset_sigma_ua),
            noise_ua=generator.uniform(1.0, 20.0),
            clock_ppm=generator.uniform(-200.0, 200.0),
        )
        feed = Feed(
            trace, rate_hz=rate_hz, frontend=frontend, faults=frozenset(), trouble_s=0.0, seed=seed
        )
        current, levels = feed.take(feed.count)
        turns = hum_hz * np.arange(len(current)) / rate_hz + generator.uniform()
        volts_ratio = 1 + generator.normal(0.0, TIGHT.voltage_ratio / 2)
        current = (current + hum_ua * np.sin(2 * np.pi * turns)) * volts_ratio
        block = block_of(0, current.astype(np.float32), markers=levels)
        found = account(
            lambda block=block: [block],  # type: ignore[misc]
            marks,
            traits,
            wiring=Wiring(),
            limits=replace(LIMITS, min_window_samples=least),
            stage_us=STAGE_US,
        )
        assert not found.reasons
        for stage in stages:
            energy = found.stages[stage]
            truth = true_uj(stage) * volts_ratio
            idle = MODEL.idle_ua * MODEL.supply_mv * STAGE_US[stage] * 1e-9 * volts_ratio
            hits[f"{stage} gross"] += energy.gross.low <= truth <= energy.gross.high
            assert energy.net is not None
            hits[f"{stage} net"] += energy.net.low <= truth - idle <= energy.net.high
    assert min(hits.values()) >= 0.93 * HUM_SEEDS, hits


def test_slow_noise_is_nothing_where_the_noise_is_white() -> None:
    generator = np.random.default_rng(1)
    idles = [generator.normal(1000.0, 50.0, 5000) for _ in range(4)]
    white = 50.0 / 1150**0.5
    assert SlowNoise(idles).sigma_nw(1150) < white
    hum = 300.0 * np.sin(2 * np.pi * 50.0 * np.arange(5000) / 100_000.0)
    seen = SlowNoise([idle + hum for idle in idles]).sigma_nw(1150)
    # Half a turn in a window: 2/pi of the amplitude at worst, 1/sqrt(2) of that on average.
    assert 0.35 * 300.0 < seen < 0.6 * 300.0
    assert SlowNoise([]).sigma_nw(1150) == 0.0


def test_an_ideal_instrument_gives_every_stage_exactly() -> None:
    found = analyse(sample(Frontend(noise_ua=0.0, clock_ppm=0.0)))
    for stage in STAGE_US:
        assert found.stages[stage].gross.value == pytest.approx(true_uj(stage), rel=2e-3)
    assert found.idle_uw is not None
    assert found.idle_uw.value == pytest.approx(MODEL.idle_ua * MODEL.supply_mv / 1000, rel=1e-6)


def test_energy_is_integrated_on_the_device_clock() -> None:
    right = analyse(sample(Frontend(noise_ua=0.0, clock_ppm=0.0)))
    fast = analyse(sample(Frontend(noise_ua=0.0, clock_ppm=3000.0)))
    assert fast.fit is not None
    assert fast.fit.ppm == pytest.approx(3000.0, abs=150.0)
    assert fast.stages["infer"].gross.value == pytest.approx(
        right.stages["infer"].gross.value, rel=1e-3
    )


def test_end_to_end_is_the_sum_of_its_stages_with_their_correlation() -> None:
    found = analyse(sample(Frontend()))
    whole = found.stages["end_to_end"].gross
    parts = [found.stages[name].gross for name in ("load", "infer", "unload", "post")]
    assert whole.value == pytest.approx(sum(part.value for part in parts))
    assert whole.parts["gain"] == pytest.approx(sum(part.parts["gain"] for part in parts))


def test_net_energy_does_not_feel_the_offset() -> None:
    stage = analyse(sample(Frontend())).stages["infer"]
    assert stage.net is not None
    assert abs(stage.net.parts["offset 0"]) < 0.02 * stage.gross.parts["offset 0"]


def test_a_sample_that_is_missing_inside_a_window_refuses() -> None:
    blocks = sample(Frontend())
    window = next(item for item in analyse(blocks).windows if item.name == "infer")
    at = int(window.begin) + 20
    blocks[0].current_ua[at] = np.nan
    blocks[0].flags[at] = Flag.LOST
    assert causes(analyse(blocks)) == {"samples-lost"}


def test_a_sample_that_is_missing_between_windows_does_not_matter() -> None:
    blocks = sample(Frontend())
    blocks[0].flags[3] = Flag.LOST
    assert not analyse(blocks).reasons


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"min_window_samples": 5000}, "window-too-short"),
        ({"clock_tolerance_ppm": 1000.0}, "clocks-disagree"),
    ],
)
def test_limits_refuse_by_name(change: dict[str, float], cause: str) -> None:
    found = analyse(sample(Frontend(clock_ppm=3000.0)), limits=replace(LIMITS, **change))
    assert cause in causes(found)


def test_a_measured_voltage_beyond_its_tolerance_refuses() -> None:
    blocks = sample(Frontend())
    volts = np.full(len(blocks[0]), 2700.0, np.float32)
    blocks = [replace(blocks[0], voltage_mv=volts)]
    traits = replace(TRAITS, voltage="measured", set_mv=3000.0)
    assert causes(analyse(blocks, traits)) == {"voltage-out-of-tolerance"}


def test_edges_are_found_between_samples_and_split_levels_are_joined() -> None:
    markers = np.array([0, 0, 1, 3, 3, 3, 0, 0], np.uint8)
    finder = EdgeFinder(Wiring())
    for start in range(0, 8, 3):
        part = markers[start : start + 3]
        finder.feed(block_of(start, np.zeros(len(part), np.float32), markers=part))
    assert finder.edges() == (
        Edge(place=1.5, before=0, after=3),
        Edge(place=5.5, before=3, after=0),
    )


def seen_edges(marks: tuple[Mark, ...], *, offset: float, ppm: float) -> list[Edge]:
    rate = RATE_HZ * (1 + ppm * 1e-6)
    return [
        Edge(place=np.ceil(edge.time_s * rate + offset) - 0.5, before=edge.before, after=edge.after)
        for edge in device_edges(marks, knows_codes=True)
    ]


def test_the_clock_fit_finds_rate_and_offset() -> None:
    fit = fit_clocks(
        device_edges(MARKS, knows_codes=True),
        seen_edges(MARKS, offset=1234.0, ppm=180.0),
        rate_hz=RATE_HZ,
    )
    assert isinstance(fit, ClockFit)
    assert fit.ppm == pytest.approx(180.0, abs=150.0)
    assert fit.residual_max <= 1.5


@pytest.mark.parametrize("drop", [0, 7, 20, -1])
def test_a_lost_edge_is_not_made_up_for_by_its_neighbour(drop: int) -> None:
    edges = seen_edges(MARKS, offset=50.0, ppm=0.0)
    del edges[drop]
    fit = fit_clocks(device_edges(MARKS, knows_codes=True), edges, rate_hz=RATE_HZ)
    assert isinstance(fit, Reason)


def test_an_extra_edge_is_refused() -> None:
    edges = seen_edges(MARKS, offset=50.0, ppm=0.0)
    middle = (edges[10].place + edges[11].place) / 2
    extra = [Edge(place=middle, before=0, after=5), Edge(place=middle + 4, before=5, after=0)]
    fit = fit_clocks(
        device_edges(MARKS, knows_codes=True),
        sorted(edges + extra, key=lambda e: e.place),
        rate_hz=RATE_HZ,
    )
    assert isinstance(fit, Reason)


def test_an_idle_that_stops_the_device_clock_is_bridged() -> None:
    marks = tuple(replace(mark, slept=mark.code == 6) for mark in MARKS)
    shifted, late = [], 0.0
    for mark in marks:
        base = mark.up_s * RATE_HZ + late
        shifted.append(Edge(place=round(base) + 0.5, before=0, after=mark.code))
        late += 9.0 if mark.slept else 0.0
        down = mark.down_s * RATE_HZ + late
        shifted.append(Edge(place=round(down) + 0.5, before=mark.code, after=0))
    fit = fit_clocks(device_edges(marks, knows_codes=True), shifted, rate_hz=RATE_HZ)
    assert isinstance(fit, ClockFit)
    assert fit.offsets[-1] - fit.offsets[0] == pytest.approx(27.0, abs=2.0)


def test_a_term_keeps_what_two_windows_share() -> None:
    a = Term(value=3.0, parts={"gain": 0.3, "noise 1": 0.1})
    b = Term(value=2.0, parts={"gain": 0.2, "noise 2": 0.1})
    assert (a - b).parts == pytest.approx({"gain": 0.1, "noise 1": 0.1, "noise 2": -0.1})
    assert (a - b).high - (a - b).low == pytest.approx(4 * 0.03**0.5)


def test_duty_and_break_even() -> None:
    slow = {"idle_uw": 100.0, "net_uj": 50.0}
    quick = {"idle_uw": 300.0, "net_uj": 10.0}
    rate = break_even_per_second(
        **slow, other_idle_uw=quick["idle_uw"], other_net_uj=quick["net_uj"]
    )
    assert rate == pytest.approx(5.0)
    both = [duty_power_uw(**side, duration_us=1000.0, per_second=5.0) for side in (slow, quick)]
    assert both[0] == pytest.approx(both[1])
    assert duty_power_uw(**slow, duration_us=1e6, per_second=2.0) is None
    assert break_even_per_second(**slow, other_idle_uw=300.0, other_net_uj=90.0) is None
