"""How a file of delimited text is written: encoding, separator, decimal mark. Decided once per file
from its beginning; what can be read in two ways is refused."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import TextIO

from npubench.core.errors import MonitorError

SEPARATORS = ("\t", ";", ",", "|")
PROBE_BYTES = 1 << 16
PROBE_ROWS = 2000
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MISSING = frozenset({"", "nan", "-nan", "+nan", "null", "none", "n/a", "na", "#n/a", "-", "--"})
OVERLOAD = frozenset({"inf", "+inf", "-inf", "ovld", "overload", "over", "ol", "overflow"})
GROUP_SPACES = re.compile(r"(?<=\d)[ '\u2019\u00a0\u202f](?=\d{3}(?!\d))")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:([.,])\d{3})+")
CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
ISO = re.compile(r"^\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}:\d{2}")
DAYTIME = re.compile(
    r"^(?:(?P<date>\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4})[T ,]+)?"
    r"(?P<h>\d{1,2}):(?P<m>\d{2}):(?P<s>\d{2})(?:[.,:](?P<f>\d+))?\s*(?P<half>[AaPp][Mm])?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One file's way of writing. ``decimal`` and ``group``: the marks in its numbers."""

    encoding: str
    separator: str
    decimal: str = "."
    group: str = ""

    def number(self, text: str) -> float:
        """A cell as a number; NaN for one that is missing, infinite for an overload.

        Raises ValueError.
        """
        return float(self.plain(text))

    def plain(self, text: str) -> str:
        """A cell as a number with a point and no groups."""
        stripped = text.strip()
        low = stripped.lower()
        if low in MISSING:
            return "nan"
        if low in OVERLOAD:
            return "inf"
        stripped = GROUP_SPACES.sub("", stripped)
        if self.group:
            if self.group in stripped and not _grouped(stripped, self.group, self.decimal):
                raise ValueError(f"{text!r} has a misplaced {self.group!r}")
            stripped = stripped.replace(self.group, "")
        if self.decimal == ",":
            if "." in stripped:
                raise ValueError(f"{text!r} has a point where the file's decimals have commas")
            stripped = stripped.replace(",", ".")
        if "_" in stripped:
            raise ValueError(f"{text!r} is no number")
        return stripped


def _grouped(text: str, group: str, decimal: str) -> bool:
    whole = text.lower().partition("e")[0].partition(decimal)[0]
    first, *rest = whole.lstrip("+-").split(group)
    return 1 <= len(first) <= 3 and all(len(part) == 3 and part.isdigit() for part in rest)


def find_encoding(path: Path) -> str:
    """The encoding of a text file, from its mark or its first bytes. Raises MonitorError for a
    file that is no text."""
    try:
        with path.open("rb") as file:
            head = file.read(PROBE_BYTES)
    except OSError as error:
        raise MonitorError(f"{path} cannot be read: {error.strerror}") from error
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding
    if len(head) >= 4 and b"\0" in head[:64]:
        for encoding, zeros in (("utf-16-le", head[1:64:2]), ("utf-16-be", head[0:64:2])):
            others = head[0:64:2] if encoding == "utf-16-le" else head[1:64:2]
            if not any(zeros) and 0 not in others:
                return encoding
        raise MonitorError(
            f"{path} is no text: it begins with {head[:8]!r}",
            hint="export it as CSV in the program that wrote it",
        )
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def rows_of(file: TextIO, separator: str) -> Iterator[list[str]]:
    """The rows of an open file, quotes taken away."""
    try:
        yield from csv.reader(file, delimiter=separator, skipinitialspace=True)
    except csv.Error as error:
        raise MonitorError(f"{file.name} is no table: {error}") from error


def open_text(path: Path, encoding: str) -> TextIO:
    """The file for ``rows_of``. Raises MonitorError."""
    try:
        return path.open(encoding=encoding, errors="replace", newline="")
    except OSError as error:
        raise MonitorError(f"{path} cannot be read: {error.strerror}") from error


def head_rows(path: Path, encoding: str, separator: str) -> list[list[str]]:
    """The first rows of a file with a separator."""
    with open_text(path, encoding) as file:
        return list(islice(rows_of(file, separator), PROBE_ROWS))


