"""What carries bytes to and from a board."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self


class Transport(Protocol):
    """A byte stream to one board. Nothing opens in a constructor: entering opens, leaving closes.

    One thread may read while another writes.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def read(self, timeout_s: float) -> bytes:
        """What has arrived, as soon as anything has; empty when nothing did in ``timeout_s``.

        Raises DeviceEnded when the other side is gone.
        """

    def write(self, data: bytes) -> None:
        """Send all of ``data``. Raises DeviceEnded when the other side is gone."""

    def set_baud(self, baud: int) -> None:
        """Change the speed in bit/s; no effect where there is none."""

    def now_s(self) -> float:
        """The time by which this transport's time-outs run: monotonic, in seconds."""

    def describe(self) -> str:
        """What this is, for the run's record, e.g. ``serial /dev/ttyACM0 at 115200 baud``."""
