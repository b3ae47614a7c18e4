"""What arrives is kept, whatever happens next; and the PPK2's words are read right."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from npubench.cli.main import run
from npubench.core.errors import ConfigError, MonitorError, ResultError, StorageError, UsageError
from npubench.power.capture.free import calibrate, capture_for, totals
from npubench.power.capture.rig import choose_power, open_power
from npubench.power.parts import PartsWriter, read_capture
from npubench.power.plot.envelope import envelope
from npubench.power.plot.png import COLOURS, MARGIN_LEFT, TRACE, Shade, trace_png
from npubench.power.registry import driver_names, load_driver
from npubench.power.simulators.ppk2 import CALIBRATION
from npubench.power.source.benchfile import read_bench
from npubench.power.source.failure import InstrumentUncalibrated
from npubench.power.source.interface import Block, Flag, Identity, LossReport, Traits, block_of
from npubench.power.wire.ppk2 import WordDecoder, parse_metadata

TABLE = CALIBRATION.table(CALIBRATION.vdd_mv)
IDENTITY = Identity(driver="virtual", model="test", serial="")


def words(count: int, *, start: int = 0, adc: int = 5000, number: int = 2) -> bytes:
    counters = (start + np.arange(count, dtype=np.uint32)) & 63
    raw = np.uint32(adc) | np.uint32(number << 14) | (counters << np.uint32(18))
    raw |= (np.arange(count, dtype=np.uint32) // 10 % 8) << np.uint32(24)
    return raw.astype("<u4").tobytes()


def decode(*pieces: bytes) -> tuple[Block, LossReport]:
    decoder = WordDecoder(TABLE)
    blocks = [block for piece in pieces if (block := decoder.feed(piece)) is not None]
    last = decoder.flush()
    blocks += [] if last is None else [last]
    joined = Block(
        first=0,
        current_ua=np.concatenate([block.current_ua for block in blocks]),
        markers=np.concatenate([block.markers for block in blocks]),
        ranges=np.concatenate([block.ranges for block in blocks]),
        flags=np.concatenate([block.flags for block in blocks]),
    )
    return joined, decoder.loss()


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 4000), max_size=12), start=st.integers(0, 63))
def test_pieces_of_any_size_give_the_same_samples(cuts: list[int], start: int) -> None:
    data = words(1000, start=start)
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    whole, _ = decode(data)
    joined, loss = decode(*pieces)
    assert np.array_equal(whole.current_ua, joined.current_ua)
    assert np.array_equal(whole.markers, joined.markers)
    assert (loss.received_count, loss.lost_count) == (1000, 0)


def test_the_current_follows_the_calibration() -> None:
    block, _ = decode(words(100, adc=1234, number=3))
    expected = CALIBRATION.current_ua(3, np.array([1234.0]), CALIBRATION.vdd_mv)[0]
    assert block.current_ua == pytest.approx(expected, rel=1e-6)
    assert set(block.ranges.tolist()) == {3}


@settings(max_examples=60, deadline=None)
@given(at=st.integers(40, 900), lost=st.integers(1, 63))
def test_a_gap_in_the_counter_becomes_lost_samples_in_its_place(at: int, lost: int) -> None:
    data = words(1000)
    block, loss = decode(data[: 4 * at] + data[4 * (at + lost) :])
    assert len(block) == 1000
    assert loss.lost_count == lost
    assert np.flatnonzero(block.flags & Flag.LOST).tolist() == list(range(at, at + lost))
    assert np.isnan(block.current_ua[at])


@pytest.mark.parametrize("lost", [1, 23, 40])
def test_a_gap_is_the_same_wherever_the_bytes_are_cut(lost: int) -> None:
    """What a loaded host reads in other pieces: levels stay over the gap, no edge is invented."""
    data = words(1000)
    at = 455  # in the middle of a level that is not 0
    kept = data[: 4 * at] + data[4 * (at + lost) :]
    whole, _ = decode(kept)
    assert set(whole.markers[at : at + lost].tolist()) == {int(whole.markers[at - 1])} != {0}
    for cut in range(4 * at - 40, 4 * at + 140):
        block, loss = decode(kept[:cut], kept[cut:])
        assert loss.lost_count == lost
        assert np.array_equal(block.markers, whole.markers), cut
        assert np.array_equal(block.flags, whole.flags), cut


@settings(max_examples=60, deadline=None)
@given(at=st.integers(100, 3000), count=st.integers(1, 40))
def test_bytes_that_are_lost_cost_their_samples_and_no_more(at: int, count: int) -> None:
    data = words(1000)
    block, loss = decode(data[:at] + data[at + count :])
    assert len(block) == 1000
    assert 1 <= loss.lost_count <= count // 4 + 2
    kept = block.flags == 0
    assert np.unique(block.current_ua[kept]).size == 1


def test_garbage_never_becomes_samples_that_look_right() -> None:
    generator = np.random.default_rng(3)
    garbage = generator.integers(0, 256, 400, np.uint8).tobytes()
    block, loss = decode(words(200) + garbage + words(300, start=44))
    believed = block.current_ua[block.flags == 0]
    assert np.unique(believed).size == 1
    assert loss.lost_count >= 1


def test_a_lone_sample_in_another_range_is_doubted_and_switches_are_filtered() -> None:
    raw = np.frombuffer(words(200), "<u4").copy()
    raw[50] = (raw[50] & ~np.uint32(7 << 14)) | np.uint32(4 << 14)
    raw[100:] = (raw[100:] & ~np.uint32(7 << 14)) | np.uint32(3 << 14)
    raw[100] ^= np.uint32(0x1000)
    block, loss = decode(raw.tobytes())
    assert block.flags[50] & Flag.SUSPECT
    assert loss.suspect_count == 1
    assert [int(flag) for flag in block.flags[100:104]] == [Flag.FILTERED] * 3 + [0]
    assert np.unique(block.current_ua[100:]).size == 1


@pytest.mark.parametrize("text", ["R0: -3", "R2: inf", "O1: x", "VDD: 3000"])
def test_a_calibration_that_cannot_be_used_is_an_error(text: str) -> None:
    with pytest.raises(InstrumentUncalibrated, match=text.partition(":")[0]):
        parse_metadata(f"Calibrated: 1\n{text}\nEND\n")


def test_a_capture_is_read_back_as_it_was(tmp_path: Path) -> None:
    traits = Traits(rate_hz=1000.0, marker_bits=3)
    values = np.arange(5000, dtype=np.float32)
    with PartsWriter(tmp_path / "c", identity=IDENTITY, traits=traits) as writer:
        for start in range(0, 5000, 700):
            writer.add(block_of(start, values[start : start + 700]))
        writer.finish(LossReport(received_count=5000))
    capture = read_capture(tmp_path / "c")
    assert np.concatenate([block.current_ua for block in capture.blocks()]).tolist() == list(values)
    assert capture.traits == traits
    assert capture.loss == LossReport(received_count=5000)
    assert len(capture.parts) >= 2


def test_a_capture_is_never_written_over(tmp_path: Path) -> None:
    writer = PartsWriter(tmp_path, identity=IDENTITY, traits=Traits(rate_hz=10.0, marker_bits=0))
    with writer:
        writer.add(block_of(0, np.zeros(50, np.float32)))
    with pytest.raises(StorageError, match="already"):
        writer.__enter__()
    with pytest.raises(ResultError, match="no capture"):
        read_capture(tmp_path / "absent")


_CHILD = """
import sys, numpy as np
from pathlib import Path
from npubench.power.parts import PartsWriter
from npubench.power.source.interface import Identity, Traits, block_of
traits = Traits(rate_hz=100_000.0, marker_bits=3)
writer = PartsWriter(Path(sys.argv[1]), identity=Identity(driver="t", model="t", serial=""),
                     traits=traits)
