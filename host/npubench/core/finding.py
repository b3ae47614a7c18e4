"""A finding: what the product says about a number, as a typed constant that is raised by object.

Errors say who must act; findings say what a number is worth. Each room declares its own in its
``findings.py``; discovery collects them, docs/findings.md is made from them. An id is never
renamed.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Protocol, TypeVar

Scalar = str | int | float | bool | None


class CarriesFinding(Protocol):
    """An error of the one tree: it may say what a number is worth."""

    found: Found | None


Carrier = TypeVar("Carrier", bound=CarriesFinding)


class Severity(StrEnum):
    """What a finding does to what it is about."""

    REMARK = "remark"
    """Good to know; nothing is taken away."""
    WARNING = "warning"
    """The number stands, with less to it than it seems."""
    REFUSAL = "refusal"
    """The number is not given, or not believed."""


class Spoils(StrEnum):
    """Which kind of result a finding takes from, or leaves with less."""

    NOTHING = "nothing"
    TIME = "time"
    ENERGY = "energy"
    ANSWER = "answer"
    MEMORY = "memory"
    COMPARISON = "comparison"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that may be found.

    ``id`` begins with its room (``power.samples-lost``). ``text`` is a format string over
    ``values``, whose names end in their unit; each is given with its type. ``remedy``: what to do.
    ``aliases``: what older records and messages call it.
    """

    id: str
    severity: Severity
    meaning: str
    remedy: str
    spoils: Spoils
    text: str
    values: Mapping[str, type] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = {name for _, name, _, _ in string.Formatter().parse(self.text) if name}
        if named - self.values.keys():
            raise ValueError(f"{self.id}: its text names {sorted(named - self.values.keys())}")

    def found(self, *, where: str | None = None, **values: Scalar) -> Found:
        """It was found, with these values. Raises TypeError when they are not those declared."""
        if values.keys() != self.values.keys():
            raise TypeError(f"{self.id} takes {sorted(self.values)}, not {sorted(values)}")
        for name, value in values.items():
            wanted = (int, float) if self.values[name] is float else self.values[name]
            if not isinstance(value, wanted):
                raise TypeError(f"{self.id}: {name} is {value!r}, no {self.values[name].__name__}")
        return Found(finding=self, values=values, where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding with its values; ``where`` names stage, layer or tensor, if it is about one."""

    finding: Finding
    values: Mapping[str, Scalar]
    where: str | None = None

    @property
    def text(self) -> str:
        """What happened, with its values."""
        return self.finding.text.format(**self.values)

    def error(self, kind: Callable[..., Carrier], *, hint: str = "") -> Carrier:
        """As an error of that kind: the text is its message, the remedy its hint."""
        error = kind(self.text, hint=hint or self.finding.remedy)
        error.found = self
        return error

    def document(self) -> dict[str, object]:
        """As a record keeps it."""
        return {
            "id": self.finding.id,
            "severity": str(self.finding.severity),
            "text": self.text,
            "values": dict(self.values),
            "where": self.where,
        }


@cache
def findings() -> Mapping[str, Finding]:
    """Every finding that a room declares, by id, sorted. Raises ValueError for an id of two."""
    import npubench

    known: dict[str, Finding] = {}
    for module in _modules(npubench.__path__, "npubench."):
        for finding in declared(importlib.import_module(module)):
            if known.setdefault(finding.id, finding) is not finding:
                raise ValueError(f"two findings are called {finding.id}")
    return dict(sorted(known.items()))


def declared(module: object) -> Iterator[Finding]:
    """A module's findings: its constants, alone or in tuples."""
    for value in vars(module).values():
        if isinstance(value, Finding):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Finding))


@cache
def aliases() -> Mapping[str, str]:
    """Ids by what older records call them."""
    return {alias: finding.id for finding in findings().values() for alias in finding.aliases}


def _modules(path: object, prefix: str) -> Iterator[str]:
    """Modules called `findings` in the rooms; nothing else is imported."""
    for info in pkgutil.iter_modules(path, prefix):  # type: ignore[arg-type]
        if info.name.endswith(".findings"):
            yield info.name
        elif info.ispkg:
            package = importlib.util.find_spec(info.name)
            if package is not None and package.submodule_search_locations:
                for inner in pkgutil.iter_modules(
                    package.submodule_search_locations, f"{info.name}."
                ):
                    if inner.name.endswith(".findings"):
                        yield inner.name
