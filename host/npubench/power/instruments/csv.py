"""Exports of other programs as captures: tables with a time, a current, perhaps a voltage and
digital columns, from PowerTool, Joulescope, nRF Connect, Otii, BenchVue and others.

``port`` is the file. How it is written is decided once (``wire/dialect.py``), what its columns mean
by their names and units (``wire/columns.py``); what can be read in two ways is refused. An import
is evidence ``modelled``: nothing proves where a file comes from.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
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
from npubench.power.wire.columns import Columns, Wanted, choose_columns, is_header
from npubench.power.wire.dialect import (
    PROBE_ROWS,
    SEPARATORS,
    Dialect,
    Times,
    decide_marks,
    find_encoding,
    head_rows,
    is_clock_time,
    open_text,
    rows_of,
    width_of,
)
from npubench.power.wire.units import unit_of

CHUNK_ROWS = 50_000
# The header stands within so many rows.
HEADER_ROWS = 100
# More rows of another width than the header's mean that the dialect is another one.
ODD_ROWS_RATIO = 0.02
# No instrument here measures more, and no board here draws more.
CURRENT_LIMIT_UA = 10e6
PPK2_LIMIT_UA = 1.02e6
VOLTAGE_LIMIT_MV = 60e3
# Instruments write 9.9e37 for a reading beyond their range.
OVERLOAD = 1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one file is read: its dialect, its columns, and the rows before its first sample."""

    dialect: Dialect
    columns: Columns
    skipped_rows: int
    full_width: int
    least_width: int

    def fits(self, row: Sequence[str]) -> bool:
        """Whether a row is as wide as the header; empty cells at its end do not count."""
        return len(row) >= self.least_width and width_of(row) <= self.full_width


def find_layout(path: Path, wanted: Wanted) -> Layout:
    """Decide how ``path`` is to be read. Raises MonitorError, also for what is ambiguous."""
    encoding = find_encoding(path)
    best: tuple[float, int, str, int, list[list[str]]] | None = None
    for separator in SEPARATORS:
        try:
            rows = head_rows(path, encoding, separator)
        except MonitorError:
            # With this separator a cell has no end.
            continue
        at = _header_row(rows, wanted)
        if at is None:
            continue
        width = len(rows[at])
        data = [row for row in rows[at + 1 :] if width_of(row)]
        right = sum(len(row) >= width_of(rows[at]) and width_of(row) <= width for row in data)
        score = (right / max(len(data), 1), width, separator, at, rows)
        if best is None or score[:2] > best[:2]:
            best = score
    if best is None:
        raise MonitorError(
            f"{path} has no header with a time and a current",
            hint="name its columns: --time-column, --current-column and --unit; a binary file must "
            "be exported as CSV first",
        )
    _, _, separator, at, rows = best
    header = [name.strip() for name in rows[at]]
    data_at = at + 1
    if _is_number_row(header):
        header, data_at = [str(number + 1) for number in range(len(header))], at
    units: list[str] = []
    if data_at < len(rows) and _is_unit_row(rows[data_at]):
        units, data_at = rows[data_at][: len(header)], data_at + 1
    data = [row for row in rows[data_at:] if width_of(row)]
    columns = choose_columns(header, units, wanted, clock_times=True)
    clock = bool(data) and columns.time < len(data[0]) and is_clock_time(data[0][columns.time])
    columns = choose_columns(header, units, wanted, clock_times=clock)
    layout = Layout(
        dialect=Dialect(encoding=encoding, separator=separator),
        columns=columns,
        skipped_rows=data_at,
        full_width=len(header),
        least_width=max(width_of(header), max(columns.numeric) + 1),
    )
    _check_widths(path, layout, data)
    cells = (row[place] for row in data if layout.fits(row) for place in columns.numeric)
    decimal, group = decide_marks(cells, separator, path)
    dialect = Dialect(encoding=encoding, separator=separator, decimal=decimal, group=group)
    return Layout(
        dialect=dialect,
        columns=columns,
        skipped_rows=data_at,
        full_width=layout.full_width,
        least_width=layout.least_width,
    )


