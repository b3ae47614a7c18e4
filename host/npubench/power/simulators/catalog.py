"""The simulators by name: every module here that has a ``KIND``."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module

from npubench.core.errors import UsageError
from npubench.power.energy.edges import Wiring
from npubench.power.simulators.base import Feed, Simulator
from npubench.power.source.accuracy import Accuracy

SUFFIX = "-sim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of simulated instrument. ``rate_hz``: of its samples, as the driver sets it up;
    ``options``: what the driver is opened with; ``marks``: whether it sees marker inputs."""

    name: str
    driver: str
    title: str
    rate_hz: float
    faults: tuple[str, ...]
    accuracy: Accuracy
    make: Callable[[Feed], Simulator]
    min_window_samples: int = 1000
    noise_ua: float = 2.0
    marks: bool = True
    wiring: Wiring = field(default_factory=Wiring)
    options: dict[str, str | int | float | bool] = field(default_factory=dict)


@cache
def kinds() -> dict[str, Kind]:
    """Every simulator, by name."""
    import npubench.power.simulators as package

    found: dict[str, Kind] = {}
    for info in pkgutil.iter_modules(package.__path__):
        kind = getattr(import_module(f"{package.__name__}.{info.name}"), "KIND", None)
        if isinstance(kind, Kind):
            found[kind.name] = kind
    return dict(sorted(found.items()))


def find_kind(name: str) -> Kind:
    """The simulator called ``name``. Raises UsageError with the closest name."""
    known = kinds()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"there is no simulated instrument {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}",
        )
    return known[name]
