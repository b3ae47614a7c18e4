"""Submissions to MLPerf Tiny as both runners write them, small and made up, to be spoilt."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

INFERENCES = 300
WINDOW_S, PAUSE_S, HEAD_S = 12.9, 1.85, 2.77
TRACE_ON_S = 169.233
UJ_ACTIVE, UJ_PAUSE = 42.2, 11.0
RATE_HZ = 1000.0


@dataclass(kw_only=True)
class Eembc:
    """An energy folder as EEMBC's runner writes one, to be spoilt before it is written.

    The runner pairs marks by their order, and prints what comes of it: so does this."""

    windows: int = 5
    window_s: float = WINDOW_S
    pause_s: float = PAUSE_S
    inferences: int = INFERENCES
    drop_marks: tuple[int, ...] = ()
    extra_marks: tuple[float, ...] = ()
    printed_ratio: float = 1.0
    error: str = ""
    dropped: int = 0
    voltage: bool = True
    salt: float = 0.0
    prefix: str = ""

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        marks = [0.019]
        log = [
            "00168.470 session: m-session-start-id[20220101000000]",
            "00168.470 parser: m-bmark-run-name[ML Energy 1.0.1]-code[ulp-ml]",
            "00168.900 io: [dut]: m-name-dut-[acme]",
            f"{TRACE_ON_S:09.3f} emon: m-trace[on]",
        ]
        now = HEAD_S
        total = HEAD_S + self.windows * (self.window_s + self.pause_s) + 1.0
        samples = np.full(int(total * RATE_HZ), UJ_PAUSE, np.float32)
        for _ in range(self.windows):
            end = round(now + self.window_s, 3)
            marks += [round(now, 3), end]
            samples[round(now * RATE_HZ) : round(end * RATE_HZ)] = UJ_ACTIVE + self.salt
            log += [
                f"{TRACE_ON_S + now - 0.25 - 0.8 * self.pause_s:09.3f} parser: "
                "Starting at byte offset 0",
                f"{TRACE_ON_S + now - 0.25:09.3f} parser: m-bloadp-done",
                f"{TRACE_ON_S + now - 0.01:09.3f} io: [dut]: m-infer-start-{self.inferences}",
                f"{TRACE_ON_S + end + 0.03:09.3f} io: [dut]: m-infer-done",
            ]
            now = end + self.pause_s
        log += [
            "00244.100 emon: m-regfile-fn[trace1-energy.bin]-type[emon]-name[lpm01a]",
            "00244.100 emon: m-regfile-fn[trace1-timestamps.json]-type[etime]-name[lpm01a]",
            f"00244.101 emon: m-[Dropped {self.dropped} packets out of 1283584, 0%]",
        ]
        if self.error:
            log.append(f"00244.000 io: [dut]: e-[{self.error}]")
        if self.voltage:
            log.append("00245.233 emon: m-voltage-mv[1800]")
        kept = sorted(
            [mark for at, mark in enumerate(marks) if at not in self.drop_marks]
            + list(self.extra_marks)
        )
        (folder / f"{self.prefix}log.txt").write_text("\n".join(log) + "\n")
        (folder / f"{self.prefix}results.txt").write_text(self.printed(kept, samples))
        (folder / "trace1-timestamps.json").write_text(json.dumps(kept, indent="\t"))
        (folder / "trace1-energy.bin").write_bytes(
            b"\xf1" + struct.pack("<f", RATE_HZ) + samples.tobytes()
        )

    def printed(self, marks: list[float], samples: Any) -> str:
        pairs = [(marks[at], marks[at + 1]) for at in range(1, len(marks) - 1, 2)]
        energies = [
            float(samples[round(begin * RATE_HZ) : round(end * RATE_HZ)].sum()) * self.printed_ratio
            for begin, end in pairs
        ]
        lines = []
        for number, ((begin, end), energy) in enumerate(zip(pairs, energies, strict=True)):
            lines += [
                f"Energy data for window {2 * number + 2} at time {begin:.2f} for "
                f"{end - begin:.2f} sec.:",
                f"  Energy       :  {energy:12.3f} uJ",
                f"  Power        :  {energy / (end - begin):12.3f} uW",
                f"  Energy/Inf.  :  {energy / self.inferences:12.3f} uJ/inf.",
            ]
        lines.append(f"Median energy cost is {np.median(energies) / self.inferences:.3f} uJ/inf.")
        for number, (begin, end) in enumerate(pairs):
            lines += [
                f"Performance results for window {2 * number + 2}:",
                f"  # Inferences :  {self.inferences:12d}",
                f"  Runtime      :  {end - begin:12.3f} sec.",
                f"  Throughput   :  {self.inferences / (end - begin):12.3f} inf./sec.",
            ]
        rates = [self.inferences / (end - begin) for begin, end in pairs]
        lines.append(f"Median throughput is {np.median(rates):.3f} inf./sec.")
        return "".join(f"00245.273 ulp-ml: {line}\n" for line in lines)


def write_performance(
    folder: Path,
    *,
    seconds: float = WINDOW_S,
    wrap: bool = False,
    printed_extra_s: float = 0.0,
    epoch_us: int = 7_000_000,
    prefix: str = "",
) -> None:
    folder.mkdir(parents=True)
    log, printed = [], []
    size = 1 << 32 if epoch_us < 1 << 32 else 1 << 64
    lap = size - 5_000_000 if wrap else epoch_us
    log += ["00000.000 session: m-session-start-id[20220101000001]"]
    for number in range(5):
        end = (lap + round(seconds * 1e6)) % size
        at = 20.0 * number
        log += [
            f"{at + 0.1:09.3f} dut: infer {INFERENCES} 1%m-warmup-start-1",
            f"{at + 0.1:09.3f} dut: m-infer-start-{INFERENCES}",
            f"{at + 0.1:09.3f} dut: m-lap-us-{lap}",
            f"{at + 0.1 + seconds:09.3f} dut: got an interrupt",
            f"m-lap-us-{end}",
            f"{at + 0.1 + seconds:09.3f} dut: m-infer-done",
        ]
        printed += [
            f"00101.622 ulp: Performance results for window {2 * number + 2}:",
            f"00101.622 ulp:   # Inferences :  {INFERENCES:12d}",
            f"00101.622 ulp:   Runtime      :  {seconds + printed_extra_s:12.3f} sec.",
            "00101.622 ulp:   Throughput   :  "
            f"{INFERENCES / (seconds + printed_extra_s):12.3f} inf./sec.",
        ]
        lap = (end + 1_800_000) % size
    rate = INFERENCES / (seconds + printed_extra_s)
    printed.append(f"00101.622 ulp: Median throughput is {rate:.3f} inf./sec.")
    (folder / f"{prefix}log.txt").write_text("\n".join(log) + "\n")
    (folder / f"{prefix}results.txt").write_text("\n".join(printed) + "\n")


def mlc_entry(*, marks: list[list[Any]], samples: int = 13_400) -> dict[str, Any]:
    values = [1.21e-5] * samples
    values[1770:13286] = [2.3e-5] * (13286 - 1770)
    return {
        "file": "a.bin",
        "infer": {"iterations": 400, "warmups": 1, "results": [0.0]},
        "power": {"samples": values[:samples], "timestamps": marks, "voltage": 1.8},
        "mode": "e",
    }


def mlc_entries() -> list[dict[str, Any]]:
    return [
        mlc_entry(marks=[[f"{2 * at:02x}", 1770], [f"{2 * at + 1:02x}", 13286]]) for at in range(5)
    ]


MLC_UJ = 2.3e-5 * (13286 - 1770) / 400 * 1e6


def write_mlc(folder: Path, entries: Any, *, energy_uj: float = MLC_UJ) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(entries))
    lines = ["Power Edition Output"]
    for number in range(5):
        lines += [
            f"Energy data for trial {number}",
            "  Elapsed time  : 11.516",
            "  Inferences    : 400",
            f"  Energy/Inf    : {energy_uj:.3f} uJ/inf",
        ]
    lines += ["-" * 57, f"Median energy cost is {energy_uj:.4f} uJ/inf.", "-" * 57]
    (folder / "results.txt").write_text("\n".join(lines) + "\n")


def eembc_accuracy_log(
    answers: Sequence[tuple[str, Sequence[float]]], *, model: str = "kws01"
) -> str:
    """A log of EEMBC's runner: each input loaded, then the device's answer to it."""
    lines = [
        "00001.000 session: m-session-start-id[20220101000002]",
        "00001.010 dut: profile%m-profile-[ULPMark for tinyML Firmware V0.0.1]",
        f"00001.020 dut: m-model-[{model}]",
    ]
    for number, (name, scores) in enumerate(answers):
        at = 2.0 + number
        said = ",".join(f"{score:.3f}" for score in scores)
        lines += [
            f'{at:09.3f} parser: Command "bload dut "datasets/{model}/{name}""',
            f"{at + 0.1:09.3f} dut: infer 1 0%m-warmup-start-0",
            f"{at + 0.1:09.3f} dut: m-infer-start-1",
            f"{at + 0.2:09.3f} dut: m-infer-done",
            f"{at + 0.2:09.3f} dut: m-results-[{said}]",
        ]
    return "\n".join(lines) + "\n"


def kws_answers(right: int, count: int = 1000) -> list[tuple[str, list[float]]]:
    """Keywords by the names of their files, the first ``right`` of them recognised."""
    found = []
    for number in range(count):
        label = number % 12
        scores = [0.0] * 12
        scores[label if number < right else (label + 1) % 12] = 0.9
        found.append((f"tst_{number:06d}_Word_{label}.bin", scores))
    return found


def write_accuracy(
    folder: Path,
    answers: Sequence[tuple[str, Sequence[float]]],
    *,
    printed: str,
    model: str = "kws01",
) -> None:
    """An accuracy folder of EEMBC's runner."""
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text(eembc_accuracy_log(answers, model=model))
    (folder / "results.txt").write_text(f"00999.000 ulp-mlperf: {printed}\n")


