"""Families of networks: one architecture in any size. A module here with an object ``FAMILY`` is
found by its name; weights are seeded, good for cost and for bit-exactness, and answer nothing."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from npubench.compiler.synthetic import NetworkBuilder, Node
from npubench.core.errors import UsageError

Value = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What of a family can be varied. ``default`` tells its type, too; ``low`` the least value."""

    name: str
    help: str
    default: Value
    low: Value = 1

    def checked(self, value: Value) -> Value:
        """The value in the parameter's type. Raises UsageError for one that cannot be."""
        if isinstance(self.default, int) and value != int(value):
            raise UsageError(f"{self.name}={value:g}: a whole number is wanted")
        if value < self.low:
            raise UsageError(f"{self.name}={value:g}: the least is {self.low:g}")
        return int(value) if isinstance(self.default, int) else float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One architecture. ``layers`` puts it together on a builder, from all parameters by name, and
    returns the output. ``source``: where the architecture comes from."""

    name: str
    title: str
    source: str
    parameters: tuple[Parameter, ...]
    layers: Callable[[NetworkBuilder, Mapping[str, Value]], Node]

    def values(self, chosen: Mapping[str, Value]) -> dict[str, Value]:
        """All parameters, those not chosen at their default. Raises UsageError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in chosen:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                raise UsageError(
                    f"family {self.name} has no parameter {name!r}",
                    hint=f"did you mean {close[0]}?" if close else f"it has: {', '.join(known)}",
                )
        return {
            name: parameter.checked(chosen.get(name, parameter.default))
            for name, parameter in known.items()
        }

    def build(self, chosen: Mapping[str, Value], *, seed: int = 1) -> bytes:
        """The network as an int8 .tflite. Raises UsageError for values that give none."""
        values = self.values(chosen)
        builder = NetworkBuilder(self.name, seed=seed)
        return builder.finish(self.layers(builder, values))


def divisible(value: float, by: int = 8) -> int:
    """The multiple of ``by`` nearest to ``value``, not more than a tenth below it (the rule of the
    published MobileNets)."""
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded


def family_names() -> tuple[str, ...]:
    """Every family, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__)))


def load_family(name: str) -> Family:
    """The family called ``name``. Raises UsageError with the closest name."""
    if name not in family_names():
        close = difflib.get_close_matches(name, family_names(), n=1)
        raise UsageError(
            f"there is no family {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(family_names())}",
        )
    family = importlib.import_module(f"{__name__}.{name}").FAMILY
    assert isinstance(family, Family)
    return family
