"""Promise: windows of a foreign capture add up to what was drawn in them, or say why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from npubench.cli.app import run_words
from npubench.core.errors import MonitorError, UsageError
from npubench.power.capture.gated import gated, level_windows, time_windows
from npubench.power.capture.imported import import_file
from npubench.power.parts import Capture

RATE_HZ = 1000


def _table(
    tmp_path: Path, level: np.ndarray, current_ua: np.ndarray, volts: np.ndarray | None = None
) -> Capture:
    head = "Timestamp(ms),Current(uA),D0" + ("" if volts is None else ",Voltage(V)")
    rows = [
        f"{at},{now:.3f},{int(bit)}" + ("" if volts is None else f",{volts[at]:.4f}")
        for at, (now, bit) in enumerate(zip(current_ua, level, strict=True))
    ]
    path = tmp_path / "foreign.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return import_file(path, tmp_path / "capture", {}, voltage_mv=3000.0).capture


def _pulses(*spans: tuple[int, int], count: int = 2000) -> np.ndarray:
    level = np.zeros(count)
    for begin, end in spans:
        level[begin:end] = 1
    return level


def test_each_high_level_is_a_window_with_its_energy(tmp_path: Path) -> None:
    level = _pulses((100, 300), (500, 1100))
    capture = _table(tmp_path, level, 50 + 9950 * level)
    found = gated(capture, level_windows(capture, bit=0))
    assert [window.seconds for window in found] == pytest.approx([0.2, 0.6])
    assert [window.begin_s for window in found] == pytest.approx([0.1, 0.5], abs=0.001)
    # 10 mA at 3 V are 30 mW; the edge lies half a sample into the idle current
    for window in found:
        assert window.energy_uj == pytest.approx(30_000 * window.seconds, rel=0.005)
        assert window.mean_ua == pytest.approx(10_000, rel=0.005)


def test_low_levels_and_a_measured_voltage(tmp_path: Path) -> None:
    level = 1 - _pulses((400, 800), (1200, 1300))
    volts = np.where(level == 0, 1.8, 3.3)
    capture = _table(tmp_path, level, np.full(2000, 1000.0), volts)
    found = gated(capture, level_windows(capture, bit=0, active_low=True))
    assert [window.mean_mv for window in found] == pytest.approx([1800, 1800], rel=1e-3)
    assert [window.energy_uj for window in found] == pytest.approx([720, 180], rel=0.01)


def test_a_window_that_the_capture_cuts_is_left_out(tmp_path: Path) -> None:
    capture = _table(tmp_path, _pulses((0, 50), (700, 900), (1900, 2000)), np.full(2000, 10.0))
    assert len(level_windows(capture, bit=0)) == 1


def test_times_and_what_is_none(tmp_path: Path) -> None:
    capture = _table(tmp_path, _pulses((5, 10)), np.full(2000, 2000.0))
    (window,) = gated(capture, time_windows(capture, [(0.25, 1.5)]))
    assert window.energy_uj == pytest.approx(7500, rel=1e-6)
    for span in ((1.0, 1.0), (-0.1, 1.0), (1.0, 2.5), (1.5, 0.5)):
        with pytest.raises(UsageError, match="is no span of a capture of 2 s"):
            time_windows(capture, [span])


def test_an_input_that_is_not_there_or_never_changes(tmp_path: Path) -> None:
    capture = _table(tmp_path, np.ones(2000), np.full(2000, 10.0))
    with pytest.raises(MonitorError, match="no whole high level"):
        level_windows(capture, bit=0)
    with pytest.raises(UsageError, match="digital inputs, and none is number"):
        level_windows(capture, bit=8)


def test_a_window_with_lost_samples_has_no_energy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    current = np.full(2000, 100.0)
    current[650] = np.nan
    capture = _table(tmp_path, _pulses((100, 300), (600, 700)), current)
    good, bad = gated(capture, level_windows(capture, bit=0))
    assert good.energy_uj is not None
    assert bad.energy_uj is None
    assert "are missing" in bad.reason
    assert run_words(["power", "windows", str(capture.folder), "--input", "0", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["median_energy_uj"] == pytest.approx(good.energy_uj)
    assert run_words(["power", "windows", str(capture.folder), "--between", "0.1:0.2"]) == 0
    assert "Median energy: 30 uJ over 1 of 1 windows" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["--input", "0", "--between", "0:1"], ["--between", "1"], ["--between", "a:b"]],
    ids=["none", "both", "half", "words"],
)
def test_words_that_name_no_windows(tmp_path: Path, words: list[str]) -> None:
    capture = _table(tmp_path, _pulses((5, 10)), np.full(2000, 10.0))
    with pytest.raises(UsageError):
        run_words(["power", "windows", str(capture.folder), *words])
