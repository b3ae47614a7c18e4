"""A board ready to be talked to: an emulator that was started, a host process, or a port."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from npubench.boards import Board, Emulator
from npubench.core.errors import UsageError
from npubench.core.progress import Event, Reporter
from npubench.core.tool import find_tool
from npubench.link.board_model.powered import import_unicorn
from npubench.link.conversation import Timeouts, timeouts_for
from npubench.link.device import Device
from npubench.link.faulty import FaultyTransport, Mishap
from npubench.link.fd import FdTransport
from npubench.link.interrupt import InterruptibleTransport
from npubench.link.process import (
    BoardProcess,
    ProcessTransport,
    end_running_targets,
    find_program,
)
from npubench.link.serial_port import SerialTransport
from npubench.link.socket_port import SCHEME, SocketTransport, TcpTransport
from npubench.link.ssh import SCHEME as SSH_SCHEME
from npubench.link.ssh import SshTransport
from npubench.link.transport import SessionLog, Transport
from npubench.link.virtual_npu import NpuTransport, fill_in, needs_virtual_npu, virtual_npu

__all__ = ["Target", "end_running_targets", "open_target"]

logger = logging.getLogger(__name__)


class Target:
    """A board that has answered. ``device`` is its client, ``transport`` the line to it.

    ``process`` is the emulator or host process, None for a port.
    """

    def __init__(
        self,
        *,
        device: Device,
        transport: Transport,
        process: BoardProcess | None,
        reporter: Reporter,
        job: str,
        npu: BoardProcess | None = None,
    ) -> None:
        self._npu = npu
        self.device = device
        self.transport = transport
        self.process = process
        self._reporter = reporter
        self._job = job

    @property
    def log(self) -> SessionLog:
        """All that went over the line so far."""
        return self.device.log

    def describe(self) -> str:
        """What the board is connected through."""
        return self.transport.describe()

    def note(self, text: str) -> None:
        """Report something that the user should read."""
        self._reporter.event(Event(job=self._job, step="board", state="note", detail=text))

    @property
    def npu_pid(self) -> int | None:
        """Process id of the supervisor of the board's modelled NPU, None where there is none."""
        return None if self._npu is None else self._npu.pid

    @property
    def npu_remarks(self) -> str:
        """What the model of the board's NPU has complained about so far, or how it ended."""
        if self._npu is None:
            return ""
        return self._npu.said if self._npu.is_running else self._npu.ended().message

    def kill(self) -> None:
        """End the process behind the board, if there is one; the next read raises DeviceEnded."""
        if self.process is not None:
            self.process.kill()


@contextmanager
def open_target(
    board: Board,
    firmware_elf: Path | None,
    *,
    port: str | None,
    reporter: Reporter,
    job: str,
    log: BinaryIO | None = None,
    sent_log: TextIO | None = None,
    timeouts: Timeouts | None = None,
    mishaps: Sequence[Mishap] = (),
) -> Iterator[Target]:
    """Boot or open a board and hand it out when it answers; end and close it on leaving.

    With a ``port`` (a device, ``socket://host:port`` or ``ssh://user@host``) that is opened,
    whatever the board's kind.
    Else an emulated board runs ``firmware_elf`` in its emulator and a host board as a process.
    ``log`` gets every received byte as it comes, ``sent_log`` what was sent (see SessionLog).
    ``mishaps`` happen on the line, on order: the rehearsal of a bad cable or a bad board.
    Leave it in the thread that entered it. Raises ToolMissing when the emulator is not installed,
    and a DeviceError (link/failure.py) when the board does not come up.
    """
    session = SessionLog(received_file=log, sent_file=sent_log)
    limits = timeouts if timeouts is not None else timeouts_for(board)
    with ExitStack() as stack:
        transport: Transport
        process = npu = None
        if port is not None:
            transport = _enter_port(stack, port, board)
        elif board.kind == "physical":
            raise UsageError(
                f"{board.id} is a physical board and no port is named",
                hint="name its console: --port /dev/ttyACM0",
            )
        elif firmware_elf is None:
            raise UsageError(f"there is no image to run on {board.id}")
        elif board.is_model:
            transport, process = _start_model(stack, board, firmware_elf)
        elif board.emulator is not None:
            transport, process, npu = _start_emulator(stack, board, firmware_elf)
        else:
            transport, process = _start_process(stack, board, firmware_elf)
        if mishaps:
            transport = FaultyTransport(transport, mishaps)
        device = Device(transport, log=session, timeouts=limits)
        if process is not None:
            device.wait_boot()
        else:
            device.sync()
        logger.debug("%s: %s", job, transport.describe())
        yield Target(
            device=device, transport=transport, process=process, reporter=reporter, job=job, npu=npu
        )


