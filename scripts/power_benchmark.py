"""How fast the PPK2's words are decoded and a capture is written, and in how much memory.

    python scripts/power_benchmark.py [--samples N] [--hours H] [--speed X]

Beside the vectorised decoder a plain one decodes the same bytes sample by sample, as drivers
usually do, and that of ppk2-api where it is installed; it is never needed.

The capture goes from bytes to Parquet as in a bench (decoder, reader's and writer's thread), on one
core, at --speed times 1 MS/s, and ends in an error if a sample is lost. Parts are counted and
deleted as they are finished, so that no disk fills.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pyarrow.parquet import ParquetFile

from npubench.power.capture.recorder import Recorder
from npubench.power.simulators.ppk2 import CALIBRATION
from npubench.power.source.failure import RecordingEnded
from npubench.power.source.interface import Block, Identity, LossReport, Setup, Traits
from npubench.power.wire.ppk2 import (
    ADC_MAX,
    ADC_VOLT_PER_COUNT,
    WordDecoder,
)

CHUNK_BYTES = 1 << 16
PLAIN_SAMPLES = 200_000
RATE_HZ = 1_000_000


def stream(samples: int) -> bytes:
    """Words as a PPK2 sends them, with noise and two ranges."""
    generator = np.random.default_rng(1)
    adc = generator.integers(3000, 9000, samples, dtype=np.uint32)
    ranges = (np.arange(samples, dtype=np.uint32) // 50_000) % 2 + 2
    counter = np.arange(samples, dtype=np.uint32) & 63
    words = adc | (ranges << np.uint32(14)) | (counter << np.uint32(18))
    return words.astype("<u4").tobytes()


def plain(data: bytes) -> list[float]:
    """One sample after the other, with the calibration's formula; the counter is not looked at."""
    known = CALIBRATION
    out = []
    for place in range(0, len(data) - 3, 4):
        word = int.from_bytes(data[place : place + 4], "little")
        number = min((word >> 14) & 7, 4)
        a = (4 * (word & ADC_MAX) - known.o[number]) * ADC_VOLT_PER_COUNT / known.r[number]
        amps = known.ug[number] * (
            a * (known.gs[number] * a + known.gi[number])
            + known.s[number] * known.vdd_mv / 1000
            + known.i[number]
        )
        out.append(amps * 1e6)
    return out


def decoder_rate(data: bytes) -> float:
    """Samples per second of the vectorised decoder, fed in chunks as a port gives them."""
    decoder = WordDecoder(CALIBRATION.table(CALIBRATION.vdd_mv))
    begin = time.perf_counter()
    for place in range(0, len(data), CHUNK_BYTES):
        decoder.feed(data[place : place + CHUNK_BYTES])
    seconds = time.perf_counter() - begin
    assert decoder.loss().lost_count == 0
    return len(data) / 4 / seconds


def plain_rate(data: bytes) -> float:
    """Samples per second of the plain decoder; its values are those of the other."""
    part = data[: 4 * PLAIN_SAMPLES]
    begin = time.perf_counter()
    values = plain(part)
    seconds = time.perf_counter() - begin
    block = WordDecoder(CALIBRATION.table(CALIBRATION.vdd_mv)).feed(part)
    assert block is not None
    same = block.flags == 0
    expected = np.array(values[: len(block)])
    assert np.allclose(block.current_ua[same], expected[same], rtol=1e-5)
    return len(part) / 4 / seconds


def api_rate(data: bytes) -> float | None:
    """Samples per second of ppk2-api's decoder, where it is installed."""
    try:
        from ppk2_api.ppk2_api import PPK2_API
    except ImportError:
        return None
    api = PPK2_API.__new__(PPK2_API)
    for name, value in {
        "ser": None,
        "remainder": {"sequence": b"", "len": 0},
        "rolling_avg": None,
        "rolling_avg4": None,
        "prev_range": None,
        "after_spike": 0,
        "consecutive_range_samples": 0,
        "spike_filter_alpha": 0.18,
        "spike_filter_alpha5": 0.06,
        "spike_filter_samples": 3,
        "adc_mult": ADC_VOLT_PER_COUNT,
        "current_vdd": 3000,
        "MEAS_ADC": PPK2_API._generate_mask(api, 14, 0),
        "MEAS_RANGE": PPK2_API._generate_mask(api, 3, 14),
        "MEAS_LOGIC": PPK2_API._generate_mask(api, 8, 24),
        "modifiers": {
            name: {str(at): value for at, value in enumerate(row)}
            for name, row in (
                ("R", CALIBRATION.r),
                ("GS", CALIBRATION.gs),
                ("GI", CALIBRATION.gi),
                ("O", CALIBRATION.o),
                ("S", CALIBRATION.s),
                ("I", CALIBRATION.i),
                ("UG", CALIBRATION.ug),
            )
        },
    }.items():
        setattr(api, name, value)
    part = data[: 4 * PLAIN_SAMPLES]
    values: list[float] = []
    begin = time.perf_counter()
    for place in range(0, len(part), 4096):
        values += api.get_samples(part[place : place + 4096])[0]
    seconds = time.perf_counter() - begin
    block = WordDecoder(CALIBRATION.table(CALIBRATION.vdd_mv)).feed(part)
    assert block is not None
    # The filter after a range switch differs; elsewhere the values must be the same.
    same = np.isclose(block.current_ua, np.array(values[: len(block)]), rtol=1e-4)
    assert same.mean() > 0.999, same.mean()
    return len(part) / 4 / seconds


