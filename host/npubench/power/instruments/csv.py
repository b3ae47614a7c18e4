"""Exports of other programs as captures: Monsoon PowerTool, Joulescope, PPK2 (nRF Connect), Otii.

They differ in names and units but all have a header with the unit in it: a time, a current,
perhaps a voltage, perhaps digital columns. ``port`` is the file. An import is evidence
``modelled``: nothing proves where a file comes from.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import numpy as np

from npubench.core.errors import MonitorError
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import RecordingEnded
from npubench.power.source.interface import Block, Identity, LossReport, Setup, Traits
from npubench.power.source.resample import Resampler

CHUNK_ROWS = 50_000
TIME_US = {"s": 1e6, "ms": 1e3, "us": 1.0, "µs": 1.0, "ns": 1e-3, "sec": 1e6, "": 1e6}
CURRENT_UA = {"a": 1e6, "ma": 1e3, "ua": 1.0, "µa": 1.0, "na": 1e-3, "": 1e6}
VOLTAGE_MV = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "": 1e3}
DIGITAL = re.compile(r"^(?:d|gpi|i)\[?([0-7])\]?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where what stands, with the factor to microseconds, microamperes and millivolts."""

    time: int
    time_us: float
    current: int
    current_ua: float
    voltage: int | None
    voltage_mv: float
    digital: tuple[tuple[int, int], ...]
    packed: int | None
    separator: str


def read_header(line: str) -> Columns | None:
    """The columns that a header names; None when the line is none."""
    separator = next((mark for mark in ("\t", ";", ",") if mark in line), ",")
    names = [name.strip().strip('"').lstrip("#").strip() for name in line.split(separator)]
    time = current = voltage = packed = None
    time_us = current_ua = voltage_mv = 0.0
    digital: list[tuple[int, int]] = []
    for place, name in enumerate(names):
        if (found := DIGITAL.match(name.lower())) is not None:
            digital.append((place, int(found.group(1))))
            continue
        match = re.fullmatch(r"(.*?)\s*(?:[\(\[]([^\)\]]*)[\)\]])?", name)
        assert match is not None
        word, unit = match.group(1).strip().lower(), (match.group(2) or "").strip().lower()
        if time is None and word.startswith("time") and unit in TIME_US:
            time, time_us = place, TIME_US[unit]
        elif current is None and ("current" in word or word == "main") and unit in CURRENT_UA:
            current, current_ua = place, CURRENT_UA[unit]
        elif voltage is None and "voltage" in word and unit in VOLTAGE_MV:
            voltage, voltage_mv = place, VOLTAGE_MV[unit]
        elif word in ("d0-d7", "logic"):
            packed = place
    if time is None or current is None:
        return None
    return Columns(
        time=time,
        time_us=time_us,
        current=current,
        current_ua=current_ua,
        voltage=voltage,
        voltage_mv=voltage_mv,
        digital=tuple(digital),
        packed=packed,
        separator=separator,
    )


