"""The instrument that ``--power NAME`` means, ready to capture: from bench.toml, or simulated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from npubench.core.errors import MonitorError, UsageError
from npubench.power.capture.recorder import Recorder
from npubench.power.energy.account import Limits
from npubench.power.energy.edges import Wiring
from npubench.power.energy.refusal import Cause, Reason
from npubench.power.parts import Capture, read_capture
from npubench.power.registry import load_driver
from npubench.power.simulators.base import Feed, Simulator, drawn_frontend
from npubench.power.simulators.catalog import SUFFIX, Kind, find_kind, kinds
from npubench.power.simulators.faults import check_faults
from npubench.power.simulators.trace import Trace
from npubench.power.source.accuracy import Accuracy
from npubench.power.source.benchfile import Instrument, find_instrument, read_bench
from npubench.power.source.driver import Driver
from npubench.power.source.failure import InstrumentUncalibrated, understood
from npubench.power.source.interface import Identity, PowerSource, Setup, Traits
from npubench.power.source.profile import profile_accuracy

VIRTUAL, REPLAY = "virtual", "replay"
PLAYBACK_TIMEOUT_S = 300.0
# The last samples may wait in a decoder for their neighbours.
HELD_SAMPLES = 64
STALL_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen, not opened yet. ``kind`` is None for an instrument of bench.toml."""

    name: str
    driver: Driver
    instrument: Instrument
    kind: Kind | None = None
    faults: frozenset[str] = field(default_factory=frozenset)

    @property
    def simulated(self) -> bool:
        """Whether marks are played back instead of captured as they happen."""
        return self.kind is not None or self.driver.name == VIRTUAL

    @property
    def recorded(self) -> bool:
        """Whether it is a recording, which ends by itself."""
        return self.driver.name == REPLAY or self.driver.is_file

    @property
    def wiring(self) -> Wiring:
        """Which inputs carry the board's markers."""
        if self.kind is not None:
            return self.kind.wiring
        markers = self.instrument.markers
        return Wiring(codes=markers.codes, busy=markers.busy)

    def limits(
        self, traits: Traits, *, clock_tolerance_ppm: float, device_clock_ppm: float
    ) -> Limits:
        """What the capture must keep to."""
        return Limits(
            clock_tolerance_ppm=clock_tolerance_ppm,
            device_clock_ppm=device_clock_ppm,
            min_window_samples=traits.min_window_samples,
            idle_must_sleep=not self.simulated,
            idle_drift_ratio=self.instrument.idle_drift_ratio,
            voltage_tolerance_ratio=self.instrument.voltage_tolerance_ratio,
        )


def choose_power(name: str, faults: Sequence[str] = (), *, bench: Path | None = None) -> Choice:
    """What ``--power NAME`` means. Raises UsageError or ConfigError."""
    if name.endswith(SUFFIX):
        kind = find_kind(name)
        return Choice(
            name=name,
            driver=load_driver(kind.driver),
            instrument=Instrument(driver=kind.driver, port="simulated", options=kind.options),
            kind=kind,
            faults=check_faults(faults, kind.faults, name),
        )
    if faults:
        what = "has no wire and cannot" if name == VIRTUAL else "is not simulated and cannot"
        raise UsageError(
            f"{name} {what} misbehave on order",
            hint=f"faults are for {', '.join(kinds())}",
        )
    if name == VIRTUAL:
        return Choice(
            name=name,
            driver=load_driver(VIRTUAL),
            instrument=Instrument(driver=VIRTUAL, port="simulated"),
        )
    instrument = find_instrument(name, read_bench(bench), also=(*kinds(), VIRTUAL))
    return Choice(name=name, driver=load_driver(instrument.driver), instrument=instrument)


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What a simulated instrument is shown. ``trouble_s``: when its faults strike."""

    trace: Trace
    trouble_s: float
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open, configured instrument."""

    source: PowerSource
    identity: Identity
    traits: Traits
    simulator: Simulator | None
    feed: Feed | None


