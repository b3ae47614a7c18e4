"""A serial port at another machine, by RFC 2217: `rfc2217://host:port`, as ser2net offers it.

Unlike a raw socket it carries the speed of the line, so that ``set_baud`` works.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from npubench.core.errors import DeviceError, UsageError
from npubench.transport.failure import DeviceEnded, PortMissing

SCHEME = "rfc2217://"
TIMEOUT_S = 10


class Rfc2217Transport:
    """The port that ``address`` names, at ``baud`` bit/s, 8N1."""

    def __init__(self, address: str, *, baud: int) -> None:
        parts = urlsplit(address)
        try:
            known = parts.hostname and parts.port
        except ValueError:
            known = None
        if parts.scheme != "rfc2217" or not known:
            raise UsageError(f"{address!r} is not an address", hint="write rfc2217://HOST:PORT")
        self._address = f"{SCHEME}{parts.hostname}:{parts.port}"
        self._baud = baud
        self._serial: Any = None

    def __enter__(self) -> Self:
        import serial

        try:
            self._serial = serial.serial_for_url(
                f"{self._address}?timeout={TIMEOUT_S}",
                baudrate=self._baud,
                timeout=0,
            )
        except (serial.SerialException, OSError) as error:
            raise PortMissing(
                f"nothing answers at {self._address}: {error}",
                hint="is the place acquired, and ser2net running at its host?",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._serial is not None:
            # pyserial leaves its socket open when the other side has gone first.
            line = getattr(self._serial, "_socket", None)
            self._serial.close()
            if line is not None:
                line.close()
            self._serial = None

    def read(self, timeout_s: float) -> bytes:
        import serial

        try:
            self._serial.timeout = max(0.0, timeout_s)
            data = bytes(self._serial.read(1))
            waiting = self._serial.in_waiting if data else 0
            if waiting:
                self._serial.timeout = 0
                data += bytes(self._serial.read(waiting))
            return data
        except (serial.SerialException, OSError) as error:
            raise self._ended(error) from error

    def write(self, data: bytes) -> None:
        import serial

        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._ended(error) from error

    def set_baud(self, baud: int) -> None:
        import serial

        try:
            self._serial.baudrate = baud
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceError(f"{self._address} cannot run at {baud} baud: {error}") from error
        self._baud = baud

    def now_s(self) -> float:
        return time.monotonic()

    def describe(self) -> str:
        return self._address

    def _ended(self, error: Exception) -> DeviceEnded:
        return DeviceEnded(
            f"{self._address} is gone: {error}", hint="is the exporter's host still there?"
        )
