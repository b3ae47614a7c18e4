"""What is varied: `--vary input=32:96:16`, `--vary width=0.25,0.5`, `--vary backend.option=...`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from npubench.core.errors import UsageError

Value = int | float | str

LIMIT: Final = 10_000
ENGINE: Final = "backend"
"""The axis whose values are backends."""
_AXIS = re.compile(r"(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?)=(?P<values>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One thing that is varied and its values, in the order in which they are shown."""

    name: str
    values: tuple[Value, ...]

    @property
    def backend(self) -> str | None:
        """Whose option it is, None where it is none."""
        return self.name.partition(".")[0] if "." in self.name else None

    @property
    def option(self) -> str:
        """The option's name alone."""
        return self.name.partition(".")[2]

    @property
    def of_target(self) -> bool:
        """Whether the target is varied, not the network."""
        return "." in self.name or self.name == ENGINE

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers, along which a law can be fitted."""
        return all(not isinstance(value, str) for value in self.values)


def parse_axes(texts: Iterable[str]) -> tuple[Axis, ...]:
    """Axes from words. Raises UsageError for a word of another form and for an axis that is named
    twice."""
    axes: dict[str, Axis] = {}
    for text in texts:
        axis = parse_axis(text)
        if axis.name in axes:
            raise UsageError(f"--vary {axis.name} is given twice", hint="give all values at once")
        axes[axis.name] = axis
    return tuple(axes.values())


def parse_axis(text: str) -> Axis:
    """One axis: ``name=start:stop:step`` (the stop counts) or ``name=value,value,...``."""
    match = _AXIS.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is no axis",
            hint="write --vary input=32:96:16, --vary width=0.25,0.5 or "
            "--vary ethos-u.arena_cache=16384,65536",
        )
    name, words = match["name"], match["values"]
    if ":" in words:
        return Axis(name=name, values=_range(text, words.split(":")))
    values = tuple(dict.fromkeys(_value(word.strip()) for word in words.split(",")))
    if "" in values:
        raise UsageError(f"{text!r}: a value is empty")
    if name == ENGINE or any(isinstance(value, str) for value in values):
        return Axis(name=name, values=tuple(str(value) for value in values))
    return Axis(name=name, values=tuple(sorted(values, key=float)))


def _range(text: str, words: Sequence[str]) -> tuple[Value, ...]:
    try:
        numbers = [Decimal(word) for word in words]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise UsageError(f"{text!r}: a range is start:stop or start:stop:step, all numbers")
    start, stop = numbers[:2]
    step = numbers[2] if len(numbers) == 3 else Decimal(1)
    if step <= 0 or stop < start:
        raise UsageError(f"{text!r}: the step must be above zero and the stop not below the start")
    count = int((stop - start) / step) + 1
    if count > LIMIT:
        raise UsageError(f"{text!r} has {count} values, the limit is {LIMIT}")
    return tuple(_number(start + step * index) for index in range(count))


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _value(word: str) -> Value:
    try:
        number = Decimal(word)
    except InvalidOperation:
        return word
    return _number(number) if number.is_finite() else word
