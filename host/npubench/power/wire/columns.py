"""Which column of an exported table is the time, the current, the voltage and a digital input.

Nothing is guessed that could be wrong by a factor: a column without a known unit is refused, and so
is a choice between several that are as good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from npubench.core.errors import MonitorError, UsageError
from npubench.power.wire.units import NAMES, Named, Quantity, Unit, split_unit, unit_of

DIGITAL = re.compile(r"^(?:d|gpi|gpio|di|i|in|digital ?|dio ?)\[?([0-7])\]?$")
PACKED = ("d0-d7", "logic", "digital")
# Which of several columns of a quantity is the one that is meant.
PREFERRED = (re.compile(r"\b(?:avg|average|mean)\b"), re.compile(r"\bmain\b"))
# Never what was measured: limits, extremes and ranges of it.
ASIDE = re.compile(r"\b(?:min|max|minimum|maximum|peak|limit|range|std|rms|compliance)\b")
SHUNT = "shunt_ohms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user says of a table: columns by name or number from 1, units, a shunt's ohms when
    the current is a voltage over it."""

    time: str = ""
    current: str = ""
    voltage: str = ""
    units: tuple[str, ...] = ()
    shunt_ohms: float | None = None

    def unit(self, quantity: Quantity) -> Unit | None:
        """The unit that was given for a quantity. Raises UsageError for one that is not known."""
        found = None
        for text in self.units:
            unit = unit_of(text)
            if unit is None or unit.quantity == "other":
                raise UsageError(
                    f"{text!r} is no unit of a time, a current or a voltage",
                    hint="for instance s, ms, us, A, mA, uA, nA, V, mV",
                )
            if unit.quantity == quantity:
                found = unit
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where what stands, with the factor to microseconds, microamperes and millivolts. ``time_us``
    is None where times are clock times with colons."""

    names: tuple[str, ...]
    time: int
    time_us: float | None
    current: int
    current_ua: float
    voltage: int | None
    voltage_mv: float
    digital: tuple[tuple[int, int], ...]
    packed: int | None

    @property
    def numeric(self) -> tuple[int, ...]:
        """The columns that hold numbers."""
        voltage = () if self.voltage is None else (self.voltage,)
        time = () if self.time_us is None else (self.time,)
        return (*time, self.current, *voltage)


def is_header(cells: Sequence[str], wanted: Wanted) -> bool:
    """Whether cells name columns: a time and a current, or those that were asked for."""
    if len(cells) < 2 or all(_is_number(cell) for cell in cells if cell.strip()):
        return False
    lowered = [cell.strip().strip('"').lower() for cell in cells]

    def named(choice: str, quantity: Quantity) -> bool:
        if choice and not choice.isdigit():
            return choice.strip().lower() in lowered
        return any(_is_of(split_unit(cell), quantity) for cell in cells) or bool(choice)

    return named(wanted.time, "time") and named(wanted.current, "current")


def choose_columns(
    names: Sequence[str], units: Sequence[str], wanted: Wanted, *, clock_times: bool
) -> Columns:
    """The columns of a table. ``units``: a row of units below the names, or empty.

    Raises MonitorError for a column that is missing, ambiguous or without a known unit.
    """
    named = [split_unit(name) for name in names]
    for place, text in enumerate(units):
        if text.strip() and not named[place].text:
            text = text.strip().strip("()[]")
            named[place] = Named(word=named[place].word, text=text, unit=unit_of(text))
    time = _choose(names, named, "time", wanted.time)
    current = _choose(names, named, "current", wanted.current)
    assert time is not None
    assert current is not None
    voltage = None
    if wanted.voltage.lower() != "none":
        voltage = _choose(names, named, "voltage", wanted.voltage, besides=current)
    time_us = None if clock_times else _factor(names, named, time, "time", wanted)
    if wanted.shunt_ohms is not None:
        over = wanted.unit("voltage") or named[current].unit
        if over is None or over.quantity != "voltage":
            raise MonitorError(
                f"column {names[current]!r} has no unit of a voltage over the shunt",
                hint="give it: --unit V",
            )
        current_ua = over.factor * 1e3 / wanted.shunt_ohms
    else:
        current_ua = _factor(names, named, current, "current", wanted)
    digital, packed = _digital(named, {time, current, voltage})
    return Columns(
        names=tuple(names),
        time=time,
        time_us=time_us,
        current=current,
        current_ua=current_ua,
        voltage=voltage,
        voltage_mv=0.0 if voltage is None else _factor(names, named, voltage, "voltage", wanted),
        digital=digital,
        packed=packed,
    )


def _is_of(named: Named, quantity: Quantity) -> bool:
    word = named.word.lower()
    if named.unit is not None and named.unit.quantity != quantity:
        return False
    if quantity == "time":
        return bool(NAMES["time"].match(word)) or (
            named.unit is not None and named.word == named.text
        )
    if DIGITAL.match(word) and named.unit is None:
        return False
    return NAMES[quantity].search(word) is not None or named.unit is not None


def _choose(
    names: Sequence[str],
    named: Sequence[Named],
    quantity: Quantity,
    choice: str,
    *,
    besides: int | None = None,
) -> int | None:
    """The place of a quantity's column. Raises MonitorError; a voltage may be absent."""
    if choice:
        return _asked(names, choice)
    places = [
        place
        for place, item in enumerate(named)
        if place != besides and _is_of(item, quantity) and not ASIDE.search(_words(item))
    ]
    with_unit = [place for place in places if named[place].text]
    places = with_unit or places
    for pattern in PREFERRED:
        better = [place for place in places if pattern.search(_words(named[place]))]
        places = better or places
    if len(places) == 1:
        return places[0]
    if not places and quantity == "voltage":
        return None
    option = f"--{quantity}-column"
    if not places:
        raise MonitorError(
            f"no column is a {quantity}: {', '.join(map(repr, names))}",
            hint=f"name it with {option}",
        )
    several = ", ".join(repr(names[place]) for place in places)
    raise MonitorError(
        f"{len(places)} columns can be the {quantity}: {several}", hint=f"choose one: {option}"
    )


