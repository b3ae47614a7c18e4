"""The audit computes results again, and finds what is wrong with them by name."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from npubench.core.errors import UsageError
from npubench.power.audit.check import RULES, audit

INFERENCES = 300
WINDOW_S, PAUSE_S, HEAD_S = 12.9, 1.85, 2.77
TRACE_ON_S = 169.233
UJ_ACTIVE, UJ_PAUSE = 42.2, 11.0


@dataclass(kw_only=True)
class Eembc:
    """An energy folder as EEMBC's runner writes one, to be spoilt before it is written."""

    windows: int = 5
    window_s: float = WINDOW_S
    drop_marks: tuple[int, ...] = ()
    printed_ratio: float = 1.0
    printed_seconds_extra: float = 0.0
    error: str = ""
    voltage: bool = True
    salt: float = 0.0
    begins: list[float] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        rate = 1000.0
        marks = [0.019]
        log = [
            "00168.470 session: m-session-start-id[1]",
            f"{TRACE_ON_S:09.3f} emon: m-trace[on]",
        ]
        now = HEAD_S
        total = HEAD_S + self.windows * (self.window_s + PAUSE_S) + 1.0
        samples = np.full(int(total * rate), UJ_PAUSE, np.float32)
        printed = []
        for number in range(self.windows):
            end = round(now + self.window_s, 3)
            marks += [round(now, 3), end]
            samples[round(now * rate) : round(end * rate)] = UJ_ACTIVE + self.salt
            log += [
                f"{TRACE_ON_S + now - 0.01:09.3f} io: [dut]: m-infer-start-{INFERENCES}",
                f"{TRACE_ON_S + end + 0.03:09.3f} io: [dut]: m-infer-done",
            ]
            energy = float(samples[round(now * rate) : round(end * rate)].sum()) / INFERENCES
            seconds = end - now + self.printed_seconds_extra
            printed += [
                f"00245.273 ulp-ml: Energy data for window {2 * number + 2} at time "
                f"{now:.2f} for {seconds:.2f} sec.:",
                f"00245.273 ulp-ml:   Energy/Inf.  :  {energy * self.printed_ratio:.3f} uJ/inf.",
            ]
            now = end + PAUSE_S
        if self.error:
            log.append(f"00244.000 io: [dut]: e-[{self.error}]")
        if self.voltage:
            log.append("00245.233 emon: m-voltage-mv[1800]")
        energy = (UJ_ACTIVE + self.salt) * round(self.window_s * rate) / INFERENCES
        printed.append(
            f"00245.291 ulp-ml: Median energy cost is {energy * self.printed_ratio:.3f} uJ/inf."
        )
        kept = [mark for at, mark in enumerate(marks) if at not in self.drop_marks]
        (folder / "log.txt").write_text("\n".join(log) + "\n")
        (folder / "results.txt").write_text("\n".join(printed) + "\n")
        (folder / "trace1-timestamps.json").write_text(json.dumps(kept))
        (folder / "trace1-energy.bin").write_bytes(
            b"\xf1" + struct.pack("<f", rate) + samples.tobytes()
        )


def write_performance(folder: Path, *, seconds: float = WINDOW_S, wrap: bool = False) -> None:
    folder.mkdir(parents=True)
    log, printed = [], []
    lap = (1 << 32) - 5_000_000 if wrap else 7_000_000
    for number in range(5):
        end = (lap + round(seconds * 1e6)) % (1 << 32)
        at = 20.0 * number
        log += [
            f"{at + 0.1:09.3f} dut: m-infer-start-{INFERENCES}",
            f"{at + 0.1:09.3f} dut: m-lap-us-{lap}",
            f"{at + 0.1 + seconds:09.3f} dut: m-lap-us-{end}",
            f"{at + 0.1 + seconds:09.3f} dut: m-infer-done",
        ]
        lap = (end + 1_800_000) % (1 << 32)
    printed.append(f"00101.622 ulp: Median throughput is {INFERENCES / seconds:.3f} inf./sec.")
    (folder / "log.txt").write_text("\n".join(log) + "\n")
    (folder / "results.txt").write_text("\n".join(printed) + "\n")


def rules(*roots: Path) -> set[str]:
    found = audit(roots)
    assert all(item.rule in RULES for item in found.findings)
    return {item.rule for item in found.findings}


