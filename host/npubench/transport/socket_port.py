"""Sockets as transports: a connected one (an emulator's), and a TCP port ``socket://host:port``."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from npubench.core.errors import UsageError
from npubench.transport.failure import DeviceEnded, DeviceSilent, PortForbidden, PortMissing

CHUNK_BYTES = 65536
CONNECT_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 10.0
SCHEME = "socket://"


class SocketTransport:
    """A connected stream socket, which is closed on leaving. ``label`` describes it."""

    def __init__(self, connection: socket.socket | None, *, label: str) -> None:
        self._connection = connection
        self._label = label

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def read(self, timeout_s: float) -> bytes:
        import select

        connection = self._open()
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if not poll.poll(max(0.0, timeout_s) * 1000):
            return b""
        try:
            data = connection.recv(CHUNK_BYTES)
        except OSError as error:
            raise self._ended() from error
        if not data:
            raise self._ended()
        return data

    def write(self, data: bytes) -> None:
        connection = self._open()
        connection.settimeout(WRITE_TIMEOUT_S)
        try:
            connection.sendall(data)
        except TimeoutError as error:
            raise DeviceSilent(
                f"{self._label} did not take {len(data)} bytes within {WRITE_TIMEOUT_S:g} s"
            ) from error
        except OSError as error:
            raise self._ended() from error

    def set_baud(self, baud: int) -> None:
        del baud

    def now_s(self) -> float:
        return time.monotonic()

    def describe(self) -> str:
        return self._label

    def _open(self) -> socket.socket:
        if self._connection is None:
            raise DeviceEnded(f"{self._label} is closed")
        return self._connection

    def _ended(self) -> DeviceEnded:
        return DeviceEnded(f"{self._label}: the other side closed the connection")


class TcpTransport(SocketTransport):
    """The TCP port that ``address`` names, ``socket://host:port``."""

    def __init__(self, address: str) -> None:
        super().__init__(None, label=address)
        self._host, self._port = _parse(address)

    def __enter__(self) -> Self:
        try:
            self._connection = socket.create_connection(
                (self._host, self._port), timeout=CONNECT_TIMEOUT_S
            )
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except PermissionError as error:
            raise PortForbidden(f"{self._label} may not be opened: {error}") from error
        except OSError as error:
            raise PortMissing(
                f"nothing answers at {self._label}: {error}",
                hint="is the serial server running, and is it this host and port?",
            ) from error
        return self


def _parse(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme != "socket" or not host or not port:
        raise UsageError(f"{address!r} is not an address", hint="write socket://HOST:PORT")
    return host, port
