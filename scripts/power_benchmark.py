"""How fast the PPK2's words are decoded and a capture is written, and in how much memory.

    python scripts/power_benchmark.py [--samples N] [--hours H] [--ppk2-api]

Beside the vectorised decoder a plain one decodes the same bytes sample by sample, as drivers
usually do. With --ppk2-api and that package installed its decoder is timed too; it is never needed.
The capture is at full speed, not in real time; finished parts are deleted so that no disk fills.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from npubench.power.capture.parts import PartsWriter
from npubench.power.instrument.ppk2_wire import (
    ADC_MAX,
    ADC_VOLT_PER_COUNT,
    WordDecoder,
)
from npubench.power.instrument.source import Identity, Traits, block_of
from npubench.power.simulators.ppk2 import CALIBRATION

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
    decoder = WordDecoder(CALIBRATION.table())
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
    block = WordDecoder(CALIBRATION.table()).feed(part)
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
    begin = time.perf_counter()
    for place in range(0, len(part), 4096):
        api.get_samples(part[place : place + 4096])
    return len(part) / 4 / (time.perf_counter() - begin)


def capture_rate(hours: float) -> tuple[float, float, int]:
    """Samples per second and growth of memory (MiB) while ``hours`` at 1 MS/s are written."""
    total = int(hours * 3600 * RATE_HZ)
    generator = np.random.default_rng(2)
    blocks = [np.rint(generator.normal(6000, 20, 1 << 16)).astype(np.float32) for _ in range(8)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "capture"
        traits = Traits(rate_hz=RATE_HZ, marker_bits=3)
        identity = Identity(driver="virtual", model="benchmark", serial="")
        begin = time.perf_counter()
        written = 0
        with PartsWriter(folder, identity=identity, traits=traits) as writer:
            while written < total:
                values = blocks[(written >> 16) % 8]
                writer.add(block_of(written, values))
                written += len(values)
                for part in sorted(folder.glob("part-*.parquet"))[:-2]:
                    part.unlink()
        seconds = time.perf_counter() - begin
    return written / seconds, peak_mib(), written


def peak_mib() -> float:
    """The largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run all parts and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=20_000_000)
    parser.add_argument("--hours", type=float, default=0.05)
    parser.add_argument("--ppk2-api", action="store_true")
    words = parser.parse_args()
    rate, peak, written = capture_rate(words.hours)
    lines = [f"capture: {written} samples at {rate / 1e6:.1f} MS/s, peak memory {peak:.0f} MiB"]
    data = stream(words.samples)
    lines.append(f"decoder, vectorised: {decoder_rate(data) / 1e6:.1f} MS/s")
    lines.append(f"decoder, plain: {plain_rate(data) / 1e6:.3f} MS/s")
    if words.ppk2_api:
        found = api_rate(data)
        text = "not installed" if found is None else f"{found / 1e6:.3f} MS/s"
        lines.append(f"decoder, ppk2-api: {text}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