def streaming_entry() -> dict[str, Any]:
    """Fifty words in 1200 s, four of them missed, three false alarms; frames of 32 ms, 8 busy.
    Two detections come 1.5 s after their word: within what the runner allows."""
    words = [[20.0 * number + 5.0, 20.0 * number + 6.0] for number in range(50)]
    detections = [100]
    for number, (begin, end) in enumerate(words):
        if number < 4:
            continue
        heard = end + 1.5 if number < 6 else begin + 0.5
        detections += [100 + round(1000 * heard), 132 + round(1000 * heard)]
    detections += [100 + ms for ms in (1012_000, 1012_700, 1018_000, 1190_000)]
    begins = [0.1 + 0.032 * number for number in range(100)]
    return {
        "infer": {
            "wav_file": "words.wav",
            "detection_windows": words,
            "length_sec": 1200.0,
            "detections": sorted(detections),
            "iterations": 1,
            "warmups": 0,
        },
        "dutycycle": {"start_times_s": begins, "stop_times_s": [at + 0.008 for at in begins]},
        "mode": "p",
    }


STREAMING_PRINTED = """Accuracy: 46 True positives, 4 False negatives, 3 False positives
Average duty cycle: 0.25
Average period: 0.032 s
Estimated throughput: 125.0 inf./sec.
"""


def write_streaming(folder: Path, entry: Any, *, printed: str = STREAMING_PRINTED) -> None:
    """A performance folder of the streaming test by MLCommons' runner."""
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps([entry]))
    (folder / "results.txt").write_text(printed)
