"""The PPK2's currents: by the voltage that was set, with Nordic's defaults, as foreign clients see
them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from npubench.power.instruments.ppk2 import Ppk2
from npubench.power.simulators.base import Feed, Frontend
from npubench.power.simulators.ppk2 import CALIBRATION, RANGE_TOPS_UA, SimulatedPpk2
from npubench.power.simulators.trace import Piece, Trace
from npubench.power.source.interface import Flag, Setup
from npubench.power.wire.ppk2 import (
    ADC_VOLT_PER_COUNT,
    DEFAULTS,
    RANGES,
    WordDecoder,
    parse_metadata,
)

LEVELS_UA = (20.0, 200.0, 2_000.0, 20_000.0, 200_000.0)


def feed(current_ua: float, *, seconds: float = 0.05, noise_ua: float = 0.0) -> Feed:
    return Feed(
        Trace([Piece(seconds=seconds, current_ua=current_ua)]),
        rate_hz=100_000.0,
        frontend=Frontend(noise_ua=noise_ua, clock_ppm=0.0),
        faults=frozenset(),
        trouble_s=0.0,
    )


def metadata(**changes: str) -> str:
    known = CALIBRATION
    values = {"Calibrated": "1", "VDD": "3000", "HW": "9173", "mode": "2"}
    rows = {"R": known.r, "GS": known.gs, "GI": known.gi, "O": known.o}
    rows |= {"S": known.s, "I": known.i, "UG": known.ug}
    for name, row in rows.items():
        values |= {f"{name}{number}": f"{row[number]:.9f}" for number in range(RANGES)}
    values |= changes
    return "".join(f"{key}: {value}\n" for key, value in values.items()) + "END\n"


@pytest.mark.parametrize("millivolts", [800, 1800, 3300])
@pytest.mark.parametrize("level_ua", LEVELS_UA)
def test_the_current_is_that_of_the_voltage_that_was_set(level_ua: float, millivolts: int) -> None:
    with SimulatedPpk2(feed(level_ua)) as simulator, Ppk2(simulator.address, {}) as source:
        source.configure(Setup(voltage_mv=millivolts))
        source.start()
        block = None
        while block is None:
            block = source.read(2.0)
        number = int(block.ranges[0])
        step = CALIBRATION.step_ua(number) * 1.2
        assert float(np.median(block.current_ua)) == pytest.approx(level_ua, abs=step)
        source.stop()
    # What the metadata's VDD would have given: the simulator does not hide the difference.
    other = CALIBRATION.current_ua(
        number, CALIBRATION.adc(number, np.array([level_ua]), float(millivolts)), 3000.0
    )[0]
    shift = CALIBRATION.s[number] * CALIBRATION.ug[number] * (3000 - millivolts) * 1e3
    assert other - level_ua == pytest.approx(shift, rel=1e-6, abs=1e-6)


def test_the_terms_are_those_of_nordics_conversion() -> None:
    adc, number, volts = 4321.0, 2, 1.8
    known = CALIBRATION
    a = (4 * adc - known.o[number]) * ADC_VOLT_PER_COUNT / known.r[number]
    amps = known.ug[number] * (
        a * (known.gs[number] * a + known.gi[number]) + known.s[number] * volts + known.i[number]
    )
    found = known.current_ua(number, np.array([adc]), 1800.0)[0]
    assert found == pytest.approx(amps * 1e6, rel=1e-12)
    assert known.adc(number, np.array([found]), 1800.0)[0] == pytest.approx(adc, rel=1e-9)
    assert len(RANGE_TOPS_UA) == RANGES - 1


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("R0", "0", True),
        ("R3", "-nan", True),
        ("GI3", "-nan", True),
        ("GI1", "0.0000", True),
        ("S4", "nan", True),
        ("GS0", "0.0000", False),
        ("UG2", "0", False),
        ("S1", "0.000000000", False),
        ("O4", "0", False),
    ],
)
def test_a_constant_that_a_unit_does_not_have_is_nordics(key: str, text: str, told: bool) -> None:
    found = parse_metadata(metadata(**{key: text}))
    prefix, number = key[:-1], int(key[-1])
    assert getattr(found, prefix.lower())[number] == DEFAULTS[prefix][number]
    assert found.replaced == ((key,) if told else ())
    assert np.isfinite(found.table(3000.0)).all()


def test_old_units_without_voltage_terms_and_user_gains_are_whole() -> None:
    lines = metadata().splitlines()
    text = "\n".join(line for line in lines if line[:1] not in "SIU" or line == "END")
    found = parse_metadata(text)
    assert found.replaced == ()
    assert found.ug == (1.0,) * RANGES


@pytest.mark.parametrize("value", ["0", "1", ""])
def test_a_unit_that_says_calibrated_0_is_used(value: str) -> None:
    assert parse_metadata(metadata(Calibrated=value)).calibrated is (value == "1")


@pytest.mark.parametrize("count", [2, 3, 9, 40])
def test_glitches_at_switches_that_follow_each_other_are_one(count: int) -> None:
    """A current at the border of two ranges: every switch rings, and none has time to settle."""
    words = np.full(
        300, int(CALIBRATION.adc(2, np.array([5000.0]), 3000.0)[0]) | 2 << 14, np.uint32
    )
    high = int(CALIBRATION.adc(3, np.array([5000.0]), 3000.0)[0]) | 3 << 14
    ringing = int(CALIBRATION.adc(3, np.array([30_000.0]), 3000.0)[0]) | 3 << 14
    low_ringing = int(CALIBRATION.adc(2, np.array([30_000.0]), 3000.0)[0]) | 2 << 14
    for place in range(100, 100 + 2 * count, 2):
        words[place] = ringing
        words[place + 1] = low_ringing
    words[100 + 2 * count] = low_ringing
    words[200:] = high
    words[200:202] = ringing
    words |= (np.arange(300, dtype=np.uint32) & 63) << np.uint32(18)
    decoder = WordDecoder(CALIBRATION.table(3000.0))
    blocks = [decoder.feed(words.astype("<u4").tobytes()), decoder.flush()]
    current = np.concatenate([block.current_ua for block in blocks if block is not None])
    flags = np.concatenate([block.flags for block in blocks if block is not None])
    assert len(current) == 300
    assert current == pytest.approx(5000.0, abs=60.0)
    assert not (flags & Flag.SUSPECT).any()


def test_a_range_that_never_settles_is_doubted() -> None:
    words = (2 + (np.arange(40_000, dtype=np.uint32) // 2 & 1)) << np.uint32(14) | np.uint32(3000)
    words |= (np.arange(40_000, dtype=np.uint32) & 63) << np.uint32(18)
    decoder = WordDecoder(CALIBRATION.table(3000.0))
    data = words.astype("<u4").tobytes()
    blocks = [decoder.feed(data[at : at + 4000]) for at in range(0, len(data), 4000)]
    flags = np.concatenate([b.flags for b in [*blocks, decoder.flush()] if b is not None])
    assert len(flags) == 40_000
    assert (flags & Flag.SUSPECT != 0).mean() > 0.9


class TestForeignClients:
    """Other people's clients against the simulated unit: every sample, and the same currents."""

    @pytest.mark.parametrize("millivolts", [1800, 3300])
    @pytest.mark.parametrize("level_ua", LEVELS_UA)
    def test_ppk2_api(self, level_ua: float, millivolts: int) -> None:
        api = pytest.importorskip("ppk2_api.ppk2_api", reason="ppk2-api is not installed")
        source = feed(level_ua)
        with SimulatedPpk2(source) as simulator:
            client = api.PPK2_API(simulator.address, timeout=1, write_timeout=1, exclusive=True)
            assert client.get_modifiers()
            client.use_source_meter()
            client.set_source_voltage(millivolts)
            client.toggle_DUT_power("ON")
            client.start_measuring()
            data = b""
            while len(data) < 4 * source.count:
                data += client.ser.read(4096)
            samples, _ = client.get_samples(data)
            client.stop_measuring()
            client.ser.close()
        assert len(samples) == source.count
        settled = np.array(samples[10:])
        assert float(np.median(settled)) == pytest.approx(level_ua, rel=2e-3, abs=0.1)
        assert math.isfinite(float(settled.max()))

    def test_ppk2lab(self) -> None:
        lab = pytest.importorskip("ppk2lab", reason="ppk2lab is not installed")
        source = feed(2_000.0, noise_ua=1.0)
        with (
            SimulatedPpk2(source) as simulator,
            lab.PPK2.open(port=simulator.address) as client,
        ):
            mode = client.set_mode(lab.Mode.SOURCE)
            volts = client.set_source_voltage_mv(1800)
            assert mode.observed_after
            assert volts.observed_after
            assert not mode.warnings + volts.warnings
            with client.stream(sample_limit=source.count) as events:
                blocks = list(events)
            assert not [block for block in blocks if isinstance(block, lab.GapEvent)]
            currents = np.concatenate([client.calibration.convert_block(block) for block in blocks])
        assert len(currents) == source.count
        assert float(np.median(currents)) == pytest.approx(2_000.0, rel=1e-3)
