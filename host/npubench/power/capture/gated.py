"""Energy in windows of a capture that no bench made: by a digital input's level, or by times.

A foreign capture has no marks of a device beside it, so nothing proves what ran in a window: the
figures are what the samples add up to, and windows with samples that are missing or beyond the
instrument's range have no energy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from npubench.core.errors import MonitorError, UsageError
from npubench.power.energy.edges import EdgeFinder, Wiring
from npubench.power.energy.windows import Window
from npubench.power.parts import Capture, read_capture

MOST_WINDOWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """One window. ``energy_uj`` is None, with the reason, where its samples are not whole."""

    begin_s: float
    seconds: float
    samples: int
    mean_ua: float
    mean_mv: float
    energy_uj: float | None
    reason: str = ""


def read_gated(
    folder: Path,
    *,
    bit: int | None = None,
    active_low: bool = False,
    spans_s: Sequence[tuple[float, float]] = (),
) -> tuple[Gated, ...]:
    """The windows of the capture in ``folder`` (or in a run's): of input ``bit``, else ``spans_s``.

    Raises ResultError where there is no capture, else as the functions below.
    """
    if (bit is None) == (not spans_s):
        raise UsageError(
            "windows are by a digital input or by times", hint="--input 0, or --between 1.5:2.5"
        )
    inner = folder / "power"
    capture = read_capture(inner if inner.is_dir() else folder)
    places = (
        time_windows(capture, spans_s)
        if bit is None
        else level_windows(capture, bit=bit, active_low=active_low)
    )
    return gated(capture, places)


def level_windows(
    capture: Capture, *, bit: int, active_low: bool = False
) -> tuple[tuple[float, float], ...]:
    """Begins and ends, in samples, of the stretches in which input ``bit`` is active; one that the
    capture cuts at its begin or end is left out.

    Raises UsageError for an input that the capture does not have, MonitorError where it never
    changes.
    """
    bits = capture.traits.marker_bits
    if not 0 <= bit < bits:
        raise UsageError(
            f"the capture has {bits} digital inputs, and none is number {bit}",
            hint="they are numbered from 0" if bits else "name times: --between BEGIN:END",
        )
    finder = EdgeFinder(Wiring(codes=(), busy=bit))
    for block in capture.blocks():
        finder.feed(block)
    wanted = 1 if active_low else 0  # the finder's level is 1 while the input is low
    found: list[tuple[float, float]] = []
    begin: float | None = None
    for edge in finder.edges():
        if edge.after == wanted:
            begin = edge.place
        elif begin is not None:
            found.append((begin, edge.place))
            begin = None
    if not found:
        raise MonitorError(
            f"digital input {bit} has no whole {'low' if active_low else 'high'} level in "
            f"{capture.folder}",
            hint="another input, --active low, or times: --between BEGIN:END",
        )
    return tuple(found)


def time_windows(
    capture: Capture, spans_s: Sequence[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    """Begins and ends in samples. Raises UsageError for a span that is none of the capture's."""
    rate_hz, count = capture.traits.rate_hz, capture.count()
    for begin_s, end_s in spans_s:
        if not 0 <= begin_s < end_s <= count / rate_hz + 1e-9:
            raise UsageError(
                f"{begin_s:g} to {end_s:g} s is no span of a capture of {count / rate_hz:g} s"
            )
    return tuple((begin_s * rate_hz, end_s * rate_hz) for begin_s, end_s in spans_s)


def gated(capture: Capture, places: Sequence[tuple[float, float]]) -> tuple[Gated, ...]:
    """What the samples of each window (begin and end in samples) add up to."""
    if len(places) > MOST_WINDOWS:
        raise UsageError(
            f"{len(places)} windows are too many ({MOST_WINDOWS})",
            hint="another input, or times: --between BEGIN:END",
        )
    windows = [Window(name=str(at), begin=begin, end=end) for at, (begin, end) in enumerate(places)]
    for block in capture.blocks():
        last = block.first + len(block)
        for window in windows:
            if window.begin < last + 1 and window.end > block.first - 1:
                window.add(block, capture.traits.voltage_mv)
    return tuple(_summed(window, capture.traits.rate_hz) for window in windows)


def _summed(window: Window, rate_hz: float) -> Gated:
    bad = {
        "are missing": window.lost,
        "are beyond the instrument's range": window.saturated,
        "cannot be what the instrument meant": window.suspect,
    }
    reasons = [
        f"{count} of {window.samples} samples {what}" for what, count in bad.items() if count
    ]
    if not window.samples:
        reasons = ["no whole sample lies in it"]
    return Gated(
        begin_s=window.begin / rate_hz,
        seconds=window.length / rate_hz,
        samples=window.samples,
        mean_ua=float(window.current_by_range.sum()) / window.length,
        mean_mv=window.mean_voltage_mv,
        # nanowatts times seconds are nanojoules
        energy_uj=None if reasons else float(window.power_by_range.sum()) / rate_hz / 1e3,
        reason="; ".join(reasons),
    )
