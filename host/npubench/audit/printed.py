"""What a submission says of itself in results.txt, as figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from npubench.audit.streaming import Detections


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A published figure and half a unit of its last digit, within which it was rounded."""

    value: float
    half_unit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWindow:
    """A window as the runner printed it."""

    begin_s: float | None
    seconds: float | None
    energy_uj: float | None
    inferences: int | None = None
    ips: float | None = None


@dataclass(slots=True, kw_only=True)
class Published:
    """What the last run in the file printed. The streaming test prints detections and the duty
    cycle; its ``median_uj`` is the energy of the whole run, its figure of merit ``power_mw``."""

    energy_windows: list[PublishedWindow] = field(default_factory=list)
    performance_windows: list[PublishedWindow] = field(default_factory=list)
    median_ips: float | None = None
    median_uj: float | None = None
    top_1_pct: Printed | None = None
    auc: Printed | None = None
    detections: Detections | None = None
    duty_ratio: float | None = None
    period_s: float | None = None
    power_mw: float | None = None

    @property
    def ips(self) -> float | None:
        """The printed median; a run of a single window prints none."""
        return self.median_ips or _median([window.ips for window in self.performance_windows])

    @property
    def energy_uj(self) -> float | None:
        """The printed median, else that of the windows."""
        return self.median_uj or _median([window.energy_uj for window in self.energy_windows])

    def windows(self, mode: str) -> list[PublishedWindow]:
        """Those of a mode. EEMBC's energy run prints each window twice: the energy, then the
        number of inferences."""
        if mode != "energy" or not self.energy_windows:
            return self.performance_windows
        if len(self.energy_windows) != len(self.performance_windows):
            return self.energy_windows
        return [
            replace(window, inferences=window.inferences or other.inferences)
            for window, other in zip(self.energy_windows, self.performance_windows, strict=True)
        ]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
