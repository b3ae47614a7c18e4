"""One folder of results as its raw data say, whichever runner wrote it."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from npubench.audit.accuracy import Accuracy
from npubench.audit.identity import Identity
from npubench.audit.printed import Published, PublishedWindow
from npubench.audit.streaming import StreamingRun

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
class AuditResult:
    """``mode``: performance, energy or accuracy. Throughput per second, energy in microjoules per
    inference; published values are None where the folder has none. ``uploads_s``: beginnings and
    ends of the uploads, in the time of the trace. ``digests``: SHA-256 of each raw file, line ends
    apart, and of the readings of the device's clock. ``streaming``: one long file instead of five
    windows. ``unpaired``: marks that do not follow each other by the monitor's count. ``absent``:
    files that are not there; ``problems``: what is wrong with those that are. ``voltage_due``: the
    file that would hold the supply's voltage was read."""

    folder: str
    mode: str
    runner: str
    windows: tuple[AuditWindow, ...] = ()
    published_windows: tuple[PublishedWindow, ...] = ()
    published_ips: float | None = None
    published_uj: float | None = None
    printed: Published = field(default_factory=Published)
    identity: Identity = field(default_factory=Identity)
    accuracy: Accuracy | None = None
    streaming_run: StreamingRun | None = None
    voltage_mv: float | None = None
    voltage_due: bool = False
    marks_count: int | None = None
    streaming: bool = False
    dropped_ratio: float | None = None
    uploads_s: tuple[tuple[float, float], ...] = ()
    errors: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    unpaired: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def ips(self) -> float | None:
        """Median throughput from the raw windows; of a streaming run that of its frames."""
        if self.streaming:
            return self.streaming_run.ips if self.streaming_run else None
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


def _median(values: list[float]) -> float | None:
    return median(values) if values else None
