"""What may be found about a capture."""

from __future__ import annotations

from typing import Final

from npubench.core.finding import Finding, Severity, Spoils

STREAM_ENDED: Final = Finding(
    id="power.stream-ended",
    severity=Severity.REFUSAL,
    meaning="the instrument fell silent, vanished or stopped by itself",
    remedy="cable, hub, overcurrent",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("stream-ended",),
)
SAMPLES_LOST: Final = Finding(
    id="power.samples-lost",
    severity=Severity.REFUSAL,
    meaning="samples are missing inside a window",
    remedy="another port or hub; a quieter host",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("samples-lost",),
)
SATURATED: Final = Finding(
    id="power.saturated",
    severity=Severity.REFUSAL,
    meaning="samples stand at the end of the range inside a window",
    remedy="another range, or another instrument",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("saturated",),
)
SUSPECT_SAMPLES: Final = Finding(
    id="power.suspect-samples",
    severity=Severity.REFUSAL,
    meaning="values that the instrument cannot have meant, or an interval in which it lost some",
    remedy="another port or hub; a quieter host",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("suspect-samples",),
)
MARKERS_UNMATCHED: Final = Finding(
    id="power.markers-unmatched",
    severity=Severity.REFUSAL,
    meaning="edges without a partner, or a line between the clocks that does not fit",
    remedy="wiring, `markers` in bench.toml, ground",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("markers-unmatched",),
)
WINDOW_TOO_SHORT: Final = Finding(
    id="power.window-too-short",
    severity=Severity.REFUSAL,
    meaning="a window has fewer samples than the instrument needs",
    remedy="a faster instrument",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("window-too-short",),
)
VOLTAGE: Final = Finding(
    id="power.voltage-out-of-tolerance",
    severity=Severity.REFUSAL,
    meaning="the supply has another voltage than was set",
    remedy="supply, leads",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("voltage-out-of-tolerance",),
)
CLOCKS_DISAGREE: Final = Finding(
    id="power.clocks-disagree",
    severity=Severity.REFUSAL,
    meaning="the clocks of board and instrument differ by more than `clock_tolerance_ppm`",
    remedy="the board's clock, or its file",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("clocks-disagree",),
)
IDLE_DRIFT: Final = Finding(
    id="power.idle-drift",
    severity=Severity.REFUSAL,
    meaning="idle changed by more than `idle_drift_ratio`",
    remedy="temperature, a second supply, a probe",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("idle-drift",),
)
NEVER_CALIBRATED: Final = Finding(
    id="power.never-calibrated",
    severity=Severity.REFUSAL,
    meaning="in records of earlier versions alone: such energies are unqualified now",
    remedy="none",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("never-calibrated",),
)
CALIBRATION_UNUSABLE: Final = Finding(
    id="power.calibration-unusable",
    severity=Severity.REFUSAL,
    meaning="the instrument sends no calibration, or one that cannot be",
    remedy="calibrate it",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("calibration-unusable",),
)
INSTRUMENT_FAILED: Final = Finding(
    id="power.instrument-failed",
    severity=Severity.REFUSAL,
    meaning="the instrument could not be opened or set up",
    remedy="the message says why",
    spoils=Spoils.ENERGY,
    text="{detail}",
    values={"detail": str},
    aliases=("instrument-failed",),
)
UNQUALIFIED: Final = Finding(
    id="power.unqualified",
    severity=Severity.WARNING,
    meaning="the instrument's accuracy has no source, so that energies have no intervals",
    remedy="give `[instrument.accuracy]` with its source, or make one: npubench power calibrate",
    spoils=Spoils.ENERGY,
    text="the accuracy of {instrument} has no source: its energies have no intervals",
    values={"instrument": str},
)
