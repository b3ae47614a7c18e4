"""A file descriptor as a transport: the master end of a pty, or any other stream."""

from __future__ import annotations

import errno
import os
import select
import time
from types import TracebackType
from typing import Self

from npubench.transport.failure import DeviceEnded, DeviceSilent

CHUNK_BYTES = 65536
WRITE_TIMEOUT_S = 10.0


class FdTransport:
    """The open descriptor ``fd``, which is closed on leaving. ``label`` describes it."""

    def __init__(self, fd: int, *, label: str) -> None:
        self._fd = fd
        self._label = label

    def __enter__(self) -> Self:
        os.set_blocking(self._fd, False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def read(self, timeout_s: float) -> bytes:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if not poll.poll(max(0.0, timeout_s) * 1000):
            return b""
        try:
            data = os.read(self._fd, CHUNK_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            # Linux answers EIO on a pty's master when its last slave was closed.
            if error.errno in (errno.EIO, errno.EBADF):
                raise self._ended() from error
            raise
        if not data:
            raise self._ended()
        return data

    def write(self, data: bytes) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        view = memoryview(data)
        while view:
            if not poll.poll(WRITE_TIMEOUT_S * 1000):
                raise DeviceSilent(
                    f"{self._label} did not take {len(view)} bytes within {WRITE_TIMEOUT_S:g} s"
                )
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._ended() from error

    def set_baud(self, baud: int) -> None:
        del baud

    def now_s(self) -> float:
        return time.monotonic()

    def describe(self) -> str:
        return self._label

    def _ended(self) -> DeviceEnded:
        return DeviceEnded(f"the other side of {self._label} is gone")
