"""A board's console as a pty under a name, for programs that want a serial port."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npubench.connect.board import OpenBoard
from npubench.core.errors import UsageError
from npubench.transport.interface import Transport

CHUNK_BYTES = 4096
POLL_S = 0.1
PTY_FOLDER = "/dev/pts/"


def run_bridge(target: OpenBoard, link: Path) -> None:
    """Offer the board at ``link`` until interrupted, or until it is gone (DeviceEnded).

    The boot banner has been read already, so that a program that opens the link finds a quiet line.
    """
    with offer_pty(link) as master:
        target.note(f"the console is at {link}; Ctrl-C ends")
        pump(target.transport, master)


@contextmanager
def offer_pty(link: Path) -> Iterator[int]:
    """A raw pty whose slave is reachable as ``link``; gives the master's descriptor.

    The slave is kept open here too, so that programs may open and close it as they like. Raises
    UsageError when ``link`` exists and is not a link that was left over by a bridge.
    """
    left_over = link.is_symlink() and os.fspath(link.readlink()).startswith(PTY_FOLDER)
    if os.path.lexists(link) and not left_over:
        raise UsageError(f"{link} exists", hint="choose a name that is free")
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        name = os.ttyname(slave)
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(name)
        except OSError as error:
            raise UsageError(f"{link} cannot be made: {error}") from error
        yield master
    finally:
        if link.is_symlink() and os.fspath(link.readlink()) == os.ttyname(slave):
            link.unlink()
        os.close(slave)
        os.close(master)


def pump(transport: Transport, fd: int, *, stop: threading.Event | None = None) -> None:
    """Copy both ways between a transport and a descriptor until ``stop`` is set.

    Raises what the transport raises when the board is gone.
    """
    stop = stop if stop is not None else threading.Event()
    failures: list[BaseException] = []

    def outward() -> None:
        try:
            while not stop.is_set():
                data = transport.read(POLL_S)
                while data:
                    data = data[os.write(fd, data) :]
        except BaseException as error:  # handed to the caller's thread below
            failures.append(error)
            stop.set()

    reader = threading.Thread(target=outward, name="bridge", daemon=True)
    reader.start()
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    try:
        while not stop.is_set():
            if poll.poll(POLL_S * 1000):
                transport.write(os.read(fd, CHUNK_BYTES))
    finally:
        stop.set()
        reader.join()
    if failures:
        raise failures[0]
