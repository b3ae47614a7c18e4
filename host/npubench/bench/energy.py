"""The power part of a run: which windows the board is asked for, and what their capture says.

On an emulated board, or with a simulated instrument, the board is asked first and its finished
marks are played back on its own virtual time; with an instrument everything happens at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from types import MappingProxyType

from npubench.bench.capturing import Shown, chosen_power, live_capture, played_capture
from npubench.bench.counts import scale_of
from npubench.bench.job import Job, Settings
from npubench.bench.part_energy import has_modelled_npu
from npubench.bench.virtual_pace import Pace, PacedDevice, pace_of
from npubench.boards import Board, PowerModel
from npubench.core.errors import DeviceError, MonitorError, UsageError
from npubench.core.evidence import Evidence
from npubench.core.progress import Reporter, step
from npubench.power.capture.rig import (
    REPLAY,
    Choice,
    Playback,
    capture_recording,
    choose_power,
    failure_reason,
    instrument_reasons,
    open_power,
)
from npubench.power.capture.session import Marked, read_marked
from npubench.power.energy.account import Account, account
from npubench.power.energy.marks import IDLE, PAUSE, Mark, marks_of
from npubench.power.energy.refusal import Reason
from npubench.power.energy.stage import StageEnergy
from npubench.power.parts import Capture, read_capture
from npubench.power.simulators.model import LEAD_S, model_hash, trace_of
from npubench.power.source.interface import Traits
from npubench.runs.energy_record import EnergyInstrumentRecord, EnergyRecord, EnergyStageRecord
from npubench.wire.answers import BenchResult, Burst
from npubench.wire.clock import ClockFit
from npubench.wire.device import Device

# Lengths of the pauses, in units: no shift of this list lies on itself.
PREAMBLE = (3, 11, 5, 2, 8)
POSTAMBLE = (7, 2, 4, 13, 3)
PAUSE_UNIT_S = 1e-4
MIN_HOLD_S = 50e-6
HOLD_SAMPLES = 3.5
WINDOW_RESERVE = 1.15
# Windows last whole multiples of this: five periods of 50 Hz, six of 60 Hz, so that hum cancels.
MAINS_S = 0.1
IDLE_S = 0.2
ROUNDS_PLAYED_BACK, ROUNDS_LIVE = 2, 3
PROBE_REPEATS = 8
LOOPED_CODES = (1, 2, 4, 5)
INFER_CODE = 3
# The capture begins so long before the first mark and ends so long after the last.
MARGIN_S = 0.3
FOLDER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSession:
    """What was marked and captured. ``capture`` is None when the instrument failed before;
    ``power``: the model that was shown, where the instrument was simulated."""

    choice: Choice
    marked: Marked
    traits: Traits | None
    capture: Capture | None
    reasons: tuple[Reason, ...]
    power: PowerModel | None = None


def with_power(jobs: Sequence[Job], settings: Settings) -> tuple[tuple[Job, ...], tuple[str, ...]]:
    """For boards that nobody named: the jobs that a simulated instrument can be shown, and the
    boards that are left out. All jobs where that leaves none: the refusal then says why."""
    if settings.power is None or not choose_power(settings.power, settings.power_faults).simulated:
        return tuple(jobs), ()
    able = tuple(job for job in jobs if _can_be_shown(job.board))
    if not able:
        return tuple(jobs), ()
    return able, tuple(dict.fromkeys(job.board.id for job in jobs if not _can_be_shown(job.board)))


def _can_be_shown(board: Board) -> bool:
    """Whether a simulated instrument has something to see of a board. One with a modelled NPU runs
    in any case: where nothing was published of its power, its record says so."""
    return board.power is not None or has_modelled_npu(board)


def check_power(boards: Sequence[Board], settings: Settings) -> None:
    """Refuse what cannot work before anything is built. Raises UsageError or ConfigError."""
    if settings.power is None:
        if settings.power_faults:
            raise UsageError(
                "--power-fault needs --power", hint="name a simulated instrument: --power ppk2-sim"
            )
        return
    choice = chosen_power(settings)
    if choice.kind is not None and not choice.kind.marks:
        raise UsageError(
            f"{choice.name} has no marker inputs: it cannot tell stages apart",
            hint="take another simulated instrument, or use it with npubench power capture",
        )
    if choice.driver.is_file:
        raise UsageError(
            f"{choice.name} is an exported file: no board's marks lie beside it",
            hint="look at it with npubench power capture and npubench power view",
        )
    if choice.driver.name == REPLAY:
        read_marked(Path(choice.instrument.port))
        read_capture(Path(choice.instrument.port))
    for board in boards:
        if board.kind == "host":
            raise UsageError(
                f"board {board.id} is a host process without timing: it has no energy",
                hint="choose an emulated or a physical board",
            )
        if choice.simulated and not _can_be_shown(board):
            able = list(dict.fromkeys(other.id for other in boards if _can_be_shown(other)))
            raise UsageError(
                f"board {board.id} has no virtual power model for {choice.name} to show",
                hint=f"leave it out: {' '.join(f'--board {name}' for name in able)}"
                if able
                else "try it on an emulated board that has one: --board qemu-m4",
            )
        if not choice.simulated and choice.driver.name != REPLAY and board.kind != "physical":
            raise UsageError(
                f"{choice.name} cannot measure {board.id}, which is not a physical board",
                hint="take a simulated instrument: --power ppk2-sim",
            )


def measure_power(
    device: Device,
    job: Job,
    settings: Settings,
    bench: BenchResult,
    clock: ClockFit | None,
    *,
    folder: Path,
    reporter: Reporter,
    npu: Mapping[str, object] = MappingProxyType({}),
) -> PowerSession | None:
    """Ask the board for its marked windows and capture them into ``folder``. ``npu``: what the plan
    says of the NPU. None where nothing is known of the power that a simulated instrument would see.

    A failing instrument becomes reasons; a failing board raises DeviceError.
    """
    assert settings.power is not None
    choice = chosen_power(settings)
    caps = device.caps()
    hz = clock.hz if clock is not None else caps.hz
    stage_us = _stage_us(job.board, bench, hz)
    pace: Pace | None = None
    if choice.simulated and has_modelled_npu(job.board):
        scale = scale_of(job.board, bench.window or ())
        found = pace_of(job.board, npu, bench, scale, as_board=settings.as_board)
        if isinstance(found, str):
            return None
        pace = found
        stage_us = stage_us if pace is None else dict(pace.stage_us)
    shown = job.board.power if pace is None else pace.power
    marked = Marked(
        marks=(),
        wiring=choice.wiring,
        stage_us=stage_us,
        device_clock_ppm=clock.uncertainty_ppm / 2 if clock is not None else 0.0,
        played_back=choice.simulated,
        idle_is_known=pace is None,
        board=job.board.id,
        backend=job.backend,
        artifact=caps.artifact,
    )
    traits: Traits | None = None
    capture: Capture | None = None
    reasons: tuple[Reason, ...] = ()
    try:
        if choice.driver.name == REPLAY:
            marked = _replayed(marked, Path(choice.instrument.port))
            with step(reporter, job.title, "power replay"), open_power(choice) as opened:
                traits = opened.traits
                capture = capture_recording(opened, folder)
        elif choice.simulated:
            rate_hz = choice.kind.rate_hz if choice.kind is not None else 100_000.0
            least = choice.kind.min_window_samples if choice.kind is not None else 1000
            with step(reporter, job.title, "marked windows"):
                paced = device if pace is None else PacedDevice(device, pace, hz)
                marks = _run_bursts(paced, hz, stage_us, rate_hz, least, ROUNDS_PLAYED_BACK)
            marked = replace(marked, marks=marks)
            assert shown is not None
            seconds = {name: value * 1e-6 for name, value in stage_us.items()}
            trace, _ = trace_of(marks, shown, seconds)
            with step(reporter, job.title, "power capture"):
                traits, capture = played_capture(
                    choice,
                    settings if pace is None else replace(settings, desk=None),
                    Playback(trace=trace, trouble_s=_trouble_s(marks), seed=settings.seed),
                    folder=folder,
                    shown=Shown(board=job.board.id, marks=marks, stage_us=stage_us),
                )
        else:
            with live_capture(choice, settings.desk, folder) as traits:
                device.listen(MARGIN_S)
                with step(reporter, job.title, "marked windows"):
                    marks = _run_bursts(
                        device,
                        hz,
                        stage_us,
                        traits.rate_hz,
                        traits.min_window_samples,
                        ROUNDS_LIVE,
                    )
                marked = replace(marked, marks=marks)
                device.listen(MARGIN_S)
            capture = read_capture(folder)
    except MonitorError as error:
        reasons = (failure_reason(error),)
    if capture is not None:
        reasons += instrument_reasons(capture)
    folder.mkdir(parents=True, exist_ok=True)
    marked.write(folder)
    return PowerSession(
        choice=choice,
        marked=marked,
        traits=traits,
        capture=capture,
        reasons=reasons,
        power=shown if choice.simulated else None,
    )


def _replayed(here: Marked, folder: Path) -> Marked:
    """The marks that were captured in ``folder``. Raises MonitorError when another firmware made
    them than the one that is ``here``."""
    kept = read_marked(folder)
    theirs, ours = ((item.board, item.backend, item.artifact) for item in (kept, here))
    if theirs != ours:
        raise MonitorError(
            f"the capture in {folder} is of {kept.board} ({kept.backend}, network "
            f"{kept.artifact[:12]}), not of {here.board} ({here.backend}, network "
            f"{here.artifact[:12]})",
            hint="replay it with the network, the board and the backend that it was made with",
        )
    return kept


def energy_record(job: Job, session: PowerSession, *, timing: Evidence) -> EnergyRecord:
    """The account of a session, as the run keeps it. ``timing``: evidence of the run's stages."""
    found = Account()
    marked = session.marked
    if session.capture is not None and marked.marks:
        limits = session.choice.limits(
            session.capture.traits,
            clock_tolerance_ppm=job.board.clock_tolerance_ppm,
            device_clock_ppm=marked.device_clock_ppm,
        )
        found = account(
            session.capture.blocks,
            marked.marks,
            session.capture.traits,
            wiring=marked.wiring,
            limits=replace(limits, idle_must_sleep=marked.idle_must_sleep),
            stage_us=marked.stage_us,
        )
    reasons = (*session.reasons, *found.reasons)
    traits = session.traits
    sourced = traits is not None and traits.accuracy.is_sourced
    verdict = "refused" if reasons else "ok" if sourced else "unqualified"
    measured = (
        job.board.kind == "physical"
        and timing is Evidence.MEASURED
        and session.capture is not None
        and session.capture.identity.is_physical
    )
    model = None
    if session.choice.simulated and session.power is not None:
        model = f"stage-current/1 {model_hash(session.power)[:16]}"
    loss = None if session.capture is None else session.capture.loss
    return EnergyRecord(
        evidence=Evidence.MEASURED if measured else Evidence.MODELLED,
        idle_uw=None if found.idle_uw is None else found.idle_uw.value,
        idle_drift_uw=found.idle_drift_uw,
        clock_ppm=None if found.fit is None else found.fit.ppm,
        clock_residual_samples=None if found.fit is None else found.fit.residual_max,
        edges=0 if found.fit is None else found.fit.edges_count,
        voltage_mv=found.voltage_mv
        if found.voltage_mv is not None
        else None
        if traits is None
        else traits.voltage_mv,
        voltage_source="declared" if traits is None else traits.voltage,
        # Figures of a refused capture would be taken for results by whoever reads on.
        stages={}
        if reasons
        else {name: stage_energy_record(stage, sourced) for name, stage in found.stages.items()},
        verdict=verdict,
        reasons=tuple(str(reason) for reason in reasons),
        model=model,
        faults=tuple(sorted(session.choice.faults)),
        instrument=_instrument_record(session),
        samples_received=0 if loss is None else loss.received_count,
        samples_lost=0 if loss is None else loss.lost_count,
        samples_filtered=found.samples_filtered,
    )