def _asked(names: Sequence[str], choice: str) -> int:
    lowered = [name.strip().strip('"').lower() for name in names]
    if choice.strip().lower() in lowered:
        return lowered.index(choice.strip().lower())
    if choice.isdigit() and 1 <= int(choice) <= len(names):
        return int(choice) - 1
    raise MonitorError(
        f"there is no column {choice!r}", hint=f"there are {', '.join(map(repr, names))}"
    )


def _factor(
    names: Sequence[str], named: Sequence[Named], place: int, quantity: Quantity, wanted: Wanted
) -> float:
    item = named[place]
    given = wanted.unit(quantity)
    unit = given or item.unit
    examples = {"time": "--unit ms", "current": "--unit uA", "voltage": "--unit V"}
    if unit is None:
        what = f"has the unknown unit {item.text!r}" if item.text else "has no unit"
        raise MonitorError(
            f"column {names[place]!r} {what}: the {quantity} could be wrong by a factor",
            hint=f"give its unit, for instance {examples.get(quantity, '')}",
        )
    if unit.quantity != quantity:
        raise MonitorError(
            f"column {names[place]!r} is in {item.text}, which is no {quantity}",
            hint="choose another column, or give --shunt-ohms for a voltage over a shunt"
            if quantity == "current"
            else f"give its unit, for instance {examples.get(quantity, '')}",
        )
    return unit.factor


def _digital(
    named: Sequence[Named], taken: set[int | None]
) -> tuple[tuple[tuple[int, int], ...], int | None]:
    digital: list[tuple[int, int]] = []
    packed = None
    for place, item in enumerate(named):
        if place in taken or item.unit is not None:
            continue
        if (match := DIGITAL.match(item.word.lower())) is not None:
            digital.append((place, int(match.group(1))))
        elif item.word.lower() in PACKED:
            packed = place
    return tuple(digital), packed


def _words(item: Named) -> str:
    return re.sub(r"[_\-]+", " ", item.word.lower())


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[\s\d.,:+\-eE'TZ]*", cell) is not None
