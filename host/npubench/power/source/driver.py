"""A driver's entry in the catalogue: what it is called, how it is opened, whether it can be
simulated, and which extra brings its SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from npubench.power.source.interface import PowerSource

Options = Mapping[str, str | int | float | bool]
API_VERSION: Final = 1
"""Of `Driver` and `PowerSource`: raised when what they ask for changes (core/plugin)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An instrument that is plugged in: its serial number and the port that leads to it."""

    driver: str
    serial: str
    port: str
    product: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One kind of instrument. Each driver module has one as ``DRIVER``.

    ``open``: a source for a port (device, host:port, file or SDK path) and options of bench.toml;
    ``detect``: what is plugged in; ``extra``: the optional dependency that brings its SDK;
    ``is_file``: ``port`` is a file of another program, which ends by itself and has no marks.
    """

    name: str
    title: str
    open: Callable[[str, Options], PowerSource]
    detect: Callable[[], tuple[Found, ...]] = field(default=tuple)
    extra: str = ""
    notes: str = ""
    is_file: bool = False