def _header_row(rows: Sequence[Sequence[str]], wanted: Wanted) -> int | None:
    for at, row in enumerate(rows[:HEADER_ROWS]):
        if is_header(row, wanted):
            return at
    if wanted.time.isdigit() and wanted.current.isdigit():
        least = max(int(wanted.time), int(wanted.current))
        for at, row in enumerate(rows[:HEADER_ROWS]):
            if len(row) >= max(least, 2) and _is_number_row(row):
                return at
    return None


def _is_number_row(row: Sequence[str]) -> bool:
    return all(cell.strip()[:1] in "+-.0123456789" for cell in row if cell.strip())


def _is_unit_row(row: Sequence[str]) -> bool:
    cells = [cell.strip().strip("()[]") for cell in row if cell.strip()]
    return bool(cells) and sum(unit_of(cell) is not None for cell in cells) * 2 >= len(cells)


def _check_widths(path: Path, layout: Layout, data: Sequence[Sequence[str]]) -> None:
    odd = [row for row in data if not layout.fits(row)]
    if len(odd) > max(1.0, ODD_ROWS_RATIO * len(data)):
        raise MonitorError(
            f"{path}: {len(odd)} of the first {len(data)} rows are not as wide as the header "
            f"({layout.full_width} columns), for instance "
            f"{layout.dialect.separator.join(odd[0])[:60]!r}",
            hint="decimal commas or thousands separators in a comma-separated file? Export it with "
            "decimal points, or with semicolons",
        )