class Stream:
    """A source of PPK2 words at a rate of its own: what is due is decoded at each read."""

    def __init__(self, rate_hz: float, total: int) -> None:
        # A whole number of the counter's rounds, so that the end fits the beginning.
        self._bytes = stream(1 << 18)
        self._rate_hz = rate_hz
        self._total = total
        self._sent = 0
        self._begin_s = 0.0
        self._decoder = WordDecoder(CALIBRATION.table(CALIBRATION.vdd_mv))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def describe(self) -> Identity:
        return Identity(driver="ppk2", model="benchmark", serial="", simulated=True)

    def configure(self, setup: Setup) -> Traits:
        del setup
        return Traits(rate_hz=RATE_HZ, marker_bits=8)

    def start(self) -> None:
        self._begin_s = time.monotonic()

    def read(self, timeout_s: float) -> Block | None:
        due = int((time.monotonic() - self._begin_s) * self._rate_hz)
        count = min(due, self._total) - self._sent
        if self._sent >= self._total:
            raise RecordingEnded("all was sent")
        if count < CHUNK_BYTES // 4:
            time.sleep(min(timeout_s, 0.004))
        place = 4 * self._sent % len(self._bytes)
        data = self._bytes[place : place + 4 * max(0, min(count, CHUNK_BYTES))]
        self._sent += len(data) // 4
        return self._decoder.feed(data) if data else None

    def stop(self) -> Block | None:
        return self._decoder.flush()

    def loss(self) -> LossReport:
        return self._decoder.loss()


@dataclass(frozen=True)
class Captured:
    """How a capture went. ``core_ratio``: of one core, for each second at 1 MS/s."""

    samples: int
    rate_hz: float
    core_ratio: float
    peak_mib: float


def capture(hours: float, speed: float) -> Captured:
    """Capture ``hours`` at 1 MS/s, ``speed`` times as fast. Raises RuntimeError for a loss."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    total = int(hours * 3600 * RATE_HZ)
    kept = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "capture"
        source = Stream(speed * RATE_HZ, total)
        traits = source.configure(Setup())
        begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        with Recorder(source, folder, identity=source.describe(), traits=traits) as recorder:
            while not recorder.over:
                recorder.wait_samples(1 << 62, timeout_s=0.5)
                for part in sorted(folder.glob("part-*.parquet"))[:-1]:
                    kept += ParquetFile(part).metadata.num_rows
                    part.unlink()
            loss = recorder.stop()
        seconds, cpu_s = time.perf_counter() - begin_s, time.process_time() - begin_cpu_s
        kept += sum(ParquetFile(part).metadata.num_rows for part in folder.glob("part-*.parquet"))
    if loss.ended or loss.lost_count or kept != total:
        raise RuntimeError(f"{kept} of {total} samples were written: {loss}")
    return Captured(
        samples=kept,
        rate_hz=kept / seconds,
        core_ratio=cpu_s / (total / RATE_HZ),
        peak_mib=peak_mib(),
    )


def peak_mib() -> float:
    """The largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run all parts and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000_000)
    parser.add_argument("--hours", type=float, default=0.05)
    parser.add_argument("--speed", type=float, default=4.0)
    words = parser.parse_args()
    done = capture(words.hours, words.speed)
    say = sys.stdout.write
    say(
        f"capture: {done.samples} samples, none lost, {done.rate_hz / 1e6:.1f} MS/s on one core "
        f"(1 MS/s takes {100 * done.core_ratio:.0f} % of it), peak memory {done.peak_mib:.0f} MiB\n"
    )
    data = stream(words.samples)
    say(f"decoder, vectorised: {decoder_rate(data) / 1e6:.1f} MS/s\n")
    say(f"decoder, plain: {plain_rate(data) / 1e6:.3f} MS/s\n")
    found = api_rate(data)
    text = "not installed (pip install ppk2-api)" if found is None else f"{found / 1e6:.3f} MS/s"
    say(f"decoder, ppk2-api: {text}\n")


if __name__ == "__main__":
    main()
