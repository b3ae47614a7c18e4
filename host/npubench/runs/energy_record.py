"""Energy in a run's record: what ``energy`` in ``run.json`` holds."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from npubench.core.evidence import Evidence


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class EnergyStageRecord(_Part):
    """One repetition of a stage, in microjoules; ``low`` and ``high`` bound it (k = 2), None where
    the instrument's accuracy has no source. ``net``: less what idle would have taken meanwhile.

    ``repeats``: repetitions in one window on the device; ``windows``: how many such windows;
    ``samples``: in all of them; ``duration_us``: of one repetition, by the device's clock.
    """

    gross_uj: float
    gross_low_uj: float | None
    gross_high_uj: float | None
    net_uj: float | None
    net_low_uj: float | None
    net_high_uj: float | None
    repeats: int
    windows: int
    samples: int
    duration_us: float
    mean_uw: float
    peak_uw: float
    charge_uc: float


class EnergyInstrumentRecord(_Part):
    """The power instrument. ``serial`` is what was read back from it; empty when nothing was."""

    name: str
    driver: str
    model: str
    serial: str = ""
    firmware: str = ""
    simulated: bool
    rate_hz: float | None = None
    accuracy_source: str = ""


class EnergyRecord(_Part):
    """Energy by stage, integrated on the device's clock. See docs/power.md.

    ``clock_ppm``: how much faster the instrument's clock runs than the device's. ``verdict``:
    ``unqualified`` without intervals, ``refused`` with ``reasons``, each ``name: what happened``.
    ``model`` names the virtual power model, with the hash of its parameters.
    """

    evidence: Evidence
    idle_uw: float | None
    idle_drift_uw: float | None = None
    clock_ppm: float | None
    clock_residual_samples: float | None = None
    edges: int = 0
    integrated_on: Literal["device"] = "device"
    voltage_mv: float | None
    voltage_source: Literal["measured", "declared"]
    stages: dict[str, EnergyStageRecord]
    verdict: Literal["ok", "unqualified", "refused"]
    reasons: tuple[str, ...] = ()
    model: str | None = None
    faults: tuple[str, ...] = ()
    instrument: EnergyInstrumentRecord
    samples_received: int = 0
    samples_lost: int = 0
    samples_filtered: int = 0
