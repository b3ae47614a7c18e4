"""The user's terminal, or a pipe, connected with a board."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from npubench.connect.board import OpenBoard
from npubench.wire.record import READY

QUIT = b"\x1d"
CHUNK_BYTES = 4096
POLL_S = 0.1
PIPE_WAIT_S = 60.0


def run_console(
    target: OpenBoard, *, input_fd: int | None = None, output_fd: int | None = None
) -> None:
    """Connect standard input and output (or the descriptors given) with the board.

    On a terminal: keys go to the board as they are typed and are shown; Ctrl-] quits. From a pipe:
    commands are sent, and it ends when each has been answered. Raises DeviceEnded when the board is
    gone.
    """
    source = sys.stdin.fileno() if input_fd is None else input_fd
    sink = sys.stdout.fileno() if output_fd is None else output_fd
    for line in (*target.device.banner, READY):
        _write(sink, line.encode("ascii", "replace") + b"\r\n")
    if os.isatty(source):
        target.note("connected; commands end with %, e.g. caps%; Ctrl-] quits")
        with _raw_terminal(source):
            _converse(target, source, sink, interactive=True)
    else:
        _converse(target, source, sink, interactive=False)


def _converse(target: OpenBoard, source: int, sink: int, *, interactive: bool) -> None:
    quit_asked = threading.Event()
    failures: list[BaseException] = []
    answered = _Answers()

    def outward() -> None:
        try:
            while not quit_asked.is_set():
                data = target.transport.read(POLL_S)
                if data:
                    _write(sink, data)
                    answered.count(data)
        except BaseException as error:  # handed to the caller's thread below
            failures.append(error)
            quit_asked.set()

    reader = threading.Thread(target=outward, name="console", daemon=True)
    reader.start()
    asked = 0
    poll = select.poll()
    poll.register(source, select.POLLIN | select.POLLHUP)
    try:
        while not quit_asked.is_set():
            if not poll.poll(POLL_S * 1000):
                continue
            data = os.read(source, CHUNK_BYTES)
            if interactive and QUIT in data:
                break
            if not data:
                answered.wait(asked, quit_asked)
                break
            asked += data.count(b"%")
            if interactive:
                _write(sink, data.replace(b"%", b"%\r\n"))
            target.transport.write(data)
    finally:
        quit_asked.set()
        reader.join()
    if failures:
        raise failures[0]


class _Answers:
    """Counts the lines that end an answer."""

    def __init__(self) -> None:
        self._tail = b""
        self._total = 0
        self._changed = threading.Condition()

    def count(self, data: bytes) -> None:
        joined = self._tail + data
        ready = READY.encode("ascii")
        with self._changed:
            self._total += joined.count(ready)
            self._tail = joined[joined.rfind(ready) + len(ready) :] if ready in joined else joined
            self._tail = self._tail[-(len(ready) - 1) :]
            self._changed.notify_all()

    def wait(self, total: int, given_up: threading.Event) -> None:
        """Wait until ``total`` answers have ended, or nothing more came for a minute."""
        with self._changed:
            while self._total < total and not given_up.is_set():
                if not self._changed.wait(PIPE_WAIT_S):
                    return


@contextmanager
def _raw_terminal(fd: int) -> Iterator[None]:
    """The terminal without echo and line editing, as it was afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    try:
        tty.setraw(fd, termios.TCSADRAIN)  # what was typed before counts
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
