"""A trace keeps every peak and every charge, however few bins it is cut into."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path

import numpy as np
import pytest

from npubench.power.parts import PartsWriter
from npubench.power.source.interface import Identity, LossReport, Traits, block_of
from npubench.report.trace import STATIC_COLUMNS, Trace, read_trace

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


def unpacked(trace: Trace) -> list[np.ndarray]:
    """As the page's script reads it: planes of bytes, then the columns after each other."""
    packed = trace.packed()
    raw = np.frombuffer(zlib.decompress(base64.b64decode(str(packed["data"]))), np.uint8)
    count, columns = len(trace.mean_ua), int(str(packed["columns"]))
    return [
        np.ascontiguousarray(part.reshape(4, count).T).view("<f4").ravel()
        for part in raw.reshape(columns, 4 * count)
    ]


@pytest.mark.parametrize("most", [1 << 19, 5_000, 777])
def test_bins_keep_every_peak_and_the_charge(tmp_path: Path, most: int) -> None:
    current_ua = captured(tmp_path / "c")
    trace = read_trace(tmp_path / "c", path="data/x", voltage_mv=3000.0, most_bins=most)
    assert trace is not None
    assert trace.seconds == SAMPLES / 1e5
    assert len(trace.mean_ua) <= most
    assert trace.high_ua.max() == 9000.0
    assert trace.low_ua.min() == current_ua.min()
    counts = np.full(len(trace.mean_ua), trace.per_bin)
    counts[-1] = SAMPLES - trace.per_bin * (len(trace.mean_ua) - 1)
    whole = float((trace.mean_ua.astype(np.float64) * counts).sum())
    assert whole == pytest.approx(float(current_ua.astype(np.float64).sum()), rel=1e-6)
    low, high, mean = unpacked(trace) if trace.per_bin > 1 else [unpacked(trace)[0]] * 3
    assert np.array_equal(low, trace.low_ua)
    assert np.array_equal(high, trace.high_ua)
    assert np.array_equal(mean, trace.mean_ua)
    strokes, top = trace.sketch(1000, 100)
    assert len(re.findall("M", strokes)) <= STATIC_COLUMNS
    assert top == pytest.approx(9000 * 1.08)


def test_what_was_lost_is_in_no_bin(tmp_path: Path) -> None:
    """A gap stays a gap; a bin's mean is that of the samples that it has."""
    traits = Traits(rate_hz=1e5, marker_bits=0)
    identity = Identity(driver="virtual", model="test", serial="")
    first = np.full(1000, 5.0, np.float32)
    first[::2] = np.nan
    with PartsWriter(tmp_path / "c", identity=identity, traits=traits) as writer:
        writer.add(block_of(0, first))
        writer.add(block_of(1000, np.full(1000, np.nan, np.float32)))
        writer.add(block_of(2000, np.full(1000, 7.0, np.float32)))
        writer.finish(LossReport())
    trace = read_trace(tmp_path / "c", path="data/x", voltage_mv=None, most_bins=30)
    assert trace is not None
    assert np.all(trace.mean_ua[:10] == 5.0)
    assert np.all(np.isnan(trace.mean_ua[10:20]))
    assert np.all(trace.mean_ua[20:] == 7.0)
