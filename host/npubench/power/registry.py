"""Drivers by name: a module of ``npubench.power.instruments``, or an entry point of the group
``npubench.power`` of another package."""

from __future__ import annotations

import difflib
import pkgutil
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from npubench.core.errors import UsageError
from npubench.core.plugin import load_plugin
from npubench.power.source.driver import API_VERSION, Driver

GROUP = "npubench.power"
MODULES = "npubench.power.instruments"


@cache
def driver_names() -> tuple[str, ...]:
    """Every driver's name, sorted."""
    import npubench.power.instruments as package

    own = {info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg}
    return tuple(sorted(own | {point.name for point in entry_points(group=GROUP)}))


def load_driver(name: str) -> Driver:
    """The driver called ``name``. Raises UsageError with the closest name, ToolError for a plug-in
    that cannot be loaded or was written for another version of the interface."""
    if name not in driver_names():
        close = difflib.get_close_matches(name, driver_names(), n=1)
        raise UsageError(
            f"there is no power driver {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"known: {', '.join(driver_names())}",
        )
    for point in entry_points(group=GROUP):
        if point.name == name:
            loaded = load_plugin(point, kind="power driver", version=API_VERSION)
            break
    else:
        loaded = import_module(f"{MODULES}.{name}").DRIVER
    if not isinstance(loaded, Driver):
        raise UsageError(f"the power driver {name!r} has no DRIVER")
    return loaded