def _instrument_record(session: PowerSession) -> EnergyInstrumentRecord:
    capture, traits = session.capture, session.traits
    identity = None if capture is None else capture.identity
    return EnergyInstrumentRecord(
        name=session.choice.name,
        driver=session.choice.driver.name,
        model=session.choice.driver.title if identity is None else identity.model,
        serial="" if identity is None else identity.serial,
        firmware="" if identity is None else identity.firmware,
        simulated=session.choice.simulated or (identity is not None and identity.simulated),
        rate_hz=None if traits is None else traits.rate_hz,
        accuracy_source="" if traits is None else traits.accuracy.source,
    )


def stage_energy_record(stage: StageEnergy, sourced: bool) -> EnergyStageRecord:
    """A stage's energy as the record has it; bounds only where the accuracy is ``sourced``."""
    net = stage.net
    return EnergyStageRecord(
        gross_uj=stage.gross.value,
        gross_low_uj=stage.gross.low if sourced else None,
        gross_high_uj=stage.gross.high if sourced else None,
        net_uj=None if net is None else net.value,
        net_low_uj=net.low if sourced and net is not None else None,
        net_high_uj=net.high if sourced and net is not None else None,
        repeats=stage.repeats,
        windows=stage.windows,
        samples=stage.samples,
        duration_us=stage.duration_us,
        mean_uw=stage.mean_uw,
        peak_uw=stage.peak_uw,
        charge_uc=stage.charge_uc,
    )


