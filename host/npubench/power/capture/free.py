"""Captures without a board: for looking at a supply, and for calibrating an instrument."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from npubench.core.errors import MonitorError, UsageError
from npubench.power.capture.recorder import Recorder
from npubench.power.capture.rig import (
    HELD_SAMPLES,
    Choice,
    Playback,
    instrument_reasons,
    open_power,
)
from npubench.power.energy.refusal import Cause, Reason
from npubench.power.parts import Capture, read_capture
from npubench.power.simulators.trace import Piece, Trace
from npubench.power.source.interface import Flag

DEMO_CURRENT_UA = 5_000.0
# What a decoder may hold back until more comes, at most.
HELD_S = 0.01
# Fewer samples than this share of what the rate promises are too few.
LEAST_RATIO = 0.95


def capture_for(choice: Choice, folder: Path, *, seconds: float) -> Capture:
    """Capture for a while. A simulated instrument shows a constant current of 5 mA.

    A failing instrument ends the capture early; ``loss.ended`` says why. Raises MonitorError when
    it cannot be opened.
    """
    playback = None
    if choice.simulated:
        pieces = [Piece(seconds=seconds, current_ua=DEMO_CURRENT_UA)]
        playback = Playback(trace=Trace(pieces), trouble_s=seconds / 2)
    with (
        open_power(choice, playback) as opened,
        Recorder(opened.source, folder, identity=opened.identity, traits=opened.traits) as recorder,
    ):
        wanted = max(1, int(seconds * opened.traits.rate_hz))
        held = _held(opened.traits.rate_hz)
        end_s = time.monotonic() + seconds + 2.0
        while time.monotonic() < end_s and not recorder.over:
            if recorder.wait_samples(wanted - held, timeout_s=0.2):
                break
            if opened.feed is not None and opened.feed.next >= opened.feed.count:
                recorder.wait_samples(wanted, timeout_s=0.3)
                break
        recorder.stop()
    return read_capture(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A capture in a few numbers.

    ``saturated`` and ``suspect`` samples, beyond the instrument's range or not what it can have
    meant, are in mean and extremes as they came.
    """

    samples: int
    seconds: float
    mean_ua: float
    low_ua: float
    high_ua: float
    std_ua: float
    lost: int
    saturated: int
    suspect: int


def totals(capture: Capture) -> Totals:
    """Mean, extremes and spread of a capture, in one pass."""
    count = lost = saturated = suspect = 0
    total = squares = 0.0
    low, high = np.inf, -np.inf
    for block in capture.blocks():
        values = block.current_ua[np.isfinite(block.current_ua)].astype(np.float64)
        lost += len(block) - len(values)
        saturated += int(((block.flags & Flag.SATURATED) != 0).sum())
        suspect += int(((block.flags & Flag.SUSPECT) != 0).sum())
        if not len(values):
            continue
        count += len(values)
        total += float(values.sum())
        squares += float(values @ values)
        low, high = min(low, float(np.min(values))), max(high, float(np.max(values)))
    mean = total / count if count else 0.0
    return Totals(
        samples=count + lost,
        seconds=(count + lost) / capture.traits.rate_hz,
        mean_ua=mean,
        low_ua=float(low) if count else 0.0,
        high_ua=float(high) if count else 0.0,
        std_ua=float(max(squares / count - mean * mean, 0.0) ** 0.5) if count else 0.0,
        lost=lost,
        saturated=saturated,
        suspect=suspect,
    )


def _held(rate_hz: float) -> int:
    return min(HELD_SAMPLES, int(HELD_S * rate_hz))


def doubts(capture: Capture, found: Totals, *, seconds: float | None = None) -> tuple[Reason, ...]:
    """What speaks against a capture. ``seconds``: how long it should be, where that is known."""
    reasons = list(instrument_reasons(capture))
    for count, cause, what in (
        (found.lost, Cause.SAMPLES_LOST, "are missing"),
        (found.saturated, Cause.SATURATED, "are at the end of the instrument's range"),
        (found.suspect, Cause.SUSPECT_SAMPLES, "cannot be what the instrument meant"),
    ):
        if count:
            reasons.append(Reason(cause=cause, detail=f"{count} samples {what}"))
    wanted = 0 if seconds is None else int(seconds * capture.traits.rate_hz)
    if found.samples < LEAST_RATIO * wanted - _held(capture.traits.rate_hz) and not (
        capture.loss is not None and capture.loss.ended
    ):
        reasons.append(
            Reason(
                cause=Cause.STREAM_ENDED,
                detail=f"{found.samples} of {wanted} samples came in time",
            )
        )
    return tuple(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a known current told of an instrument; ``gain_error_ratio`` needs a current of its own.

    ``gain_ratio`` (k = 2) is the accuracy that may be claimed after it: the reference's own and the
    scatter of the mean.
    """

    reference_ua: float
    mean_ua: float
    error_ratio: float
    gain_ratio: float
    samples: int


def calibrate(capture: Capture, *, reference_ua: float, reference_ratio: float) -> Calibration:
    """Compare a capture of a known, constant current with its value (k = 2 relative).

    Raises UsageError for a current that cannot calibrate, MonitorError for a capture that is not
    whole.
    """
    if not (np.isfinite(reference_ua) and reference_ua != 0 and np.isfinite(reference_ratio)):
        raise UsageError(
            f"a reference of {reference_ua:g} uA known to {reference_ratio:g} tells no gain",
            hint="apply a current of its own and name it: --reference-ua 5000",
        )
    found = totals(capture)
    against = doubts(capture, found)
    if against or not found.samples:
        raise MonitorError(
            f"{capture.folder} cannot calibrate: "
            + ("; ".join(str(reason) for reason in against) or "it holds no samples"),
            hint="capture again into a new folder",
        )
    scatter = 2 * found.std_ua / max(found.samples, 1) ** 0.5 / max(abs(reference_ua), 1e-9)
    error = found.mean_ua / reference_ua - 1
    return Calibration(
        reference_ua=reference_ua,
        mean_ua=found.mean_ua,
        error_ratio=error,
        gain_ratio=float((reference_ratio**2 + scatter**2 + error**2) ** 0.5),
        samples=found.samples,
    )
