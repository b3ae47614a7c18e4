"""A stored capture as an instrument: for analysing it again, and for rehearsing.

``port`` is the capture's folder. Whatever the capture was, its replay is evidence ``modelled``. In
a bench the marks beside the capture are replayed, too, for the firmware that made them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from npubench.core.errors import MonitorError
from npubench.power.parts import Capture, read_capture
from npubench.power.source.driver import Driver, Options
from npubench.power.source.failure import RecordingEnded
from npubench.power.source.interface import Block, Identity, LossReport, Setup, Traits


class Replay:
    """The capture in a folder, at full speed."""

    def __init__(self, port: str, options: Options) -> None:
        del options
        self._folder = Path(port)
        self._capture: Capture | None = None
        self._blocks: Iterator[Block] = iter(())
        self._received = 0

    def __enter__(self) -> Self:
        self._capture = read_capture(self._folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._capture = None

    def describe(self) -> Identity:
        identity = self._open().identity
        return replace(identity, simulated=True, via=f"replay of {self._folder.name}")

    def configure(self, setup: Setup) -> Traits:
        del setup
        return self._open().traits

    def start(self) -> None:
        self._blocks = self._open().blocks()
        self._received = 0

    def read(self, timeout_s: float) -> Block | None:
        del timeout_s
        block = next(self._blocks, None)
        if block is None:
            raise RecordingEnded("the replay has ended")
        self._received += len(block)
        return block

    def stop(self) -> Block | None:
        self._blocks = iter(())
        return None

    def loss(self) -> LossReport:
        stored = self._open().loss
        if stored is None:
            return LossReport(
                received_count=self._received, ended="the capture that is replayed was not closed"
            )
        return replace(stored, received_count=self._received)

    def _open(self) -> Capture:
        if self._capture is None:
            raise MonitorError("the replay is not open")
        return self._capture


DRIVER = Driver(
    name="replay",
    title="a stored capture",
    open=Replay,
    notes="port is the folder of a capture",
)