def emulator_arguments(emulator: Emulator, elf: Path, *, console_fd: int) -> tuple[str, ...]:
    """QEMU's arguments: virtual time by instruction count, the console on a socket it inherits."""
    return (
        "-M", emulator.machine,
        "-icount", f"shift={emulator.icount_shift},align=off,sleep=off",
        "-display", "none",
        "-monitor", "none",
        "-nic", "none",
        "-chardev", f"socket,id=console,fd={console_fd}",
        "-serial", "chardev:console",
        *emulator.arguments,
        "-kernel", os.fspath(elf),
    )  # fmt: skip


def _start_emulator(
    stack: ExitStack, board: Board, elf: Path
) -> tuple[Transport, BoardProcess, BoardProcess | None]:
    emulator = board.emulator
    assert emulator is not None
    program = find_tool(emulator.program, package=emulator.package)
    ours, theirs = socket.socketpair()
    npu = stack.enter_context(virtual_npu(board)) if needs_virtual_npu(board) else None
    with theirs:
        label = f"{emulator.program} {emulator.machine}"
        line = SocketTransport(ours, label=label)
        stack.enter_context(line)
        arguments = emulator_arguments(emulator, elf.resolve(), console_fd=theirs.fileno())
        fds = [theirs.fileno()]
        if npu is not None:
            arguments = fill_in(arguments, npu)
            fds.append(npu.memory_fd)
        process = stack.enter_context(
            BoardProcess(
                (program, *arguments),
                label=f"the emulator {emulator.program}",
                fds=fds,
                cwd=None if npu is None else npu.folder,
            )
        )
    transport: Transport = ProcessTransport(line, process)
    if npu is None:
        return transport, process, None
    return NpuTransport(transport, process, npu.process), process, npu.process


def _start_model(stack: ExitStack, board: Board, elf: Path) -> tuple[Transport, BoardProcess]:
    version = import_unicorn().__version__
    ours, theirs = socket.socketpair()
    with theirs:
        label = f"board model of {board.id} (Unicorn {version})"
        line = SocketTransport(ours, label=label)
        stack.enter_context(line)
        program = (sys.executable, "-P", "-m", "npubench.link.board_model")
        process = stack.enter_context(
            BoardProcess(
                (*program, board.id, elf, str(theirs.fileno())),
                label=f"the board model of {board.id}",
                fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        )
    return ProcessTransport(line, process), process


def user_emulator(board: Board) -> Path | None:
    """QEMU's user mode for a program of a board's own Linux; None for one of this computer.

    Raises ToolMissing.
    """
    if not board.toolchain.hosted:
        return None
    name = f"qemu-{board.toolchain.prefix.partition('-')[0]}"
    static = shutil.which(f"{name}-static")
    return Path(static) if static is not None else find_tool(name, package="qemu-user-static")


def _start_process(stack: ExitStack, board: Board, elf: Path) -> tuple[Transport, BoardProcess]:
    import pty
    import tty

    emulator = user_emulator(board)
    program = find_program(elf)
    words = (program.resolve(),) if emulator is None else (emulator, program.resolve())
    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        line = stack.enter_context(FdTransport(master, label=f"host process {elf.name} on a pty"))
        process = stack.enter_context(
            BoardProcess(words, label=f"the process {elf.name}", stdio=slave)
        )
    finally:
        os.close(slave)
    return ProcessTransport(line, process), process


def _enter_port(stack: ExitStack, port: str, board: Board) -> Transport:
    if not port:
        raise UsageError("the port's name is empty", hint="name it: --port /dev/ttyACM0")
    line: Transport
    if port.startswith(SCHEME):
        line = TcpTransport(port)
    elif port.startswith(SSH_SCHEME):
        line = SshTransport(port)
    else:
        line = SerialTransport(port, baud=board.console.baud)
    return stack.enter_context(InterruptibleTransport(line))
