"""A serial or TCP line to an instrument, with its failures as MonitorErrors."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from npubench.core.errors import DeviceError, MonitorError
from npubench.power.source.failure import InstrumentGone, InstrumentSilent
from npubench.transport.serial_port import SerialTransport

CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbPort:
    """A serial port with its USB identity."""

    device: str
    serial: str
    product: str


def find_ports(usb_ids: Sequence[str]) -> tuple[UsbPort, ...]:
    """The serial ports with one of the USB ids (``vid:pid``), by name."""
    from serial.tools.list_ports import comports

    found = [
        UsbPort(device=port.device, serial=port.serial_number or "", product=port.product or "")
        for port in comports()
        if port.vid is not None and f"{port.vid:04x}:{port.pid:04x}" in usb_ids
    ]
    return tuple(sorted(found, key=lambda port: port.device))


def usb_serial(port: str) -> str:
    """The serial number that USB gives for a port; empty when it is none of USB's."""
    from serial.tools.list_ports import comports

    for found in comports():
        if found.device == port and found.vid is not None:
            return found.serial_number or ""
    return ""


class Line:
    """A byte stream to an instrument: a serial device, or ``host:port`` over TCP."""

    def __init__(self, port: str, *, baud: int = 115_200) -> None:
        self._port = port
        self._serial: SerialTransport | None = None
        self._socket: socket.socket | None = None
        self._baud = baud
        self._is_tcp = not port.startswith("/") and ":" in port and not port.startswith("COM")
        self._kept = b""

    def open(self) -> None:
        """Open it. Raises MonitorError."""
        try:
            if self._is_tcp:
                host, _, number = self._port.rpartition(":")
                self._socket = socket.create_connection((host, int(number)), timeout=5.0)
            else:
                self._serial = SerialTransport(self._port, baud=self._baud).__enter__()
        except DeviceError as error:
            raise MonitorError(
                f"the instrument's port cannot be opened: {error.message}", hint=error.hint
            ) from error
        except (OSError, ValueError) as error:
            raise MonitorError(
                f"the instrument at {self._port} cannot be reached: {error}",
                hint="is its server running?",
            ) from error

    def close(self) -> None:
        """Close it; closing twice is allowed."""
        if self._serial is not None:
            self._serial.__exit__(None, None, None)
            self._serial = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def describe(self) -> str:
        """What it is, for the record."""
        return self._port if self._is_tcp else f"serial {self._port}"

    def write(self, data: bytes) -> None:
        """Send all of ``data``. Raises InstrumentGone."""
        try:
            if self._serial is not None:
                self._serial.write(data)
            elif self._socket is not None:
                self._socket.sendall(data)
            else:
                raise MonitorError(f"{self._port} is not open")
        except (DeviceError, OSError) as error:
            raise self._gone(error) from error

    def read(self, timeout_s: float) -> bytes:
        """What has come, or nothing within ``timeout_s``. Raises InstrumentGone."""
        if self._kept:
            kept, self._kept = self._kept, b""
            return kept
        try:
            if self._serial is not None:
                return self._serial.read(timeout_s)
            if self._socket is not None:
                self._socket.settimeout(max(timeout_s, 1e-4))
                data = self._socket.recv(CHUNK_BYTES)
                if not data:
                    raise InstrumentGone(f"the instrument at {self._port} closed the connection")
                return data
        except TimeoutError:
            return b""
        except (DeviceError, OSError) as error:
            raise self._gone(error) from error
        raise MonitorError(f"{self._port} is not open")

    def unread(self, data: bytes) -> None:
        """Give bytes back, for the next read."""
        self._kept = data + self._kept

    def drain(self, *, quiet_s: float, limit_s: float = 2.0) -> None:
        """Drop what is on the line until it was quiet for ``quiet_s``."""
        end_s = time.monotonic() + limit_s
        while self.read(quiet_s) and time.monotonic() < end_s:
            continue

    def read_until(self, end: bytes, *, timeout_s: float) -> bytes:
        """Bytes up to and with ``end``; what follows is kept. Raises InstrumentSilent."""
        data = b""
        limit_s = time.monotonic() + timeout_s
        while end not in data:
            left_s = limit_s - time.monotonic()
            if left_s <= 0:
                raise InstrumentSilent(
                    f"the instrument at {self._port} did not answer within {timeout_s:g} s"
                    + (f": it said {data[:40]!r}" if data else ""),
                    hint="is it the instrument that bench.toml says, and is no other program "
                    "using it?",
                )
            data += self.read(min(left_s, 0.2))
        head, _, tail = data.partition(end)
        if tail:
            self.unread(tail)
        return head + end

    def _gone(self, error: Exception) -> InstrumentGone:
        message = error.message if isinstance(error, DeviceError) else str(error)
        return InstrumentGone(
            f"the instrument at {self._port} is gone: {message}", hint="was it unplugged?"
        )
