"""Promise: a clock is measured, with an uncertainty that holds, and what cannot be is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npubench.core.errors import DeviceError
from npubench.emulators.simulated import SimulatedBoard, SimulatedNetwork, SimulatedTransport
from npubench.wire.answers import ClockSample
from npubench.wire.clock import fit_clock, measure_clock, unwrap
from npubench.wire.device import Device


def samples_of(
    hz: float,
    *,
    seconds: float = 10.0,
    count: int = 200,
    jitter_s: float = 0.001,
    trip_s: float = 0.002,
    start: int = 0,
    bits: int = 64,
    seed: int = 1,
) -> list[ClockSample]:
    """Readings of a perfect counter over a link with a random delay on both ways."""
    noise = random.Random(seed)
    samples = []
    for index in range(count):
        sent_s = 100.0 + seconds * index / (count - 1)
        read_s = sent_s + trip_s / 2 + noise.random() * jitter_s
        received_s = read_s + trip_s / 2 + noise.random() * jitter_s
        value = (start + round((read_s - 100.0) * hz)) % (1 << bits)
        samples.append(ClockSample(sent_s=sent_s, received_s=received_s, count=value))
    return samples


@given(st.floats(1e6, 5e8), st.integers(0, 2**32), st.floats(0.0, 0.004))
def test_the_true_frequency_lies_within_the_uncertainty(
    hz: float, seed: int, jitter_s: float
) -> None:
    fit = fit_clock(samples_of(hz, seed=seed, jitter_s=jitter_s))
    assert abs(fit.deviation_ppm(hz)) <= fit.uncertainty_ppm + 1.0
    assert fit.uncertainty_ppm < 1000
    assert fit.sample_count >= 100


def test_slow_exchanges_do_not_count() -> None:
    samples = samples_of(120e6)
    for index in range(0, len(samples), 5):
        late = samples[index]
        samples[index] = ClockSample(
            sent_s=late.sent_s, received_s=late.received_s + 0.5, count=late.count
        )
    fit = fit_clock(samples)
    assert abs(fit.deviation_ppm(120e6)) < 50
    assert fit.round_trip_s < 0.005


def test_a_wrong_clock_is_seen() -> None:
    assert fit_clock(samples_of(120e6 * 1.02)).deviation_ppm(120e6) == pytest.approx(20000, abs=100)


@given(st.integers(8, 64), st.lists(st.integers(0, 100), min_size=1))
def test_wraps_are_undone(bits: int, steps: list[int]) -> None:
    counts = [2**bits - 3]
    for step in steps:
        counts.append(counts[-1] + step)
    assert unwrap([count % 2**bits for count in counts], bits=bits) == counts


def test_a_counter_of_32_bits_wraps_within_the_measurement() -> None:
    fit = fit_clock(samples_of(480e6, bits=32, start=2**32 - 1000), bits=32)
    assert abs(fit.deviation_ppm(480e6)) < 100


def test_a_counter_that_goes_back_was_reset() -> None:
    samples = samples_of(1e6)
    samples[100:] = samples_of(1e6)[:100]
    with pytest.raises(DeviceError, match="went back"):
        fit_clock(samples)


def test_a_counter_that_stands_still_and_too_few_readings_are_refused() -> None:
    with pytest.raises(DeviceError, match="stands still"):
        fit_clock(samples_of(0.0))
    with pytest.raises(DeviceError, match="too few"):
        fit_clock(samples_of(1e6)[:5])


def test_a_board_is_measured_for_as_long_as_asked() -> None:
    with SimulatedTransport(SimulatedBoard(SimulatedNetwork(hz=120_000_000))) as transport:
        device = Device(transport)
        device.wait_boot()
        fit = measure_clock(device, seconds=10.0)
    assert fit.span_s >= 9.0
    assert abs(fit.deviation_ppm(120e6)) <= fit.uncertainty_ppm + 1.0
