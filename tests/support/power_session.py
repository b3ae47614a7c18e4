"""A session without a board: marks as a device would record them, and what they must cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from npubench.boards import PowerModel
from npubench.core.errors import MonitorError
from npubench.power.capture.rig import (
    Playback,
    capture_playback,
    choose_power,
    failure_reason,
    instrument_reasons,
    open_power,
)
from npubench.power.energy.account import Account, account
from npubench.power.energy.marks import IDLE, PAUSE, Mark
from npubench.power.simulators.model import LEAD_S, trace_of
from npubench.power.simulators.trace import Trace

MODEL = PowerModel(
    supply_mv=3000.0,
    idle_ua=350.0,
    wait_ua=4200.0,
    stage_ua={
        "init_warm": 4300.0,
        "load": 5100.0,
        "infer": 6400.0,
        "unload": 5000.0,
        "post": 4400.0,
    },
    note="for tests",
)
STAGE_US = {"init_warm": 4.0, "load": 40.0, "infer": 9000.0, "unload": 8.0, "post": 16.0}


def make_marks(*, rate_hz: float = 100_000.0, least: int = 1000) -> tuple[Mark, ...]:
    """The windows that the bench asks for, one stage after the other, twice."""
    hold_s = max(50e-6, 3.5 / rate_hz)
    unit_s = max(1e-4, 3.5 / rate_hz)
    window_s = 1.15 * least / rate_hz
    marks: list[Mark] = []
    now_s = 0.0

    def add(code: int, repeats: int, work_s: float) -> None:
        nonlocal now_s
        begin_s = now_s + hold_s
        end_s = begin_s + work_s
        marks.append(
            Mark(
                code=code,
                repeats=repeats,
                up_s=now_s,
                begin_s=begin_s,
                end_s=end_s,
                down_s=end_s + 1e-7,
            )
        )
        now_s = end_s + hold_s + 0.0013

    for length in (3, 11, 5, 2, 8):
        add(PAUSE, length, length * unit_s)
    add(IDLE, 200, max(0.05, window_s))
    for _ in range(2):
        for code, name in ((1, "init_warm"), (2, "load"), (3, "infer"), (4, "unload"), (5, "post")):
            each_s = (STAGE_US[name] + (STAGE_US["load"] if code == 3 else 0.0)) * 1e-6
            repeats = int(window_s / each_s) + 1
            add(code, repeats, repeats * each_s)
        add(IDLE, 200, max(0.05, window_s))
    for length in (7, 2, 4, 13, 3):
        add(PAUSE, length, length * unit_s)
    return tuple(marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rehearsed capture came to: the account, every reason by name, and whether intervals
    may be stated."""

    account: Account
    causes: tuple[str, ...]
    sourced: bool = False


def true_uj(stage: str) -> float:
    """What one repetition of a stage costs by the model."""
    return MODEL.stage_ua[stage] * MODEL.supply_mv * STAGE_US[stage] * 1e-9


def rehearse(name: str, folder: Path, *faults: str, seed: int = 1) -> Outcome:
    """Play the marks through a simulated instrument and account for them."""
    choice = choose_power(name, faults)
    kind = choice.kind
    marks = make_marks(
        rate_hz=100_000.0 if kind is None else kind.rate_hz,
        least=1000 if kind is None else kind.min_window_samples,
    )
    seconds = {stage: value * 1e-6 for stage, value in STAGE_US.items()}
    trace: Trace = trace_of(marks, MODEL, seconds)[0]
    middle = next(mark for mark in marks if mark.code == 3)
    playback = Playback(
        trace=trace, trouble_s=LEAD_S + (middle.begin_s + middle.end_s) / 2, seed=seed
    )
    try:
        with open_power(choice, playback) as opened:
            count = opened.feed.count if opened.feed else int(trace.seconds * opened.traits.rate_hz)
            capture = capture_playback(opened, folder, samples=count)
    except MonitorError as error:
        return Outcome(account=Account(), causes=(failure_reason(error).cause,))
    found = account(
        capture.blocks,
        marks,
        capture.traits,
        wiring=choice.wiring,
        limits=choice.limits(capture.traits, clock_tolerance_ppm=10_000, device_clock_ppm=0.0),
        stage_us=STAGE_US,
    )
    reasons = (*instrument_reasons(capture), *found.reasons)
    return Outcome(
        account=found,
        causes=tuple(dict.fromkeys(str(r.cause) for r in reasons)),
        sourced=capture.traits.accuracy.is_sourced,
    )
