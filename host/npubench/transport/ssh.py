"""The firmware as a program on a Linux board, started and spoken to over ssh.

``ssh://user@host[:port]`` starts ``./npubench`` there; its standard input and output are the
console. It ends with the connection.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from npubench.core.errors import UsageError
from npubench.core.tool import find_tool
from npubench.transport.process import BoardProcess, ProcessTransport
from npubench.transport.socket_port import SocketTransport

SCHEME = "ssh://"
PROGRAM = "./npubench"
OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10")


def ssh_command(address: str, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """ssh's words after its name. Raises UsageError when ``address`` is not one."""
    parts = urlsplit(address)
    try:
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError:
        host = port = user = None
    rest = parts.path or parts.query or parts.fragment
    if parts.scheme != "ssh" or not host or host.startswith("-") or rest:
        raise UsageError(f"{address!r} is not an address", hint="write ssh://USER@HOST")
    place = f"{user}@{host}" if user else host
    return (*OPTIONS, *options, *(("-p", str(port)) if port else ()), "--", place, PROGRAM)


class SshTransport:
    """The console of the program that ssh starts at ``address``; ``options`` are ssh's own."""

    def __init__(self, address: str, *, options: tuple[str, ...] = ()) -> None:
        self._words = ssh_command(address, options)
        self._label = address
        self._stack = ExitStack()
        self._line: ProcessTransport | None = None

    def __enter__(self) -> Self:
        program = find_tool("ssh", package="openssh-client")
        ours, theirs = socket.socketpair()
        with theirs:
            line = self._stack.enter_context(SocketTransport(ours, label=self._label))
            process = self._stack.enter_context(
                BoardProcess(
                    (program, *self._words), label=f"ssh to {self._label}", stdio=theirs.fileno()
                )
            )
        self._line = ProcessTransport(line, process)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line = None
        self._stack.close()

    def read(self, timeout_s: float) -> bytes:
        return self._open().read(timeout_s)

    def write(self, data: bytes) -> None:
        self._open().write(data)

    def set_baud(self, baud: int) -> None:
        del baud

    def now_s(self) -> float:
        return self._open().now_s()

    def describe(self) -> str:
        return self._label

    def _open(self) -> ProcessTransport:
        if self._line is None:
            raise RuntimeError(f"{self._label} is not open")
        return self._line