class CsvFile:
    """An export, read in pieces. Its sample period is the median step of the first rows."""

    def __init__(self, port: str, options: Options) -> None:
        del options
        self._path = Path(port)
        self._file: TextIO | None = None
        self._columns: Columns | None = None
        self._period_us = 0.0
        self._resampler: Resampler | None = None
        self._rows: Iterator[list[str]] = iter(())
        self._bad = 0

    def __enter__(self) -> Self:
        try:
            with self._path.open(encoding="utf-8-sig", errors="replace") as file:
                self._columns = self._find_header(file)
                times = [float(row[self._columns.time]) for row in islice(self._read(file), 2000)]
        except OSError as error:
            raise MonitorError(f"{self._path} cannot be read: {error.strerror}") from error
        steps = np.diff(np.array(times)) * self._columns.time_us
        if not len(steps) or float(np.median(steps)) <= 0:
            raise MonitorError(f"{self._path} has no time that advances")
        self._period_us = float(np.median(steps))
        # Times are often rounded: over many rows the mean step is the better one.
        usual = steps[np.abs(steps - self._period_us) < 0.5 * self._period_us]
        self._period_us = float(np.mean(usual))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def describe(self) -> Identity:
        return Identity(
            driver="csv", model="imported file", serial="", simulated=True, via=self._path.name
        )

    def configure(self, setup: Setup) -> Traits:
        columns = self._known()
        return Traits(
            rate_hz=1e6 / self._period_us,
            marker_bits=8 if columns.packed is not None else len(columns.digital),
            voltage="declared" if columns.voltage is None else "measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        self._file = self._path.open(encoding="utf-8-sig", errors="replace")
        self._find_header(self._file)
        self._rows = self._read(self._file)
        self._bad = 0
        self._resampler = Resampler(period=self._period_us)

    def read(self, timeout_s: float) -> Block | None:
        del timeout_s
        columns = self._known()
        if self._resampler is None:
            raise MonitorError("the import was not started")
        rows = list(islice(self._rows, CHUNK_ROWS))
        if not rows:
            raise RecordingEnded("the file has ended")
        times = np.array([float(row[columns.time]) for row in rows]) * columns.time_us
        current = np.array([float(row[columns.current]) for row in rows]) * columns.current_ua
        voltage = None
        if columns.voltage is not None:
            at = columns.voltage
            voltage = np.array([float(row[at]) for row in rows]) * columns.voltage_mv
        markers = np.zeros(len(rows), np.uint8)
        if columns.packed is not None:
            markers[:] = [_levels(row[columns.packed]) for row in rows]
        for place, bit in columns.digital:
            level = np.array([float(row[place] or 0) > 0.5 for row in rows])
            markers |= (level.astype(np.uint8) << bit).astype(np.uint8)
        return self._resampler.add(times, current, markers=markers, voltage_mv=voltage)

    def stop(self) -> Block | None:
        return None

    def loss(self) -> LossReport:
        if self._resampler is None:
            return LossReport()
        return LossReport(
            received_count=self._resampler.received,
            lost_count=self._resampler.lost,
            notes=(f"{self._bad} rows could not be read",) if self._bad else (),
        )

    def _known(self) -> Columns:
        if self._columns is None:
            raise MonitorError("the import is not open")
        return self._columns

    def _find_header(self, file: TextIO) -> Columns:
        for line in islice(file, 50):
            columns = read_header(line)
            if columns is not None:
                return columns
        raise MonitorError(
            f"{self._path} has no header with a time and a current",
            hint="exports of PowerTool, Joulescope, nRF Connect and Otii have one",
        )

    def _read(self, file: TextIO) -> Iterator[list[str]]:
        """Rows whose values can be read. Where a comma separates no columns it may be decimal."""
        columns = self._known()
        for line in file:
            text = line.rstrip("\n")
            if columns.separator != ",":
                text = text.replace(",", ".")
            row = text.split(columns.separator)
            try:
                if not math.isfinite(float(row[columns.time])):
                    raise ValueError("a time is no number")
                float(row[columns.current])
                if columns.voltage is not None:
                    float(row[columns.voltage])
                if columns.packed is not None:
                    _levels(row[columns.packed])
                for place, _ in columns.digital:
                    float(row[place] or 0)
            except (ValueError, IndexError):
                self._bad += bool(line.strip())
                continue
            yield row


def _levels(text: str) -> int:
    """The levels of D0 to D7, of which nRF Connect writes D0 first. Raises ValueError."""
    bits = text.strip().strip('"')
    if len(bits) > 8:
        raise ValueError("more than eight inputs")
    return int(bits[::-1] or "0", 2)


DRIVER = Driver(
    name="csv",
    title="exported file (PowerTool, Joulescope, nRF Connect, Otii)",
    open=CsvFile,
    notes="port is the file",
)
