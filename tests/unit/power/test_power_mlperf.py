"""MLPerf Tiny's energy mode through a PowerShield, and its results through the audit."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from npubench.audit.check import audit
from npubench.power.capture.rig import Playback, capture_playback, choose_power, open_power
from npubench.power.energy.edges import Edge, EdgeFinder, Wiring
from npubench.power.energy.mlperf import TimestampWindow, pair_marks, timestamp_windows
from npubench.power.energy.refusal import Reason
from npubench.power.simulators.trace import Piece, Trace

PULSE_S, UPLOAD_S, INFER_S, INFERENCES, FILES = 60e-6, 1.6, 10.4, 40, 5
ACTIVE_UA, WAIT_UA, SUPPLY_MV = 7000.0, 2000.0, 1800.0


def session() -> Trace:
    """A mark to begin with, then per file an upload and an ``infer`` between two short pulses."""
    pulse = Piece(seconds=PULSE_S, current_ua=WAIT_UA, level=1)
    pieces = [Piece(seconds=0.02, current_ua=WAIT_UA), pulse]
    for _ in range(FILES):
        pieces += [
            Piece(seconds=UPLOAD_S, current_ua=WAIT_UA),
            pulse,
            Piece(seconds=INFER_S - PULSE_S, current_ua=ACTIVE_UA),
            pulse,
        ]
    return Trace([*pieces, Piece(seconds=1.5, current_ua=WAIT_UA)], supply_mv=SUPPLY_MV)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> tuple[TimestampWindow, ...]:
    trace = session()
    plain = choose_power("lpm01a-sim")
    options = {"freq_hz": 1000, "output": "energy"}
    choice = replace(plain, instrument=plain.instrument.model_copy(update={"options": options}))
    folder = tmp_path_factory.mktemp("mlperf") / "power"
    with open_power(choice, Playback(trace=trace, trouble_s=1.0)) as opened:
        capture = capture_playback(opened, folder, samples=opened.feed.count if opened.feed else 0)
    finder = EdgeFinder(Wiring(codes=(), busy=7))
    for block in capture.blocks():
        finder.feed(block)
    pairs = pair_marks(finder.edges(), rate_hz=capture.traits.rate_hz, infer_count=FILES)
    assert not isinstance(pairs, Reason)
    return timestamp_windows(
        capture.blocks(), pairs, rate_hz=capture.traits.rate_hz, voltage_mv=SUPPLY_MV
    )


def test_short_pulses_are_seen_and_pair_to_the_inferences(
    windows: tuple[TimestampWindow, ...],
) -> None:
    assert len(windows) == FILES
    truth = (ACTIVE_UA * (INFER_S - PULSE_S) + WAIT_UA * PULSE_S) * SUPPLY_MV * 1e-3
    for window in windows:
        assert window.seconds == pytest.approx(INFER_S, rel=1e-3)
        # The simulated unit's gain is off by what it was drawn from, 1 % at one sigma.
        assert window.energy_uj == pytest.approx(truth, rel=0.03)


def test_what_was_measured_passes_the_audit(
    windows: tuple[TimestampWindow, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "kws" / "energy"
    folder.mkdir(parents=True)
    rate, now = 1000.0, 2.0
    marks, log, samples = [0.02], ["00100.000 emon: m-trace[on]"], [np.full(2000, 3.6)]
    for window in windows:
        count = round(window.seconds * rate)
        marks += [now, now + count / rate]
        samples += [np.full(count, window.energy_uj / count), np.full(1600, 3.6)]
        log += [
            f"{100 + now:09.3f} io: [dut]: m-infer-start-{INFERENCES}",
            f"{100 + now + count / rate:09.3f} io: [dut]: m-infer-done",
        ]
        now += count / rate + 1.6
    log.append("00200.000 emon: m-voltage-mv[1800]")
    median = sorted(window.energy_uj for window in windows)[FILES // 2] / INFERENCES
    (folder / "log.txt").write_text("\n".join(log) + "\n")
    (folder / "results.txt").write_text(
        f"00201.0 ulp: Median energy cost is {median:.3f} uJ/inf.\n"
    )
    (folder / "trace1-timestamps.json").write_text(json.dumps([round(m, 3) for m in marks]))
    trace = np.concatenate(samples).astype("<f4").tobytes()
    (folder / "trace1-energy.bin").write_bytes(b"\xf1" + struct.pack("<f", rate) + trace)
    assert audit([tmp_path]).findings == ()


def test_edges_within_the_hold_off_are_one_mark_and_a_missing_one_is_refused() -> None:
    edges = [Edge(place=place, before=0, after=1) for place in (10.0, 12.0, 2000.0, 9000.0)]
    assert pair_marks(edges, rate_hz=100_000.0, infer_count=1) == ((2000.0, 9000.0),)
    found = pair_marks(edges[:-1], rate_hz=100_000.0, infer_count=1)
    assert isinstance(found, Reason)
    assert found.cause == "markers-unmatched"