def _stage_us(board: Board, bench: BenchResult, hz: float) -> dict[str, float]:
    """How long one repetition of each stage takes by the device's counter, in microseconds."""
    if bench.window is None or not bench.reps:
        raise DeviceError("the board sent no counts: windows cannot be planned")
    scale = scale_of(board, bench.window)
    per_second = hz * scale.per_count
    counts = {
        "init_warm": [rep.init for rep in bench.reps],
        "load": [rep.load for rep in bench.reps],
        "infer": [rep.infer for rep in bench.reps],
        "unload": [rep.unload for rep in bench.reps],
        "post": [rep.post for rep in bench.reps],
    }
    return {
        name: median(scale.net(count) for count in values) * 1e6 / per_second
        for name, values in counts.items()
    }


def _run_bursts(
    device: Device | PacedDevice,
    hz: float,
    stage_us: Mapping[str, float],
    rate_hz: float,
    least_samples: int,
    rounds: int,
) -> tuple[Mark, ...]:
    """Preamble, idle, rounds of every stage with idle after each, postamble.

    Short stages are repeated until their window holds enough samples; how long one repetition
    takes with the loop around it is tried out first.
    """
    hold_us = math.ceil(max(MIN_HOLD_S, HOLD_SAMPLES / rate_hz) * 1e6)
    unit = max(1, math.ceil(HOLD_SAMPLES / (rate_hz * PAUSE_UNIT_S)))
    window_s = math.ceil(WINDOW_RESERVE * least_samples / rate_hz / MAINS_S) * MAINS_S
    repeats = {INFER_CODE: _repeats(window_s, (stage_us["load"] + stage_us["infer"]) * 1e-6)}
    for code in LOOPED_CODES:
        probe = device.burst(code, PROBE_REPEATS, 0)
        repeats[code] = _repeats(window_s, (probe.end - probe.begin) / hz / PROBE_REPEATS)
    idle_ms = math.ceil(max(IDLE_S, window_s) * 1000)
    bursts: list[Burst] = [device.burst(PAUSE, unit * length, hold_us) for length in PREAMBLE]
    bursts.append(device.burst(IDLE, idle_ms, hold_us))
    for _ in range(rounds):
        bursts += [device.burst(code, repeats[code], hold_us) for code in sorted(repeats)]
        bursts.append(device.burst(IDLE, idle_ms, hold_us))
    bursts += [device.burst(PAUSE, unit * length, hold_us) for length in POSTAMBLE]
    return marks_of(bursts, hz)


def _repeats(window_s: float, each_s: float) -> int:
    return max(1, math.ceil(window_s / max(each_s, 1e-8)))


def _trouble_s(marks: Sequence[Mark]) -> float:
    """The middle of the first window of ``infer``, in the trace's time: there faults hurt."""
    for mark in marks:
        if mark.code == INFER_CODE:
            return LEAD_S + (mark.begin_s + mark.end_s) / 2
    return LEAD_S
