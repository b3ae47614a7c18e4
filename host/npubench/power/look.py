"""An instrument, or a capture of it, looked at without a board: what `npubench power` tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from npubench.power.capture.free import (
    DEMO_CURRENT_UA,
    Calibration,
    Totals,
    calibrate,
    capture_for,
    doubts,
    totals,
)
from npubench.power.capture.rig import Playback, choose_power, open_power
from npubench.power.energy.refusal import Cause, Reason
from npubench.power.parts import read_capture
from npubench.power.plot.marked import draw
from npubench.power.registry import driver_names, load_driver
from npubench.power.simulators.catalog import Kind, kinds
from npubench.power.simulators.faults import FAULTS
from npubench.power.simulators.trace import Piece, Trace
from npubench.power.source.benchfile import Instrument, bench_path, read_bench
from npubench.power.source.driver import Driver, Found
from npubench.power.source.interface import Identity, Traits

CUT_OFF = "the process that captured was killed; every finished part is here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Every instrument that can be named: of bench.toml, plugged in, simulated; and the drivers."""

    bench_file: Path | None
    instruments: dict[str, Instrument]
    drivers: tuple[Driver, ...]
    simulators: tuple[Kind, ...]
    plugged_in: tuple[Found, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "bench_file": None if self.bench_file is None else str(self.bench_file),
            "instruments": {
                name: item.model_dump(mode="json") for name, item in self.instruments.items()
            },
            "drivers": [
                {"name": d.name, "title": d.title, "extra": d.extra, "notes": d.notes}
                for d in self.drivers
            ],
            "simulators": [
                {
                    "name": kind.name,
                    "title": kind.title,
                    "rate_hz": kind.rate_hz,
                    "faults": list(kind.faults),
                }
                for kind in self.simulators
            ],
            "plugged_in": [asdict(item) for item in self.plugged_in],
        }


def list_instruments() -> Instruments:
    """What there is on this desk. Raises ConfigError for a wrong bench.toml."""
    drivers = tuple(load_driver(name) for name in driver_names())
    return Instruments(
        bench_file=bench_path(),
        instruments=dict(read_bench().power),
        drivers=drivers,
        simulators=tuple(kinds().values()),
        plugged_in=tuple(item for driver in drivers for item in driver.detect()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """A way in which simulated instruments can misbehave, and which of them can."""

    name: str
    what: str
    simulators: tuple[str, ...]


def list_faults() -> tuple[FaultKind, ...]:
    """Every fault that ``--power-fault`` takes."""
    return tuple(
        FaultKind(
            name=name,
            what=what,
            simulators=tuple(kind.name for kind in kinds().values() if name in kind.faults),
        )
        for name, what in FAULTS.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedInstrument:
    """Who answered under a name, and what it delivers."""

    name: str
    identity: Identity
    traits: Traits

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        traits = self.traits
        return {
            "name": self.name,
            **asdict(self.identity),
            "rate_hz": traits.rate_hz,
            "marker_bits": traits.marker_bits,
            "edges": traits.edges,
            "voltage": traits.voltage,
            "voltage_mv": traits.voltage_mv,
            "accuracy": traits.accuracy.model_dump(mode="json"),
        }


def show_instrument(name: str, faults: Sequence[str] = ()) -> OpenedInstrument:
    """Open an instrument, ask who it is, close it. Raises UsageError for an unknown name,
    MonitorError when it cannot be opened."""
    choice = choose_power(name, faults)
    playback = None
    if choice.simulated:
        trace = Trace([Piece(seconds=1.0, current_ua=DEMO_CURRENT_UA)])
        playback = Playback(trace=trace, trouble_s=0.5)
    with open_power(choice, playback) as opened:
        return OpenedInstrument(name=name, identity=opened.identity, traits=opened.traits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A capture in a few numbers. ``ended`` says why it ended early, ``reasons`` what speaks
    against it; ``png`` is the picture that was drawn, if one was."""

    folder: Path
    identity: Identity
    totals: Totals
    ended: str
    reasons: tuple[Reason, ...]
    png: Path | None = None


def capture_free(name: str, folder: Path, *, seconds: float, faults: Sequence[str] = ()) -> Look:
    """Capture for a while without a board into a new folder, and sum up.

    Raises UsageError for an unknown name, MonitorError when the instrument cannot be opened.
    """
    choice = choose_power(name, faults)
    stored = capture_for(choice, folder, seconds=seconds)
    found = totals(stored)
    return Look(
        folder=folder,
        identity=stored.identity,
        totals=found,
        ended="" if stored.loss is None else stored.loss.ended,
        reasons=doubts(stored, found, seconds=None if choice.recorded else seconds),
    )


def calibrate_instrument(
    name: str, folder: Path, *, seconds: float, reference_ua: float, reference_ratio: float
) -> Calibration:
    """Capture a known, constant current into a new folder and compare. Raises what ``calibrate``
    and ``capture_for`` raise."""
    stored = capture_for(choose_power(name), folder, seconds=seconds)
    return calibrate(stored, reference_ua=reference_ua, reference_ratio=reference_ratio)


def view_capture(
    folder: Path,
    *,
    png: Path | None = None,
    begin_s: float = 0.0,
    end_s: float | None = None,
    columns: int = 1400,
) -> Look:
    """Sum up a capture's folder, or a run's, also one that was cut off, and draw it into ``png``.

    Raises ResultError where there is no capture, StorageError when the picture cannot be written.
    """
    inner = folder / "power"
    stored = read_capture(inner if inner.is_dir() else folder)
    if png is not None:
        draw(stored, png, begin_s=begin_s, end_s=end_s, columns=columns)
    found = totals(stored)
    against = (item for item in doubts(stored, found) if item.cause != Cause.STREAM_ENDED)
    return Look(
        folder=folder,
        identity=stored.identity,
        totals=found,
        ended=CUT_OFF if stored.loss is None else stored.loss.ended,
        reasons=tuple(against),
        png=png,
    )