class CsvFile:
    """An export, read in pieces. Its sample period is the mean of the first rows' usual steps.

    Options: ``time_column``, ``current_column``, ``voltage_column`` (a name, or a number from 1;
    a voltage may be ``none``), ``unit`` (several with commas), ``shunt_ohms`` where the current is
    a voltage over a shunt, ``max_current_ma``.
    """

    def __init__(self, port: str, options: Options) -> None:
        self._path = Path(port)
        shunt = options.get("shunt_ohms")
        self._wanted = Wanted(
            time=str(options.get("time_column", "")),
            current=str(options.get("current_column", "")),
            voltage=str(options.get("voltage_column", "")),
            units=tuple(
                text.strip() for text in str(options.get("unit", "")).split(",") if text.strip()
            ),
            shunt_ohms=None if shunt is None else float(shunt),
        )
        self._limit_ua = float(options.get("max_current_ma", 0.0)) * 1e3
        self._layout: Layout | None = None
        self._file: TextIO | None = None
        self._period_us = 0.0
        self._resampler: Resampler | None = None
        self._rows: Iterator[list[float]] = iter(())
        self._bad = 0
        self._first_bad = ""

    def __enter__(self) -> Self:
        self._layout = find_layout(self._path, self._wanted)
        if not self._limit_ua:
            # Only nRF Connect writes the inputs of a PPK2 into one column.
            ppk2 = self._layout.columns.packed is not None
            self._limit_ua = PPK2_LIMIT_UA if ppk2 else CURRENT_LIMIT_UA
        with open_text(self._path, self._layout.dialect.encoding) as file:
            times = np.array([row[0] for row in islice(self._read(file), PROBE_ROWS)])
        if self._bad > max(1.0, ODD_ROWS_RATIO * (len(times) + self._bad)):
            raise MonitorError(
                f"{self._path}: {self._bad} of the first {len(times) + self._bad} rows cannot be "
                f"read, the first: {self._first_bad}",
                hint="export it again, or choose other columns",
            )
        steps = np.diff(times)
        if not len(steps) or float(np.median(steps)) <= 0:
            raise MonitorError(
                f"{self._path} has no time that advances",
                hint="is the time rounded more coarsely than the samples come?",
            )
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
        columns = self._known().columns
        return Traits(
            rate_hz=1e6 / self._period_us,
            marker_bits=8 if columns.packed is not None else len(columns.digital),
            voltage="declared" if columns.voltage is None else "measured",
            voltage_mv=setup.voltage_mv,
            set_mv=setup.voltage_mv,
        )

    def start(self) -> None:
        self._file = open_text(self._path, self._known().dialect.encoding)
        self._rows = self._read(self._file)
        self._resampler = Resampler(period=self._period_us)

    def read(self, timeout_s: float) -> Block | None:
        del timeout_s
        if self._resampler is None:
            raise MonitorError("the import was not started")
        rows = list(islice(self._rows, CHUNK_ROWS))
        if not rows:
            raise RecordingEnded("the file has ended")
        table = np.array(rows)
        voltage = None if self._known().columns.voltage is None else table[:, 2]
        return self._resampler.add(
            table[:, 0], table[:, 1], markers=table[:, 3].astype(np.uint8), voltage_mv=voltage
        )

    def stop(self) -> Block | None:
        return None

    def loss(self) -> LossReport:
        if self._resampler is None:
            return LossReport()
        notes = []
        if self._bad:
            notes.append(f"{self._bad} rows could not be read, the first: {self._first_bad}")
        return LossReport(
            received_count=self._resampler.received,
            lost_count=self._resampler.lost,
            notes=tuple(notes),
        )

    def _known(self) -> Layout:
        if self._layout is None:
            raise MonitorError("the import is not open")
        return self._layout

    def _read(self, file: TextIO) -> Iterator[list[float]]:
        """Time in microseconds after the first, current, voltage and levels of each row. A row
        that cannot be read is counted and left out: the grid shows it as lost."""
        layout = self._known()
        times = Times(layout.dialect, layout.columns.time_us)
        self._bad, self._first_bad = 0, ""
        rows = itertools.islice(rows_of(file, layout.dialect.separator), layout.skipped_rows, None)
        for number, row in enumerate(rows, layout.skipped_rows + 1):
            if not width_of(row):
                continue
            try:
                if not layout.fits(row):
                    raise ValueError(f"{len(row)} cells")
                yield self._values(row, times, number)
            except (ValueError, IndexError) as error:
                if not self._bad:
                    self._first_bad = f"row {number}, {error}"
                self._bad += 1

    def _values(self, row: Sequence[str], times: Times, number: int) -> list[float]:
        layout = self._known()
        columns, dialect = layout.columns, layout.dialect
        time_us = times.of(row[columns.time])
        current = dialect.number(row[columns.current])
        current_ua = current * columns.current_ua
        voltage_mv = 0.0
        if columns.voltage is not None:
            voltage_mv = dialect.number(row[columns.voltage]) * columns.voltage_mv
        if not (abs(current) < OVERLOAD and abs(voltage_mv) < OVERLOAD):
            # A sample is whole or lost: a voltage that is missing leaves no power either.
            current_ua, voltage_mv = np.nan, 0.0
        elif abs(current_ua) > self._limit_ua:
            self._refuse(row[columns.current], current_ua, number)
        elif abs(voltage_mv) > VOLTAGE_LIMIT_MV:
            raise MonitorError(
                f"{self._path}: {voltage_mv / 1e3:g} V in row {number} is no voltage of a board",
                hint="is the unit of its voltage right? Give it: --unit mV",
            )
        level = 0
        if columns.packed is not None:
            level = _levels(row[columns.packed])
        for place, bit in columns.digital:
            value = dialect.number(row[place])
            if np.isnan(value):
                current_ua = np.nan
            level |= int(value > 0.5) << bit
        return [time_us, current_ua, voltage_mv, float(level)]

    def _refuse(self, text: str, current_ua: float, number: int) -> None:
        raise MonitorError(
            f"{self._path}: {text.strip()!r} in row {number} would be {current_ua / 1e3:g} mA, "
            f"beyond {self._limit_ua / 1e3:g} mA",
            hint="is the unit right? Give it: --unit uA; a larger range: max_current_ma",
        )


def _levels(text: str) -> int:
    """The levels of D0 to D7, of which nRF Connect writes D0 first. Raises ValueError."""
    bits = text.strip()
    if len(bits) > 8:
        raise ValueError("more than eight inputs")
    return int(bits[::-1] or "0", 2)


DRIVER = Driver(
    name="csv",
    title="exported table (PowerTool, Joulescope, nRF Connect, Otii, BenchVue, ...)",
    open=CsvFile,
    notes="port is the file",
    is_file=True,
)
