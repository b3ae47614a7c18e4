"""One folder of results as its raw data say, whichever runner wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWindow:
    """One timed stretch of ``inferences``. ``host_s``: how long the host saw it last; ``energy_uj``
    of the whole window; ``marks``: how many timestamp marks lie in it (2 is right)."""

    number: int
    inferences: int
    seconds: float | None
    host_s: float | None = None
    energy_uj: float | None = None
    marks: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWindow:
    """A window as the runner printed it."""

    begin_s: float | None
    seconds: float | None
    energy_uj: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """``mode``: performance, energy or accuracy. Throughput per second, energy in microjoules per
    inference; published values are None where the folder has none. ``digests``: SHA-256 of each raw
    file."""

    folder: str
    mode: str
    runner: str
    windows: tuple[AuditWindow, ...] = ()
    published_windows: tuple[PublishedWindow, ...] = ()
    published_ips: float | None = None
    published_uj: float | None = None
    voltage_mv: float | None = None
    marks_count: int | None = None
    errors: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
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


def _median(values: list[float]) -> float | None:
    from statistics import median

    return median(values) if values else None
