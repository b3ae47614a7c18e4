"""The one place where values become text for people: grouping, units, ratios, evidence.

Everything that leaves here is for reading; machines get the JSON. Numbers are grouped by a narrow
no-break space, so that they neither wrap nor look like another locale's decimals.
"""

from __future__ import annotations

import math
import unicodedata

from npubench.core.evidence import MEANING, Evidence

GROUP = "\u202f"
NONE = "–"
KIB = 1024
MIB = 1024 * 1024

UNIT_SHORT = {
    "instructions": "instr",
    "cycles": "cycles",
    "us": "µs",
    "us_modelled": "µs modelled",
}
UNIT_NAME = {
    "instructions": "instructions",
    "cycles": "CPU cycles",
    "us": "microseconds",
    "us_modelled": "modelled microseconds",
}
_SI = (
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "µ"),
    (1e-9, "n"),
    (1e-12, "p"),
)


def count(value: int | float | None) -> str:
    """A number in full: whole numbers exactly, others with one decimal (three below 10)."""
    if value is None:
        return NONE
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value == int(value):
        return f"{int(value):,}".replace(",", GROUP)
    places = 1 if abs(value) >= 10 else 3
    return f"{value:,.{places}f}".replace(",", GROUP)


def quantity(value: int | float | None, unit: str) -> str:
    """A number with its unit's short name, joined so that they do not part at a line's end."""
    return NONE if value is None else f"{count(value)}\u00a0{UNIT_SHORT.get(unit, unit)}"


def stage(
    value: int | float | None,
    unit: str,
    *,
    low: int | float | None = None,
    high: int | float | None = None,
) -> str:
    """A stage's cost, with its range where it has one. A modelled time has three digits at most:
    its range is wider than the fourth."""
    if unit != "us_modelled":
        text = quantity(value, unit)
        return text if low is None or high is None else f"{text} ({count(low)} to {count(high)})"
    text = micro(value, "s")
    return (
        text if low is None or high is None else f"{text} ({micro(low, 's')} to {micro(high, 's')})"
    )


_MORE_LESS = {
    "us": ("slower", "faster"),
    "us_modelled": ("slower", "faster"),
    "instructions": ("as many", "fewer"),
    "cycles": ("as many", "fewer"),
    "uj": ("as much", "less"),
}


def change(ratio_b_to_a: float | None, unit: str) -> str:
    """What a ratio of costs says of b: ``150× faster``, not ``0.0066×``; close ones in percent."""
    if ratio_b_to_a is None or not math.isfinite(ratio_b_to_a) or ratio_b_to_a <= 0:
        return NONE
    if ratio_b_to_a == 1:
        return "the same"
    more, less = _MORE_LESS.get(unit, ("as much", "less"))
    if 0.9 < ratio_b_to_a < 1.1:
        return signed(percent(ratio_b_to_a - 1), ratio_b_to_a - 1)
    if ratio_b_to_a > 1:
        return f"{ratio(ratio_b_to_a)} {more}"
    return f"{ratio(1 / ratio_b_to_a)} {less}"


def size(value_bytes: int | None) -> str:
    """Bytes below 1 KiB, then KiB, and MiB from 1 MiB on; the sign is kept."""
    if value_bytes is None:
        return NONE
    magnitude = abs(value_bytes)
    if magnitude < KIB:
        return f"{value_bytes}\u00a0B"
    if magnitude < MIB:
        return f"{value_bytes / KIB:.1f}\u00a0KiB"
    return f"{value_bytes / MIB:.2f}\u00a0MiB"


def signed(text: str, value: int | float) -> str:
    """``text`` with a plus sign when ``value`` is above zero, for differences."""
    return f"+{text}" if value > 0 else text


def ratio(value: float | None) -> str:
    """A factor with three significant digits, e.g. ``2.14×``."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{_digits(value)}×"


def per_mac(value: float | None) -> str:
    """Cost per multiply-accumulate, two decimals."""
    return NONE if value is None else f"{value:,.2f}".replace(",", GROUP)


def percent(value: float | None) -> str:
    """A share between 0 and 1 as a percentage; what is not zero is never shown as zero."""
    if value is None or not math.isfinite(value):
        return NONE
    if 0 < abs(value) < 0.001:
        return "<0.1\u00a0%"
    return f"{value * 100:.1f}\u00a0%"


def si(value: float | None, unit: str) -> str:
    """Three significant digits with an SI prefix: ``si(120e6, "Hz")`` is ``120 MHz``."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return f"0\u00a0{unit}"
    for factor, prefix in _SI:
        if abs(value) >= factor * 0.9995:
            return f"{_digits(value / factor)}\u00a0{prefix}{unit}"
    return f"{value:.2e}\u00a0{unit}"


def micro(value: float | None, unit: str) -> str:
    """A value in millionths of ``unit``, as by ``si``: ``micro(24_800, "J")`` is ``24.8 mJ``."""
    return si(None if value is None else value / 1e6, unit)


def between(low_millionths: float, high_millionths: float, unit: str) -> str:
    """A range with its unit once where both ends share it: ``3.05 to 3.07 ms``; one value where
    both read the same."""
    low, high = micro(low_millionths, unit), micro(high_millionths, unit)
    if low == high:
        return low
    number_low, _, unit_low = low.partition("\u00a0")
    if unit_low == high.partition("\u00a0")[2]:
        low = number_low
    return f"{low} to {high}"


def duration(value_s: float | None) -> str:
    """Host time: milliseconds below one second, then seconds, then minutes and seconds."""
    if value_s is None:
        return NONE
    if value_s < 0.9995:
        return f"{value_s * 1000:.0f}\u00a0ms"
    if value_s < 59.95:
        return f"{value_s:.2f}\u00a0s" if value_s < 9.995 else f"{value_s:.1f}\u00a0s"
    minutes, seconds = divmod(round(value_s), 60)
    return f"{minutes}\u00a0min\u00a0{seconds:02d}\u00a0s"


def evidence_words(kind: Evidence | str) -> str:
    """The evidence and what it means, e.g. ``static: read from the ELF and its link map``."""
    known = Evidence(kind)
    return f"{known}: {MEANING[known]}"


def short_hash(value: str | None) -> str:
    """The first twelve digits of a hash."""
    return NONE if value is None else value[:12]


def printable(text: str, limit: int = 120) -> str:
    """Text from a foreign file, made fit for a terminal or a page.

    Control characters, escape sequences and direction overrides become U+FFFD, line ends a space;
    what is longer than ``limit`` characters is cut with an ellipsis.
    """
    if len(text) > limit:
        text = text[: max(1, limit - 1)] + "…"
    if text.replace(GROUP, "").replace("\u00a0", "").isprintable():
        return text
    return "".join(_visible(character) for character in text)


def for_markdown(text: str, limit: int = 1000) -> str:
    """Foreign text without what Markdown or HTML would read."""
    return "".join(
        f"&#{ord(char)};" if char in "<>&|*_`[]\\" else char for char in printable(text, limit)
    )


def _visible(character: str) -> str:
    if character in "\n\t\r":
        return " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}:
        return "\ufffd"
    return character


def _digits(value: float) -> str:
    """Three significant digits without an exponent for what people compare."""
    magnitude = abs(value)
    if magnitude >= 999.5:
        return count(round(value))
    places = 0 if magnitude >= 99.95 else 1 if magnitude >= 9.995 else 2
    if magnitude < 0.1:
        places = 4
    elif magnitude < 0.9995:
        places = 3
    return f"{value:.{places}f}"