def decide_marks(cells: Iterable[str], separator: str, path: Path) -> tuple[str, str]:
    """The decimal mark and the mark between groups of digits, from all numbers of the probe.

    Raises MonitorError where they contradict each other, or can be read in two ways.
    """
    decimal: set[str] = set()
    group: set[str] = set()
    either = ""
    for cell in cells:
        text = GROUP_SPACES.sub("", cell.strip()).lower().partition("e")[0]
        marks = [letter for letter in text if letter in ".,"]
        if not marks or (not text.lstrip("+-")[:1].isdigit() and text[:1] not in ".,+-"):
            continue
        if len(set(marks)) == 2:
            decimal.add(marks[-1])
            group.add(marks[0])
        elif len(marks) > 1:
            group.add(marks[0])
        elif marks[0] == "," and GROUPED.fullmatch(text):
            either = cell
        elif marks[0] == "," or not GROUPED.fullmatch(text):
            decimal.add(marks[0])
    if len(decimal) > 1 or decimal & group or len(group) > 1:
        raise MonitorError(
            f"{path}: some numbers have decimal points and some decimal commas",
            hint="export it again with one decimal mark",
        )
    mark = next(iter(decimal), "")
    between = next(iter(group), "")
    if not mark and between:
        mark = "." if between == "," else ","
    if either and not mark:
        raise MonitorError(
            f"{path}: {either!r} can be a thousand or a decimal",
            hint="export it without thousands separators, or with a decimal point",
        )
    if not mark:
        return ".", ""
    if either and mark == ".":
        between = ","
    if mark == "," and not between:
        between = "."
    if separator == "," and mark == ",":
        # Only quoted cells can hold one: their rows are as wide as the header.
        return ",", between
    return mark, between


def is_clock_time(text: str) -> bool:
    """Whether a cell is a time of day or a date with one."""
    return CLOCK.search(text) is not None


class Times:
    """Times as microseconds after the first one, exact also for epochs in nanoseconds."""

    def __init__(self, dialect: Dialect, factor_us: float | None) -> None:
        self._dialect = dialect
        self._factor_us = factor_us
        self._origin: Decimal | datetime | None = None
        self._date = ""

    def of(self, text: str) -> float:
        """Raises ValueError for what is no time."""
        if self._factor_us is None:
            return self._clock_us(text.strip())
        plain = self._dialect.plain(text)
        try:
            value = Decimal(plain)
        except InvalidOperation as error:
            raise ValueError(f"{text!r} is no number") from error
        if not value.is_finite():
            raise ValueError("a time is no number")
        if not isinstance(self._origin, Decimal):
            self._origin = value
        return float(value - self._origin) * self._factor_us

    def _clock_us(self, text: str) -> float:
        if ISO.match(text):
            stamp = text.replace(",", ".").replace("Z", "+00:00")
            fraction = re.search(r"\.(\d+)", stamp)
            nanoseconds = 0
            if fraction is not None:
                nanoseconds = int((fraction.group(1) + "0" * 9)[:9])
                stamp = stamp.replace(fraction.group(0), "")
            moment = datetime.fromisoformat(stamp)
            if not isinstance(self._origin, datetime):
                self._origin = moment
            try:
                step = moment - self._origin
            except TypeError as error:
                raise ValueError("some times have a zone and some none") from error
            return (step.days * 86_400 + step.seconds) * 1e6 + nanoseconds / 1e3
        match = DAYTIME.match(text)
        if match is None:
            raise ValueError(f"{text!r} is no time")
        date = match.group("date") or ""
        if self._date and date != self._date:
            raise ValueError("the date changes, and its order of day and month is not known")
        self._date = date
        hours = int(match.group("h"))
        if match.group("half"):
            hours = hours % 12 + (12 if match.group("half").lower() == "pm" else 0)
        seconds = hours * 3600 + int(match.group("m")) * 60 + int(match.group("s"))
        fraction_text = match.group("f")
        part = float(f"0.{fraction_text}") if fraction_text else 0.0
        return seconds * 1e6 + part * 1e6


def width_of(row: Sequence[str]) -> int:
    """How many cells a row has, without empty ones behind the last."""
    count = len(row)
    while count and not row[count - 1].strip():
        count -= 1
    return count
