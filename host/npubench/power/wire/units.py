"""Units of exported columns: from brackets, suffixes or an option to microseconds, microamperes and
millivolts. A unit that is not in the table is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Quantity = Literal["time", "current", "voltage", "other"]

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
_LONG = {"": 1.0, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9, "pico": 1e-12}
_BRACKETS = re.compile(r"[\(\[{<]([^\)\]}>]+)[\)\]}>]")
_SLASHED = re.compile(r"^(.+?)\s*/\s*([^/\s]+)$")
_LAST_WORD = re.compile(r"^(.+?)[\s_\-.:,]+([^\s_\-.:,]+)$")
_CAMEL = re.compile(r"^(.*?[a-z0-9])([munp][AV]|[munMUN]s|[MUN][AV])$")
# How columns of a quantity are called.
NAMES: dict[Quantity, re.Pattern[str]] = {
    "time": re.compile(
        r"^(?:time|t$|elapsed|rel(?:ative)?[ _]?time|date.?time|sec(?:onds?)?$|utc)"
    ),
    "current": re.compile(r"current|\bcurr\b|^i$|^amps?$|^amperes?$|^main$|^iout|^i_"),
    "voltage": re.compile(r"voltage|\bvolt\b|^v$|^u$|^volts?$|^vout|^vdd|^v_"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a column holds, and its factor to microseconds, microamperes or millivolts."""

    quantity: Quantity
    factor: float = 1.0


_BASE: tuple[tuple[Quantity, float, str, str], ...] = (
    ("current", 1e6, "a amp amps", "ampere amperes amp amps"),
    ("voltage", 1e3, "v volt volts", "volt volts"),
    ("time", 1e6, "s sec secs", "second seconds"),
)


def _table() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for quantity, scale, short, long in _BASE:
        for words, prefixes in ((short, _PREFIXES), (long, _LONG)):
            for prefix, ratio in prefixes.items():
                for word in words.split():
                    found[prefix + word] = Unit(quantity=quantity, factor=ratio * scale)
    found |= {"millis": found["ms"], "micros": found["us"], "nanos": found["ns"]}
    found |= {"min": Unit(quantity="time", factor=60e6), "h": Unit(quantity="time", factor=3600e6)}
    others = ("w", "j", "c", "ah", "wh", "hz", "ohm", "ohms", "f")
    scaled = ("", "m", "u", "n", "k")
    found |= {prefix + word: Unit(quantity="other") for word in others for prefix in scaled}
    found |= {word: Unit(quantity="other") for word in ("%", "degc", "°c", "°f", "ms/s", "db")}
    return found


UNITS = _table()


def unit_of(text: str) -> Unit | None:
    """The unit that a text names; both signs for micro are one, and case tells nothing."""
    return UNITS.get(text.strip().lower().replace("\u00b5", "u").replace("\u03bc", "u"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A column's name without its unit. ``text``: the unit as written, empty without one;
    ``unit``: None where there is none, or none that is known."""

    word: str
    text: str = ""
    unit: Unit | None = None


def split_unit(name: str) -> Named:
    """Take a column's name apart: ``Current (mA)``, ``I/mA``, ``current_ua``, ``CurrentMA``.

    What stands in brackets is a unit, known or not; elsewhere only a known one is.
    """
    text = name.strip().strip('"').lstrip("#").strip()
    groups = [match for match in _BRACKETS.finditer(text) if not match.group(1).strip().isdigit()]
    for group in (*(m for m in groups if unit_of(m.group(1)) is not None), *groups[-1:]):
        word = " ".join((text[: group.start()] + " " + text[group.end() :]).split())
        return Named(word=word, text=group.group(1).strip(), unit=unit_of(group.group(1)))
    if _BRACKETS.search(text) is not None:
        return Named(word=text)
    # A column may be called by its unit alone; a letter, or "min", is more likely a name.
    if len(text) > 1 and text.lower() != "min" and (found := unit_of(text)) is not None:
        return Named(word=text, text=text, unit=found)
    for pattern in (_SLASHED, _LAST_WORD, _CAMEL):
        if (match := pattern.match(text)) is None:
            continue
        word, unit = match.group(1).strip(" _-.:,"), match.group(2)
        found = unit_of(unit)
        if found is not None and (len(unit) > 1 or _called(word, found.quantity)):
            return Named(word=word, text=unit, unit=found)
    return Named(word=text)


def _called(word: str, quantity: Quantity) -> bool:
    """Whether a word names a quantity: "Channel A" is no current."""
    return quantity in NAMES and NAMES[quantity].search(word.lower()) is not None
