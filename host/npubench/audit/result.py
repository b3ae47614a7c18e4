"""One folder of results as its raw data say, whichever runner wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

CLOCK = "clock"
"""Name among the digests of all readings of the device's own clock: no two runs share them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWindow:
    """One timed stretch of ``inferences``. ``host_s``: how long the host saw it last; ``energy_uj``
    of the whole window; ``marks``: how many timestamp marks lie in it (2 is right);
    ``infer_begin_s``: when the inferences began by the log, in the time of the trace."""

    number: int
    inferences: int
    seconds: float | None
    host_s: float | None = None
    energy_uj: float | None = None
    marks: int = 2
    infer_begin_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWindow:
    """A window as the runner printed it."""

    begin_s: float | None
    seconds: float | None
    energy_uj: float | None
    inferences: int | None = None
    ips: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """``mode``: performance, energy or accuracy. Throughput per second, energy in microjoules per
    inference; published values are None where the folder has none. ``uploads_s``: beginnings and
    ends of the uploads, in the time of the trace. ``digests``: SHA-256 of each raw file, line ends
    apart, and of the readings of the device's clock. ``streaming``: one long file instead of five
    windows. ``unpaired``: marks that do not follow each other by the monitor's count."""

    folder: str
    mode: str
    runner: str
    windows: tuple[AuditWindow, ...] = ()
    published_windows: tuple[PublishedWindow, ...] = ()
    published_ips: float | None = None
    published_uj: float | None = None
    voltage_mv: float | None = None
    marks_count: int | None = None
    streaming: bool = False
    dropped_ratio: float | None = None
    uploads_s: tuple[tuple[float, float], ...] = ()
    errors: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unpaired: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def ips(self) -> float | None:
        """Median throughput from the raw windows."""
        return _median(
            [
                window.inferences / window.seconds
                for window in self.windows
                if window.seconds and window.inferences
            ]
        )

    @property
    def energy_uj(self) -> float | None:
        """Median energy per inference from the raw windows."""
        return _median(
            [
                window.energy_uj / window.inferences
                for window in self.windows
                if window.energy_uj is not None and window.inferences
            ]
        )

    @property
    def latency_ms(self) -> float | None:
        """Time of one inference in the median window."""
        return 1000.0 / self.ips if self.ips else None

    @property
    def published_latency_ms(self) -> float | None:
        """The inverse of the published throughput."""
        return 1000.0 / self.published_ips if self.published_ips else None

    @property
    def latency_difference_pct(self) -> float | None:
        """Latency from the raw data against the published one."""
        return _difference(self.latency_ms, self.published_latency_ms)

    @property
    def energy_difference_pct(self) -> float | None:
        """Energy from the raw data against the published one."""
        return _difference(self.energy_uj, self.published_uj)


def _median(values: list[float]) -> float | None:
    return median(values) if values else None


def _difference(raw: float | None, published: float | None) -> float | None:
    return 100.0 * (raw / published - 1.0) if raw is not None and published else None
