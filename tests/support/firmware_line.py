"""Real firmware of the small network, with nothing between the test and its console."""

from __future__ import annotations

import json
import os
import pty
import socket
import time
import tty
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from npubench.boards import load_board
from npubench.build.firmware import Firmware, build_firmware
from npubench.compiler.emit.identity import Identity
from npubench.core.progress import Silent
from npubench.emulators.qemu import emulator_arguments
from npubench.transport.fd import FdTransport
from npubench.transport.interface import Transport
from npubench.transport.process import BoardProcess
from npubench.transport.socket_port import SocketTransport
from support.emitted import IDENTITY, make_project

DEADLINE_S = 30.0


class FirmwareLine:
    """The console of a running firmware: raw bytes in, whole lines out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._pending = b""

    def answer(self) -> list[str]:
        """The lines up to and without the next ``m-ready``; every record's CRC is checked."""
        lines: list[str] = []
        end_s = time.monotonic() + DEADLINE_S
        while time.monotonic() < end_s:
            line, found, rest = self._pending.partition(b"\r\n")
            if not found:
                self._pending += self._transport.read(0.2)
                continue
            self._pending = rest
            if line == b"m-ready":
                return lines
            assert b"\r" not in line
            assert b"\n" not in line
            lines.append(line.decode("ascii"))
            if line.startswith(b"r-"):
                body, _, crc = line[2:].rpartition(b"*")
                assert f"{zlib.crc32(body):08x}".encode() == crc
        raise AssertionError(f"no m-ready after {lines} {self._pending!r}")

    def send(self, data: bytes) -> list[str]:
        """Send bytes as they are; the answer to the command that they end."""
        self._transport.write(data)
        return self.answer()

    def ask(self, command: str) -> list[str]:
        """The answer to one command."""
        return self.send(command.encode("ascii") + b"%")

    def is_quiet(self) -> bool:
        """Whether nothing more comes at once: each command has one ``m-ready``."""
        self._pending += self._transport.read(0.05)
        return self._pending == b""


def record(line: str) -> dict[str, Any]:
    """The object of a record line."""
    document: dict[str, Any] = json.loads(line[2:].rpartition("*")[0])
    return document


def build_small(board_name: str, identity: Identity = IDENTITY) -> Firmware:
    """The small network's firmware for a board, from the cache when it is there."""
    board = load_board(board_name)
    return build_firmware(make_project(board, identity), board, reporter=Silent(), job="test")


@contextmanager
def run_firmware(board_name: str, elf: Path) -> Iterator[FirmwareLine]:
    """Start the firmware; its boot banner is still to be read."""
    board = load_board(board_name)
    with ExitStack() as stack:
        transport: Transport
        if board.emulator is None:
            master, slave = pty.openpty()
            tty.setraw(slave)
            transport = stack.enter_context(FdTransport(master, label="pty"))
            try:
                stack.enter_context(BoardProcess((elf.resolve(),), label="firmware", stdio=slave))
            finally:
                os.close(slave)
        else:
            ours, theirs = socket.socketpair()
            with theirs:
                transport = stack.enter_context(SocketTransport(ours, label="socket"))
                arguments = emulator_arguments(board.emulator, elf, console_fd=theirs.fileno())
                stack.enter_context(
                    BoardProcess(
                        (board.emulator.program, *arguments),
                        label="emulator",
                        fds=(theirs.fileno(),),
                    )
                )
        yield FirmwareLine(transport)
