"""Why a capture is refused: one name for each cause, the same in records, messages and docs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from npubench.core.finding import Finding, Found
from npubench.power import findings


class Cause(StrEnum):
    """The name of a refusal. docs/power.md says what each means and what to do."""

    STREAM_ENDED = "stream-ended"
    SAMPLES_LOST = "samples-lost"
    SATURATED = "saturated"
    SUSPECT_SAMPLES = "suspect-samples"
    MARKERS_UNMATCHED = "markers-unmatched"
    WINDOW_TOO_SHORT = "window-too-short"
    VOLTAGE = "voltage-out-of-tolerance"
    CLOCKS_DISAGREE = "clocks-disagree"
    IDLE_DRIFT = "idle-drift"
    # In older records alone: such a unit's energies are unqualified now.
    NEVER_CALIBRATED = "never-calibrated"
    CALIBRATION_UNUSABLE = "calibration-unusable"
    INSTRUMENT_FAILED = "instrument-failed"

    @property
    def finding(self) -> Finding:
        """The finding that the cause is the short name of."""
        found: Finding = getattr(findings, self.name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A cause with its values."""

    cause: Cause
    detail: str

    @property
    def found(self) -> Found:
        """The reason as a record keeps it."""
        return self.cause.finding.found(detail=self.detail)

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}"


def reason_of(text: str) -> Reason:
    """A reason from the text that ``str`` makes of it."""
    cause, _, detail = text.partition(": ")
    return Reason(cause=Cause(cause), detail=detail)
