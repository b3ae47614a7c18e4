"""The trace on the report's page holds every column, the fine ones for the script that zooms."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np

from npubench.power.parts import PartsWriter
from npubench.power.source.interface import Identity, LossReport, Traits, block_of
from npubench.report.pages.energy import COLUMNS, FINE, NOTHING, _picture

SAMPLES = 200_000


def captured(folder: Path) -> np.ndarray:
    current_ua = np.linspace(100.0, 5000.0, SAMPLES, dtype=np.float32)
    current_ua[SAMPLES // 2] = 9000.0
    traits = Traits(rate_hz=1e5, marker_bits=0)
    identity = Identity(driver="virtual", model="test", serial="")
    with PartsWriter(folder, identity=identity, traits=traits) as writer:
        writer.add(block_of(0, current_ua))
        writer.finish(LossReport())
    return current_ua


def test_the_picture_holds_the_whole_capture_and_its_peak(tmp_path: Path) -> None:
    current_ua = captured(tmp_path / "c")
    seconds, picture = _picture(tmp_path / "c", "board")
    assert seconds == SAMPLES / 1e5
    assert picture is not None
    drawn = re.findall(r"[ML](\d+),([\d.]+)V", re.search(r'<path d="([^"]*)"', picture)[1])
    assert len(drawn) == COLUMNS
    assert int(drawn[-1][0]) == FINE - FINE // COLUMNS
    packed = base64.b64decode(re.search(r'data-envelope="([^"]*)"', picture)[1])
    low, high = np.frombuffer(packed, "<u2").reshape(FINE, 2).T / (NOTHING - 1) * 9000.0 * 1.08
    assert abs(high.max() - 9000.0) < 1.0
    assert abs(low.min() - current_ua.min()) < 1.0
    assert np.all(high >= low)