def test_right_results_give_their_published_figures_and_no_finding(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    write_performance(tmp_path / "kws" / "performance", wrap=True)
    found = audit([tmp_path])
    assert found.findings == ()
    energy, performance = found.results
    assert energy.published_uj is not None
    assert performance.published_ips is not None
    assert energy.energy_uj == pytest.approx(energy.published_uj, rel=1e-5)
    assert performance.ips == pytest.approx(performance.published_ips, rel=1e-4)
    assert energy.voltage_mv == 1800.0


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (Eembc(drop_marks=(3,)), {"marks-do-not-pair"}),
        (Eembc(drop_marks=(0,)), {"marks-do-not-pair"}),
        (Eembc(window_s=6.0), {"window-too-short"}),
        (Eembc(windows=4), {"window-count"}),
        (Eembc(printed_ratio=1.004), {"energy-differs"}),
        (Eembc(printed_seconds_extra=14.0), {"upload-in-window"}),
        (Eembc(error="Unknown command: x"), {"errors-in-log"}),
        (Eembc(voltage=False), {"voltage-unknown"}),
    ],
)
def test_each_flaw_is_found_by_name(folder: Eembc, expected: set[str], tmp_path: Path) -> None:
    folder.write(tmp_path / "kws" / "energy")
    assert rules(tmp_path) == expected


def test_a_lost_mark_costs_one_window_and_not_those_after_it(tmp_path: Path) -> None:
    Eembc(drop_marks=(3,)).write(tmp_path / "kws" / "energy")
    windows = audit([tmp_path]).results[0].windows
    assert [window.marks for window in windows] == [2, 1, 2, 2, 2]
    good = [window.energy_uj for window in windows if window.energy_uj is not None]
    assert len(good) == 4
    assert max(good) == pytest.approx(min(good), rel=1e-3)


def test_runs_that_disagree_are_found(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "kws" / "energy")
    write_performance(tmp_path / "kws" / "performance", seconds=WINDOW_S * 1.05)
    assert rules(tmp_path) == {"modes-disagree"}


def test_results_from_another_round_are_recognised(tmp_path: Path) -> None:
    Eembc().write(tmp_path / "v1" / "kws" / "energy")
    Eembc().write(tmp_path / "v2" / "kws" / "energy")
    Eembc(salt=0.5).write(tmp_path / "v3" / "kws" / "energy")
    found = audit([tmp_path / "v1", tmp_path / "v2", tmp_path / "v3"])
    traces = [item for item in found.findings if "energy.bin" in item.detail]
    assert {item.rule for item in found.findings} == {"results-repeated"}
    assert [Path(item.folder).parent.parent.name for item in traces] == ["v2"]


@pytest.mark.parametrize("content", [b"", b"\xf2\x00\x00\x7a\x44aaaa", b"\xf1\x00\x00\x7a\x44"])
def test_a_damaged_trace_is_said_to_be_one(content: bytes, tmp_path: Path) -> None:
    Eembc().write(tmp_path / "energy")
    (tmp_path / "energy" / "trace1-energy.bin").write_bytes(content)
    assert "raw-data-damaged" in rules(tmp_path)


def mlc_entry(*, marks: list[list[object]], samples: int = 13_400) -> dict[str, object]:
    values = [1.21e-5] * samples
    values[1770:13286] = [2.3e-5] * (13286 - 1770)
    return {
        "file": "a.bin",
        "infer": {"iterations": 400, "warmups": 1, "results": [0.0]},
        "power": {"samples": values[:samples], "timestamps": marks, "voltage": 1.8},
        "mode": "e",
    }


def test_results_of_mlcommons_runner_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "kws" / "energy"
    folder.mkdir(parents=True)
    entries = [
        mlc_entry(marks=[[f"{2 * at:02d}", 1770], [f"{2 * at + 1:02d}", 13286]]) for at in range(5)
    ]
    (folder / "results.json").write_text(json.dumps(entries))
    energy = 2.3e-5 * (13286 - 1770) / 400 * 1e6
    (folder / "results.txt").write_text(f"Median energy cost is {energy:.4f} uJ/inf.\n")
    found = audit([tmp_path])
    assert found.findings == ()
    assert found.results[0].energy_uj == pytest.approx(energy, rel=1e-6)
    del entries[2]["power"]["timestamps"][0]  # type: ignore[index]
    (folder / "results.json").write_text(json.dumps(entries))
    assert {"marks-do-not-pair", "raw-data-damaged"} <= rules(tmp_path)


def test_a_folder_without_results_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no results"):
        audit([tmp_path])
    with pytest.raises(UsageError, match="no folder"):
        audit([tmp_path / "absent"])
