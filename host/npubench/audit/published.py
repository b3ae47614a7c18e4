"""results.txt of both runners: windows, medians and accuracy as they were printed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from npubench.audit.printed import Printed, Published, PublishedWindow
from npubench.audit.streaming import Detections
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
MEDIAN_IPS = re.compile(rf"(?:Median throughput is|Estimated throughput\s*:)\s+{NUMBER}")
MEDIAN_ENERGY = re.compile(rf"Median energy cost is\s+{NUMBER}\s*uJ")
MLCOMMONS = re.compile(r"^Power Edition Output|Top 1% =|^Average duty cycle", re.MULTILINE)
STAMP = re.compile(r"^\d{1,12}\.\d{1,9}\s+")
TOP_1 = re.compile(rf"Top(?:-1:| 1% =)\s*{NUMBER}")
AUC = re.compile(rf"AUC\s*[:=]\s*{NUMBER}")
DETECTIONS = re.compile(
    r"Accuracy:\s*(\d{1,6}) True positives, (\d{1,6}) False negatives, (\d{1,6}) False positives"
)
DUTY_RATIO = re.compile(rf"Average duty cycle\s*:\s*{NUMBER}")
PERIOD_S = re.compile(rf"Average period\s*:\s*{NUMBER}\s*s")
POWER_MW = re.compile(rf"Power\s*:\s*{NUMBER}\.?\s*mW")


def is_of_mlcommons(path: Path) -> bool:
    """Whether MLCommons' runner wrote it. Raises ResultError."""
    return MLCOMMONS.search(read_text(path)) is not None


def read_published(path: Path) -> Published:
    """Read results.txt. The medians close a list: what follows them is another run, and counts.
    Raises ResultError."""
    found = Published()
    current: list[PublishedWindow] = []
    energy_closed = performance_closed = False
    last = ""
    for line in read_text(path).splitlines():
        words = STAMP.sub("", line)
        if words == last:  # a runner whose session went on prints each line once more
            continue
        last = words
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
        else:
            if current:
                current[-1] = _with(current[-1], line)
            _take_scores(found, line)
    return found


def _take_scores(found: Published, line: str) -> None:
    if match := TOP_1.search(line):
        found.top_1_pct = _printed(match.group(1))
    elif match := AUC.search(line):
        found.auc = _printed(match.group(1))
    elif match := DETECTIONS.search(line):
        heard, missed, false_alarms = map(int, match.groups())
        found.detections = Detections(
            true_positives=heard, false_negatives=missed, false_positives=false_alarms
        )
    elif match := DUTY_RATIO.search(line):
        found.duty_ratio = float(match.group(1))
    elif match := PERIOD_S.search(line):
        found.period_s = float(match.group(1))
    elif match := POWER_MW.search(line):
        found.power_mw = float(match.group(1))


def _printed(text: str) -> Printed:
    places = len(text.partition(".")[2]) if "e" not in text else 0
    return Printed(value=float(text), half_unit=0.5 * 10.0**-places)


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


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
