"""results.txt of both runners: windows and medians as they were printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from npubench.audit.result import PublishedWindow
from npubench.audit.textfile import read_text

NUMBER = r"(\d{1,15}(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?)(?![\w.])"
ENERGY_WINDOW = re.compile(
    rf"Energy data for (?:window|trial) \d+(?: at time {NUMBER} for {NUMBER} sec)?"
)
PERFORMANCE_WINDOW = re.compile(r"Performance results for window \d+")
SECONDS = re.compile(rf"(?:Elapsed time|Runtime)\s*:\s*{NUMBER}")
INFERENCES = re.compile(r"Inferences\s*:\s*(\d{1,15})(?!\d)")
THROUGHPUT = re.compile(rf"Throughput\s*:\s*{NUMBER}\s*inf")
ENERGY = re.compile(rf"Energy/Inf\.?\s*:\s*{NUMBER}\s*uJ/inf")
MEDIAN_IPS = re.compile(rf"Median throughput is\s+{NUMBER}")
MEDIAN_ENERGY = re.compile(rf"Median energy cost is\s+{NUMBER}\s*uJ")


@dataclass(slots=True, kw_only=True)
class Published:
    """What the last run in the file printed."""

    energy_windows: list[PublishedWindow] = field(default_factory=list)
    performance_windows: list[PublishedWindow] = field(default_factory=list)
    median_ips: float | None = None
    median_uj: float | None = None

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


def read_published(path: Path) -> Published:
    """Read results.txt. The medians close a list: what follows them is another run, and counts.
    Raises ResultError."""
    found = Published()
    current: list[PublishedWindow] = []
    energy_closed = performance_closed = False
    for line in read_text(path).splitlines():
        if match := ENERGY_WINDOW.search(line):
            if energy_closed:
                found.energy_windows, found.median_uj, energy_closed = [], None, False
            current = found.energy_windows
            begin, seconds = match.groups()
            current.append(
                PublishedWindow(begin_s=_number(begin), seconds=_number(seconds), energy_uj=None)
            )
        elif PERFORMANCE_WINDOW.search(line):
            if performance_closed:
                found.performance_windows, found.median_ips = [], None
                performance_closed = False
            current = found.performance_windows
            current.append(PublishedWindow(begin_s=None, seconds=None, energy_uj=None))
        elif match := MEDIAN_ENERGY.search(line):
            found.median_uj, energy_closed = float(match.group(1)), True
        elif match := MEDIAN_IPS.search(line):
            found.median_ips, performance_closed = float(match.group(1)), True
        elif current:
            current[-1] = _with(current[-1], line)
    return found


def _with(window: PublishedWindow, line: str) -> PublishedWindow:
    if match := SECONDS.search(line):
        return replace(window, seconds=float(match.group(1)))
    if match := INFERENCES.search(line):
        return replace(window, inferences=int(match.group(1)))
    if match := THROUGHPUT.search(line):
        return replace(window, ips=float(match.group(1)))
    if match := ENERGY.search(line):
        return replace(window, energy_uj=float(match.group(1)))
    return window


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
