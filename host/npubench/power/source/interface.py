"""The one interface of every power instrument.

A source is entered (opened), described, configured, started, read and stopped. Samples carry the
instrument's own index: sample ``k`` is the mean over [k, k+1) of its clock, its marker bits are the
levels at the time k. What is lost is kept as a sample that says so, so that an index never shifts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from npubench.power.source.accuracy import Accuracy


class Flag(IntFlag):
    """What is wrong with a sample. LOST: it never came and its value is NaN. SATURATED: the
    converter was at its end. FILTERED: the value was replaced after a range switch. SUSPECT: it
    cannot be what the instrument meant."""

    LOST = 1
    SATURATED = 2
    FILTERED = 4
    SUSPECT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which instrument this is. ``serial`` is what the instrument itself, or USB, said; empty when
    nothing did. ``simulated``: nothing physical stands behind the numbers."""

    driver: str
    model: str
    serial: str
    firmware: str = ""
    simulated: bool = False
    via: str = ""
    calibrated: bool | None = None

    @property
    def is_physical(self) -> bool:
        """Whether a serial number was read back from something physical."""
        return bool(self.serial) and not self.simulated


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What the instrument delivers, as configured.

    ``set_mv``: the voltage that was asked for, where another one was read back.
    ``marker_bits``: inputs on the samples' time base; ``edges``: whether it sees both edges of an
    input or only falling ones. ``voltage``: with each sample, or as it was declared.
    ``marker_skew_samples``: standard uncertainty of a marker's place against the samples.
    """

    rate_hz: float
    marker_bits: int
    edges: Literal["both", "falling", "none"] = "both"
    voltage: Literal["measured", "declared"] = "declared"
    voltage_mv: float = 3000.0
    set_mv: float | None = None
    min_window_samples: int = 1000
    marker_skew_samples: float = 0.29
    accuracy: Accuracy = field(default_factory=Accuracy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive samples from ``first`` on. ``voltage_mv`` is None where it was declared."""

    first: int
    current_ua: NDArray[np.float32]
    markers: NDArray[np.uint8]
    ranges: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    voltage_mv: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.current_ua)


@dataclass(frozen=True, slots=True, kw_only=True)
class LossReport:
    """What went wrong on the way. ``ended``: why the stream ended before it was told to."""

    received_count: int = 0
    lost_count: int = 0
    resync_count: int = 0
    filtered_count: int = 0
    suspect_count: int = 0
    ended: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How an instrument is to be used. ``mode`` ampere: it measures a supply of yours; source: it
    supplies the board. ``voltage_mv`` is the supply's voltage either way."""

    voltage_mv: float = 3000.0
    mode: Literal["source", "ampere"] = "source"
    options: dict[str, str | int | float | bool] = field(default_factory=dict)


class PowerSource(Protocol):
    """One instrument. Nothing opens in a constructor: entering opens, leaving stops and closes.

    ``read`` is called from one thread, often, until ``stop``. Every method raises MonitorError.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def describe(self) -> Identity:
        """Who answers, as read back from it."""

    def configure(self, setup: Setup) -> Traits:
        """Set voltage, mode and ranges; what it will deliver."""

    def start(self) -> None:
        """Begin a stream: the next sample has index 0."""

    def read(self, timeout_s: float) -> Block | None:
        """The next samples, or None when none came in time."""

    def stop(self) -> Block | None:
        """End the stream; samples that were held back until now."""

    def loss(self) -> LossReport:
        """What was lost since ``start``."""


def block_of(
    first: int,
    current_ua: NDArray[np.float32],
    *,
    markers: NDArray[np.uint8] | None = None,
    ranges: NDArray[np.uint8] | None = None,
    flags: NDArray[np.uint8] | None = None,
    voltage_mv: NDArray[np.float32] | None = None,
) -> Block:
    """A block with zeros for what an instrument does not have."""
    count = len(current_ua)
    zeros = np.zeros(count, np.uint8)
    return Block(
        first=first,
        current_ua=current_ua,
        markers=zeros if markers is None else markers,
        ranges=zeros if ranges is None else ranges,
        flags=zeros if flags is None else flags,
        voltage_mv=voltage_mv,
    )
