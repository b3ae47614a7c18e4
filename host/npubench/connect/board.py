"""A board ready to be talked to: an emulator that was started, a host process, or a port."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TextIO
from urllib.parse import urlsplit

from npubench.boards import Board
from npubench.core.errors import UsageError
from npubench.core.progress import Event, Reporter
from npubench.emulators.board_model.process import start_model
from npubench.emulators.host_process import start_process
from npubench.emulators.qemu import start_qemu
from npubench.transport.interface import Transport
from npubench.transport.interrupt import InterruptibleTransport
from npubench.transport.process import BoardProcess
from npubench.transport.rfc2217 import SCHEME as RFC2217_SCHEME
from npubench.transport.rfc2217 import Rfc2217Transport
from npubench.transport.serial_port import SerialTransport
from npubench.transport.session_log import SessionLog
from npubench.transport.socket_port import SCHEME, TcpTransport
from npubench.transport.ssh import SCHEME as SSH_SCHEME
from npubench.transport.ssh import SshTransport
from npubench.wire.conversation import Timeouts, timeouts_for
from npubench.wire.device import Device
from npubench.wire.faulty import FaultyTransport, Mishap

FOREIGN_BOOT_S = 25.0

logger = logging.getLogger(__name__)


class OpenBoard:
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
def open_board(
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
    windows: Path | None = None,
    foreign: bool = False,
) -> Iterator[OpenBoard]:
    """Boot or open a board and hand it out when it answers; end and close it on leaving.

    With a ``port`` (a device, ``socket://host:port``, ``rfc2217://host:port``
    or ``ssh://user@host``) that is opened,
    whatever the board's kind.
    Else an emulated board runs ``firmware_elf`` in its emulator and a host board as a process.
    ``log`` gets every received byte as it comes, ``sent_log`` what was sent (see SessionLog).
    ``windows``: a board model or QEMU writes there what each window executed.
    ``foreign``: the image is somebody else's and runs on the part's model (foreign.toml).
    ``mishaps`` happen on the line, on order: the rehearsal of a bad cable or a bad board.
    Leave it in the thread that entered it. Raises ToolMissing when the emulator is not installed,
    and a DeviceError (transport/failure.py, wire/failure.py) when the board does not come up.
    """
    session = SessionLog(received_file=log, sent_file=sent_log)
    limits = timeouts if timeouts is not None else timeouts_for(board)
    if foreign:  # its process says why it does not get ready, before this is over
        limits = replace(limits, boot_silence_s=FOREIGN_BOOT_S, boot_deadline_s=FOREIGN_BOOT_S)
    with ExitStack() as stack:
        transport: Transport
        process = npu = None
        if foreign and firmware_elf is not None:
            transport, process = start_model(stack, board, firmware_elf, foreign=True)
        elif port is not None:
            transport = _enter_port(stack, port, board.console.baud)
        elif board.kind == "physical":
            raise UsageError(
                f"{board.id} is a physical board and no port is named",
                hint="name its console: --port /dev/ttyACM0",
            )
        elif firmware_elf is None:
            raise UsageError(f"there is no image to run on {board.id}")
        elif board.is_model:
            transport, process = start_model(stack, board, firmware_elf, windows=windows)
        elif board.emulator is not None:
            transport, process, npu = start_qemu(stack, board, firmware_elf, windows=windows)
        else:
            transport, process = start_process(stack, board, firmware_elf)
        if mishaps:
            transport = FaultyTransport(transport, mishaps)
        device = Device(transport, log=session, timeouts=limits)
        if process is not None:
            device.wait_boot()
        else:
            device.sync()
        logger.debug("%s: %s", job, transport.describe())
        yield OpenBoard(
            device=device, transport=transport, process=process, reporter=reporter, job=job, npu=npu
        )


@contextmanager
def open_device(
    port: str, *, baud: int, timeouts: Timeouts | None = None, log: BinaryIO | None = None
) -> Iterator[Device]:
    """The client of whatever answers at ``port``, in step with it; its board need not be known.

    ``port`` as for open_board; ``log`` gets every received byte. Raises as open_board does.
    """
    with ExitStack() as stack:
        transport = _enter_port(stack, port, baud)
        device = Device(transport, log=SessionLog(received_file=log), timeouts=timeouts)
        device.sync()
        yield device


def _enter_port(stack: ExitStack, port: str, baud: int) -> Transport:
    if not port:
        raise UsageError("the port's name is empty", hint="name it: --port /dev/ttyACM0")
    line: Transport
    if port.startswith(SCHEME):
        line = TcpTransport(port)
    elif port.startswith(RFC2217_SCHEME):
        line = Rfc2217Transport(port, baud=baud)
    elif port.startswith(SSH_SCHEME):
        line = SshTransport(port)
    else:
        line = SerialTransport(port, baud=baud)
    return stack.enter_context(InterruptibleTransport(line))


def is_played(port: str) -> bool:
    """Whether a program may stand behind ``port`` as well as a board: a pty or this machine."""
    if port.startswith((SCHEME, RFC2217_SCHEME, SSH_SCHEME)):
        host = urlsplit(port).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")
    return str(Path(port).resolve()).startswith("/dev/pts/")