@contextmanager
def open_power(choice: Choice, playback: Playback | None = None) -> Iterator[Open]:
    """Open, identify and configure the chosen instrument; close it on leaving. Raises MonitorError.

    A simulated one needs the ``playback`` that it shows.
    """
    with ExitStack() as stack:
        simulator: Simulator | None = None
        feed: Feed | None = None
        setup = Setup(
            voltage_mv=choice.instrument.voltage_mv,
            mode=choice.instrument.mode,
            options=dict(choice.instrument.options),
        )
        if choice.simulated:
            if playback is None:
                raise UsageError(f"{choice.name} shows a board's marks: use it with bench")
            setup = replace(setup, voltage_mv=playback.trace.supply_mv)
        if choice.kind is not None and playback is not None:
            frontend = replace(
                drawn_frontend(choice.kind.accuracy, playback.seed), noise_ua=choice.kind.noise_ua
            )
            feed = Feed(
                playback.trace,
                rate_hz=choice.kind.rate_hz,
                frontend=frontend,
                faults=choice.faults,
                trouble_s=playback.trouble_s,
                seed=playback.seed,
            )
            simulator = stack.enter_context(choice.kind.make(feed))
            source = choice.driver.open(simulator.address, choice.instrument.options)
        elif choice.driver.name == VIRTUAL and playback is not None:
            from npubench.power.instruments.virtual import VirtualSource

            source = VirtualSource(playback.trace, choice.instrument.options)
        else:
            source = choice.driver.open(_port_of(choice), choice.instrument.options)
        with understood(choice.name):
            source = stack.enter_context(source)
            identity = source.describe()
        wanted = choice.instrument.serial
        if wanted and identity.serial and identity.serial != wanted:
            raise MonitorError(
                f"{choice.name} should have serial number {wanted}, but {identity.serial} answered",
                hint="correct serial or port in bench.toml",
            )
        if choice.simulated:
            identity = replace(
                identity, simulated=True, serial="", model=f"simulated {identity.model}"
            )
        with understood(choice.name):
            traits = source.configure(setup)
        traits = replace(traits, accuracy=_accuracy(choice, identity, traits))
        if choice.instrument.min_window_samples is not None:
            traits = replace(traits, min_window_samples=choice.instrument.min_window_samples)
        elif choice.kind is not None:
            traits = replace(traits, min_window_samples=choice.kind.min_window_samples)
        yield Open(source=source, identity=identity, traits=traits, simulator=simulator, feed=feed)


def capture_playback(opened: Open, folder: Path, *, samples: int) -> Capture:
    """Capture ``samples`` samples of a simulated instrument, or what comes until it fails."""
    with Recorder(
        opened.source, folder, identity=opened.identity, traits=opened.traits
    ) as recorder:
        waited_s = stalled_s = 0.0
        seen = -1
        while waited_s < PLAYBACK_TIMEOUT_S and not recorder.over:
            if recorder.wait_samples(samples - HELD_SAMPLES, timeout_s=0.1):
                break
            waited_s += 0.1
            exhausted = opened.feed is None or opened.feed.next >= opened.feed.count
            stalled_s = stalled_s + 0.1 if exhausted and recorder.samples == seen else 0.0
            seen = recorder.samples
            if stalled_s > STALL_S:
                break
        recorder.stop()
    return read_capture(folder)


def capture_recording(opened: Open, folder: Path) -> Capture:
    """Capture a recording to its end."""
    with Recorder(
        opened.source, folder, identity=opened.identity, traits=opened.traits
    ) as recorder:
        while not recorder.over:
            recorder.wait_samples(1 << 62, timeout_s=1.0)
        recorder.stop()
    return read_capture(folder)


def instrument_reasons(capture: Capture) -> tuple[Reason, ...]:
    """What the instrument says against its own capture."""
    reasons = []
    if capture.loss is None:
        reasons.append(Reason(cause=Cause.STREAM_ENDED, detail="the capture was not closed"))
    elif capture.loss.ended:
        reasons.append(Reason(cause=Cause.STREAM_ENDED, detail=capture.loss.ended))
    return tuple(reasons)


def failure_reason(error: MonitorError) -> Reason:
    """The reason that stands for an instrument that failed before its capture."""
    cause = (
        Cause.CALIBRATION_UNUSABLE
        if isinstance(error, InstrumentUncalibrated)
        else Cause.INSTRUMENT_FAILED
    )
    return Reason(cause=cause, detail=error.message)


def _accuracy(choice: Choice, identity: Identity, traits: Traits) -> Accuracy:
    """Who claims what: bench.toml before the simulator before the profile before the driver.

    The size of a count is the driver's, who knows the unit's calibration. A unit that says itself
    that it was never calibrated keeps no claim of its kind: only what bench.toml says of this one.
    """
    if choice.instrument.accuracy is not None:
        claim = choice.instrument.accuracy
    elif choice.kind is not None:
        claim = choice.kind.accuracy
    else:
        claim = profile_accuracy(choice.driver.name) or traits.accuracy
    if identity.calibrated is False and choice.instrument.accuracy is None:
        claim = claim.model_copy(update={"source": ""})
    steps = traits.accuracy.ranges
    if not steps or not claim.ranges:
        return claim
    ranges = tuple(
        claim.of_range(number).model_copy(
            update={"step_ua": max(step.step_ua, claim.of_range(number).step_ua)}
        )
        for number, step in enumerate(steps)
    )
    return claim.model_copy(update={"ranges": ranges})


def _port_of(choice: Choice) -> str:
    """The port of an instrument: as given, or found by its serial number; never the first match."""
    if choice.instrument.port:
        return choice.instrument.port
    found = choice.driver.detect()
    for instrument in found:
        if instrument.serial == choice.instrument.serial:
            return instrument.port
    seen = ", ".join(f"{item.port} (serial {item.serial or '?'})" for item in found)
    raise MonitorError(
        f"no {choice.driver.title} with serial number {choice.instrument.serial} is plugged in",
        hint=f"there is {seen}" if seen else "none of its kind was found",
    )