writer.__enter__()
first = 0
while True:
    writer.add(block_of(first, np.arange(first, first + 10_000, dtype=np.float32)))
    first += 10_000
"""


def test_a_killed_process_leaves_its_finished_samples(
    tmp_path: Path, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "c"
    environment = {**os.environ, "PYTHONPATH": f"{checkout / 'compiler'}:{checkout / 'host'}"}
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(folder)], env=environment)
    try:
        end = time.monotonic() + 60
        while len(list(folder.glob("part-*.parquet"))) < 3 and time.monotonic() < end:
            os.sched_yield()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    capture = read_capture(folder)
    assert capture.loss is None
    samples = np.concatenate([block.current_ua for block in capture.blocks()])
    assert len(samples) >= 300_000
    assert np.array_equal(samples, np.arange(len(samples), dtype=np.float32))
    assert run(["power", "view", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["totals"]["samples"] == len(samples)
    assert "killed" in shown["ended"]


def test_a_stored_capture_can_be_replayed(tmp_path: Path) -> None:
    stored = capture_for(choose_power("ppk2-sim"), tmp_path / "a", seconds=0.3)
    bench = tmp_path / "bench.toml"
    bench.write_text(f'schema = 1\n[power.again]\ndriver = "replay"\nport = "{tmp_path / "a"}"\n')
    choice = choose_power("again", bench=bench)
    again = capture_for(choice, tmp_path / "b", seconds=0.3)
    assert totals(again).mean_ua == totals(stored).mean_ua
    assert not again.identity.is_physical


def test_calibration_states_what_may_be_claimed(tmp_path: Path) -> None:
    stored = capture_for(choose_power("virtual"), tmp_path / "a", seconds=0.2)
    found = calibrate(stored, reference_ua=5000.0, reference_ratio=0.001)
    assert found.error_ratio == pytest.approx(0.0, abs=1e-6)
    assert found.gain_ratio == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "fault", "reason"),
    [
        ("ppk2-sim", "counter-gap", "samples-lost"),
        ("ppk2-sim", "saturation", "saturated"),
        ("ppk2-sim", "uncalibrated", ""),
        ("ppk2-sim", "nan-calibration", ""),
        ("ppk2-sim", "disconnect", "stream-ended"),
        ("lpm01a-sim", "swapped-bytes", "suspect-samples"),
        ("otii-sim", "silence", "stream-ended"),
        ("adi-evkit-sim", "silence", "stream-ended"),
        ("ppk2-sim", "split-words", ""),
        ("otii-sim", "clock-off", ""),
    ],
)
def test_a_free_capture_says_what_speaks_against_it(
    name: str, fault: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["power", "capture", name, "--power-fault", fault, "--seconds", "0.9", "--json"]
    if name.startswith("adi"):
        words[-2] = "1"
    code = run([*words, "-o", str(tmp_path / "a")])
    found = json.loads(capsys.readouterr().out)["reasons"]
    assert [text.split(":")[0] for text in found if text.startswith(reason)] == (
        [reason] if reason else []
    )
    assert bool(found) == bool(reason)
    assert code == (1 if reason else 0)


def test_a_spike_at_each_switch_changes_no_mean(tmp_path: Path) -> None:
    right, spiked = (
        totals(capture_for(choose_power("ppk2-sim", faults), tmp_path / name, seconds=0.3))
        for name, faults in (("a", []), ("b", ["range-spike"]))
    )
    assert spiked.mean_ua == pytest.approx(right.mean_ua, rel=1e-5)
    assert spiked.high_ua == pytest.approx(right.high_ua, rel=1e-5)


@pytest.mark.parametrize("reference_ua", [0.0, float("nan"), float("inf")])
def test_a_current_that_tells_no_gain_calibrates_nothing(
    reference_ua: float, tmp_path: Path
) -> None:
    stored = capture_for(choose_power("virtual"), tmp_path / "a", seconds=0.2)
    with pytest.raises(UsageError, match="tells no gain"):
        calibrate(stored, reference_ua=reference_ua, reference_ratio=0.001)


def test_a_capture_with_gaps_calibrates_nothing(tmp_path: Path) -> None:
    stored = capture_for(choose_power("ppk2-sim", ["counter-gap"]), tmp_path / "a", seconds=0.2)
    with pytest.raises(MonitorError, match="lost"):
        calibrate(stored, reference_ua=5000.0, reference_ratio=0.001)


def test_a_slow_instrument_is_given_the_time_that_was_asked_for(tmp_path: Path) -> None:
    stored = capture_for(choose_power("adi-evkit-sim"), tmp_path / "a", seconds=5.0)
    assert totals(stored).samples >= 5


def test_a_capture_needs_no_pandas(tmp_path: Path, checkout: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        " from npubench.power.capture.free import capture_for, totals;"
        " from npubench.power.capture.rig import choose_power;"
        " stored = capture_for(choose_power('ppk2-sim'), Path(sys.argv[1]), seconds=0.1);"
        " assert totals(stored).samples;"
        " bad = {'pandas', 'scipy', 'plotly'} & set(sys.modules); assert not bad, bad"
    )
    environment = {**os.environ, "PYTHONPATH": f"{checkout / 'compiler'}:{checkout / 'host'}"}
    command = [sys.executable, "-c", code, str(tmp_path / "a")]
    subprocess.run(command, check=True, timeout=120, env=environment)


@pytest.mark.parametrize("damage", ["cut", "column"])
def test_a_damaged_part_is_named(damage: str, tmp_path: Path) -> None:
    stored = capture_for(choose_power("virtual"), tmp_path / "a", seconds=0.2)
    part = stored.parts[0]
    if damage == "cut":
        part.write_bytes(part.read_bytes()[:-20])
    else:
        from pyarrow import parquet

        parquet.write_table(parquet.ParquetFile(part).read().drop_columns(["flags"]), part)
    with pytest.raises(ResultError, match=part.name):
        totals(stored)


@pytest.mark.parametrize("name", ["virtual", "ppk2-sim", "my-sim"])
def test_an_instrument_cannot_take_a_simulators_name(name: str, tmp_path: Path) -> None:
    bench = tmp_path / "bench.toml"
    bench.write_text(f'schema = 1\n[power.{name}]\ndriver = "ppk2"\nserial = "1"\n')
    with pytest.raises(ConfigError, match=name):
        read_bench(bench)


def test_a_mistake_in_bench_toml_is_shown_with_its_key(tmp_path: Path) -> None:
    bench = tmp_path / "bench.toml"
    bench.write_text('schema = 1\n[power.a]\ndriver = "ppk2"\nvolts = 3\n')
    with pytest.raises(ConfigError) as caught:
        read_bench(bench)
    assert "power.a.volts" in caught.value.message
    bench.write_text('schema = 1\n[power.a]\ndriver = "ppk2"\n')
    with pytest.raises(ConfigError, match="serial number"):
        read_bench(bench)


def test_an_instrument_that_is_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    bench = tmp_path / "bench.toml"
    bench.write_text('schema = 1\n[power.a]\ndriver = "ppk2"\nserial = "C0FFEE"\n')
    with pytest.raises(MonitorError, match="C0FFEE"), open_power(choose_power("a", bench=bench)):
        raise AssertionError("opened something")


@pytest.mark.parametrize("name", driver_names())
def test_every_driver_module_is_a_driver(name: str) -> None:
    driver = load_driver(name)
    assert driver.name == name
    assert driver.title


def test_an_envelope_keeps_every_peak_and_draws_it() -> None:
    values = np.zeros(100_000, np.float32)
    values[54_321] = 77.0
    blocks = [block_of(start, values[start : start + 7777]) for start in range(0, 100_000, 7777)]
    found = envelope(blocks, first=0, stop=100_000, columns=1000)
    assert found.high_ua[543] == 77.0
    assert found.high_ua.max() == 77.0
    assert np.delete(found.high_ua, 543).max() == 0.0
    picture = trace_png(
        found, [Shade(stage="infer", begin=100, end=500)], rate_hz=1e5, title="test"
    )
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    drawn = [MARGIN_LEFT + column for column in (542, 543, 544)]
    half = image.height // 2
    assert [image.getpixel((column, half)) == TRACE for column in drawn] == [False, True, False]
    assert image.getpixel((MARGIN_LEFT + 3, half)) == COLOURS["infer"]
    identity = replace(IDENTITY, serial="1")
    assert identity.is_physical
