"""Where a Dask scheduler listens, and whether that is this machine."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from npubench.core.errors import UsageError

HINT = "write --on local:N for processes here, or --on dask://HOST:PORT for a Dask scheduler"
DASK_PORT = 8786


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """Where a Dask scheduler listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether every address of the host is this machine's own."""
        try:
            found = {item[4][0] for item in socket.getaddrinfo(self.host, self.port)}
        except OSError:
            return False
        return bool(found) and all(
            ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in found
        )


def parse_scheduler(text: str) -> Scheduler:
    """``dask://HOST:PORT``. Raises UsageError for another form."""
    parts = urlsplit(text)
    try:
        host, port = parts.hostname, parts.port or DASK_PORT
    except ValueError:
        host, port = None, 0
    if parts.scheme != "dask" or not host or parts.path or parts.query or parts.username:
        raise UsageError(f"{text!r} says no place to run on", hint=HINT)
    return Scheduler(host=host, port=port)
