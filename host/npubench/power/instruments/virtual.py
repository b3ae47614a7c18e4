"""The virtual instrument: a board's power model sampled directly, without any wire.

For emulated boards. It is perfect but for a claimed accuracy of its own; evidence ``modelled``.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

import numpy as np

from npubench.core.errors import MonitorError
from npubench.power.simulators.base import CHUNK_SAMPLES, Feed, Frontend
from npubench.power.simulators.trace import Trace
from npubench.power.source.accuracy import Accuracy, RangeAccuracy
from npubench.power.source.driver import Driver, Options
from npubench.power.source.interface import (
    Block,
    Identity,
    LossReport,
    PowerSource,
    Setup,
    Traits,
    block_of,
)

RATE_HZ = 100_000


class VirtualSource:
    """Samples a trace. ``rate_hz`` is the one option."""

    def __init__(self, trace: Trace, options: Options) -> None:
        self._trace = trace
        self._rate_hz = float(options.get("rate_hz", RATE_HZ))
        self._feed: Feed | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._feed = None

    def describe(self) -> Identity:
        return Identity(driver="virtual", model="virtual power model", serial="", simulated=True)

    def configure(self, setup: Setup) -> Traits:
        return Traits(
            rate_hz=self._rate_hz,
            marker_bits=3,
            voltage="declared",
            voltage_mv=setup.voltage_mv,
            accuracy=Accuracy(
                ranges=(RangeAccuracy(gain_ratio=0.0),),
                voltage_ratio=0.0,
                source="the model itself: what is left is the placing of the windows",
            ),
        )

    def start(self) -> None:
        self._feed = Feed(
            self._trace,
            rate_hz=self._rate_hz,
            frontend=Frontend(noise_ua=0.0, clock_ppm=0.0),
            faults=frozenset(),
            trouble_s=0.0,
        )

    def read(self, timeout_s: float) -> Block | None:
        del timeout_s
        feed = self._feed
        if feed is None:
            raise MonitorError("the virtual instrument was not started")
        count = min(CHUNK_SAMPLES, feed.count - feed.next)
        if count <= 0:
            return None
        first = feed.next
        current, levels = feed.take(count)
        return block_of(first, current.astype(np.float32), markers=levels)

    def stop(self) -> Block | None:
        return None

    def loss(self) -> LossReport:
        return LossReport(received_count=0 if self._feed is None else self._feed.next)


def _open(port: str, options: Options) -> PowerSource:
    del port, options
    raise MonitorError(
        "the virtual instrument shows the marks of an emulated board",
        hint="npubench bench MODEL --board qemu-m4 --power virtual",
    )


DRIVER = Driver(
    name="virtual",
    title="virtual power model of an emulated board",
    open=_open,
    notes="no wire; parameters in the board's [power]",
)
