"""A physical board with an instrument beside it: captured while it runs, never played back."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from npubench.bench.energy import energy_record, measure_power
from npubench.bench.job import Job, Settings
from npubench.boards import load_board
from npubench.core.evidence import Evidence
from npubench.core.progress import Silent
from npubench.power.energy.marks import Mark
from npubench.power.simulators.base import Feed, Frontend
from npubench.power.simulators.model import trace_of
from npubench.power.simulators.ppk2 import SimulatedPpk2
from npubench.power.simulators.trace import Piece, Trace
from npubench.wire.answers import BenchResult, Burst, Caps, Rep, SelfTestResult
from npubench.wire.clock import ClockFit
from npubench.wire.device import Device
from support.power_session import MODEL, STAGE_US, true_uj

HZ = 120_000_000.0
GAP_S = 0.003


@dataclass
class ScriptedBoard:
    """Does what it is asked for in no time, and keeps the marks that it would have made."""

    simulator: Any = None
    slept: bool = True
    now_s: float = 0.0
    marks: list[Mark] = field(default_factory=list)

    def burst(self, code: int, repeats: int, hold_us: int) -> Burst:
        work = {
            1: STAGE_US["init_warm"],
            2: STAGE_US["load"],
            3: STAGE_US["load"] + STAGE_US["infer"],
            4: STAGE_US["unload"],
            5: STAGE_US["post"],
            6: 1000.0,
            7: 100.0,
        }[code]
        up = self.now_s
        begin = up + hold_us * 1e-6
        end = begin + repeats * work * 1e-6
        self.now_s = end + hold_us * 1e-6 + GAP_S
        if hold_us:
            slept = self.slept and code == 6
            self.marks.append(
                Mark(
                    code=code,
                    repeats=repeats,
                    up_s=up,
                    begin_s=begin,
                    end_s=end,
                    down_s=end,
                    slept=slept,
                )
            )
        else:
            slept, self.now_s = False, up
        counts = [round(value * HZ) for value in (up, begin, end, end)]
        return Burst(
            code=code,
            repeats=repeats,
            slept=slept,
            up=counts[0],
            begin=counts[1],
            end=counts[2],
            down=counts[3],
        )

    def caps(self) -> Caps:
        """Who answers."""
        return Caps(proto=1, firmware="scripted", artifact="0" * 64)

    def listen(self, seconds: float) -> None:
        """Let the instrument take what it will; at the end everything has been played."""
        end = time.monotonic() + 20
        feed = None if self.simulator is None else self.simulator.feed
        while feed is not None and self.marks and feed.next < feed.count:
            if time.monotonic() > end:
                raise AssertionError("the instrument was not read")
            os.sched_yield()
        del seconds


def bench_result() -> BenchResult:
    counts = {name: round(value * 1e-6 * HZ) + 2 for name, value in STAGE_US.items()}
    rep = Rep(
        index=0,
        init=counts["init_warm"],
        load=counts["load"],
        infer=counts["infer"],
        unload=counts["unload"],
        post=counts["post"],
        outer=sum(counts.values()),
    )
    return BenchResult(
        selftest=SelfTestResult(iterations=(1, 2), counts=(1, 2)),
        window=(2,) * 8,
        init_cold=1,
        reps=(rep,),
        answer=None,
        lost=(),
    )


def measure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, slept: bool = True, claimed: bool = True
) -> Any:
    """Run the live path; the board's trace is known beforehand from a rehearsal."""
    board = load_board("nucleo-l4r5zi")
    rehearsal = ScriptedBoard(slept=slept)
    clock = ClockFit(
        hz=HZ,
        uncertainty_ppm=10.0,
        span_s=10.0,
        sample_count=100,
        round_trip_s=0.001,
        residual_s=0.0001,
    )
    job = Job(model=cast(Any, _Named()), board=board, backend="cpu")
    seconds = {name: value * 1e-6 for name, value in STAGE_US.items()}
    bench = folder / "bench.toml"
    monkeypatch.setenv("NPUBENCH_BENCH", str(bench))
    from npubench.bench import energy

    energy._run_bursts(cast(Device, rehearsal), HZ, STAGE_US, 100_000.0, 1000, energy.ROUNDS_LIVE)
    played = trace_of(tuple(rehearsal.marks), MODEL, seconds)[0]
    # What is still on the line when the capture ends is quiet.
    quiet = Piece(seconds=1.0, current_ua=MODEL.wait_ua)
    lengths = np.diff(played.edges_s)
    trace = Trace(
        [
            Piece(seconds=float(length), current_ua=float(current), level=int(level))
            for length, current, level in zip(
                lengths, played.current_ua, played.levels, strict=True
            )
        ]
        + [quiet]
    )
    feed = Feed(
        trace,
        rate_hz=100_000.0,
        frontend=Frontend(noise_ua=6.0),
        faults=frozenset(),
        trouble_s=0.0,
    )
    with SimulatedPpk2(feed) as simulator:
        bench.write_text(
            f'schema = 1\n[power.lab]\ndriver = "ppk2"\nport = "{simulator.address}"\n'
            + (CLAIM if claimed else "")
        )
        device = ScriptedBoard(simulator=simulator, slept=slept)
        session = measure_power(
            cast(Device, device),
            job,
            Settings(power="lab"),
            bench_result(),
            clock,
            folder=folder / "power",
            reporter=Silent(),
        )
    return energy_record(job, session, timing=Evidence.MEASURED)


CLAIM = """[power.lab.accuracy]
ranges = [{ gain_ratio = 0.02, offset_ua = 60.0 }]
source = "for tests"
"""


class _Named:
    id = "test"


def test_a_live_capture_gives_energy_by_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = measure(tmp_path, monkeypatch)
    assert record.reasons == ()
    assert record.verdict == "ok"
    infer = record.stages["infer"]
    assert infer.windows == 3
    assert infer.gross_low_uj <= true_uj("infer") <= infer.gross_high_uj
    assert infer.net_uj < infer.gross_uj
    # A pty has no serial number of its own: whoever stands behind it, nothing was measured.
    assert record.evidence is Evidence.MODELLED
    assert not record.instrument.simulated


def test_a_board_that_cannot_sleep_has_no_net_energy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = measure(tmp_path, monkeypatch, slept=False)
    assert record.verdict == "ok"
    assert record.idle_uw is None
    assert record.stages["infer"].net_uj is None


def test_a_serial_number_read_back_makes_it_measured_and_no_claim_makes_no_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "npubench.power.instruments.ppk2.usb_serial", lambda port: f"serial of {port}"
    )
    record = measure(tmp_path, monkeypatch, claimed=False)
    assert record.reasons == ()
    assert record.evidence is Evidence.MEASURED
    assert record.instrument.serial.startswith("serial of /dev/")
    assert record.verdict == "unqualified"
    for stage in record.stages.values():
        assert stage.gross_uj > 0
        assert stage.gross_low_uj is stage.gross_high_uj is None
        assert stage.net_low_uj is stage.net_high_uj is None
