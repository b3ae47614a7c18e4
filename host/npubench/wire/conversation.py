"""One command and its whole answer, with time-outs that tell the ways of failing apart."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from npubench.boards import Board
from npubench.transport.failure import DeviceSilent
from npubench.transport.interface import Transport
from npubench.transport.session_log import SessionLog
from npubench.wire.answers import fault_of
from npubench.wire.failure import DeviceBabble, DeviceFault, DeviceLate, DeviceReset
from npubench.wire.protocol import COMMAND_BYTES
from npubench.wire.record import (
    Line,
    LineSplitter,
    LostRecord,
    Ready,
    Record,
    Text,
    parse_line,
)
from npubench.wire.reply import Reply

log = logging.getLogger(__name__)

BABBLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Limits in seconds. ``silence``: no byte at all; ``deadline``: the whole answer.

    ``short`` holds for commands that only talk, ``window`` for those that run the network, ``boot``
    for start-up; ``drain_s`` is the quiet time after which a line is taken as idle.
    """

    short_silence_s: float = 3.0
    short_deadline_s: float = 10.0
    window_silence_s: float = 60.0
    window_deadline_s: float = 1800.0
    boot_silence_s: float = 5.0
    boot_deadline_s: float = 15.0
    drain_s: float = 0.2


def timeouts_for(board: Board) -> Timeouts:
    """Limits that suit a board: an emulator shares its host with other work and may be slow."""
    if board.kind == "physical":
        return Timeouts()
    return Timeouts(
        short_silence_s=15.0, short_deadline_s=60.0, boot_silence_s=30.0, boot_deadline_s=60.0
    )


class Conversation:
    """Sends commands and collects answers over an open transport; notes all in ``session``."""

    def __init__(self, transport: Transport, session: SessionLog) -> None:
        self.transport = transport
        self.session = session
        self._splitter = LineSplitter()
        self._lines: deque[Line] = deque()

    def send(self, command: str) -> None:
        """Send one command, without waiting."""
        data = command.encode("ascii") + b"%"
        if len(data) > COMMAND_BYTES:
            raise ValueError(f"command of {len(data)} bytes: the board takes {COMMAND_BYTES}")
        self.session.add_sent(data)
        self.transport.write(data)

    def exchange(
        self,
        command: str,
        *,
        silence_s: float,
        deadline_s: float,
        restarts: bool | None = False,
        on_line: Callable[[Line], None] | None = None,
    ) -> Reply:
        """Send a command and return its whole answer.

        ``restarts``: True when the command restarts the board and its banner is the answer, None
        when a banner may come and is let pass. Raises DeviceFault or
        DeviceReset when the board fails or starts over instead, DeviceSilent, DeviceBabble or
        DeviceLate when the answer does not end in time, DeviceEnded when the other side is gone.
        """
        self._drop_stale(command)
        self.send(command)
        return self.collect(
            command, silence_s=silence_s, deadline_s=deadline_s, restarts=restarts, on_line=on_line
        )

    def collect(
        self,
        what: str,
        *,
        silence_s: float,
        deadline_s: float,
        restarts: bool | None = False,
        on_line: Callable[[Line], None] | None = None,
    ) -> Reply:
        """The lines up to the next ``m-ready`` (with ``restarts``: the one that ends a banner)."""
        lines: list[Line] = []
        begin_s = heard_s = self.transport.now_s()
        foreign_bytes = 0  # since the last line of the protocol
        spoken = False
        while True:
            while self._lines:
                line = self._lines.popleft()
                if isinstance(line, Ready):
                    reply = Reply(lines=tuple(lines))
                    if restarts and not reply.has_banner:
                        continue
                    return _checked(reply, what, restarts)
                lines.append(line)
                if _is_protocol(line):
                    spoken = True
                    foreign_bytes = 0
                if on_line is not None:
                    on_line(line)
            if foreign_bytes > BABBLE_BYTES:
                _raise_fault(lines, what)
                raise self._babble(what, foreign_bytes, lines, spoken=spoken)
            now_s = self.transport.now_s()
            silent = heard_s + silence_s <= now_s
            if silent or begin_s + deadline_s <= now_s:
                _raise_fault(lines, what)
                if (lines or self._splitter.pending.strip()) and not spoken:
                    raise self._babble(what, foreign_bytes, lines, spoken=False)
                if silent:
                    raise _silence(what, silence_s, lines)
                raise DeviceLate(
                    f"the answer to {what!r} did not end within {deadline_s:g} s",
                    hint="ask for fewer repetitions",
                )
            limit_s = min(heard_s + silence_s, begin_s + deadline_s) - now_s
            count = self._receive(limit_s)
            if count:
                foreign_bytes += count
                heard_s = self.transport.now_s()

    def listen(self, seconds: float) -> None:
        """Take in what comes during ``seconds``."""
        end_s = self.transport.now_s() + seconds
        while (left_s := end_s - self.transport.now_s()) > 0:
            self._receive(left_s)

    def drain(self, *, quiet_s: float, deadline_s: float) -> Reply:
        """Take in and return what is on the line until nothing came for ``quiet_s``."""
        end_s = self.transport.now_s() + deadline_s
        while self._receive(quiet_s) and self.transport.now_s() < end_s:
            continue
        lines = tuple(line for line in self._lines if not isinstance(line, Ready))
        self._lines.clear()
        self._splitter.clear()
        return Reply(lines=lines)

    def _receive(self, timeout_s: float) -> int:
        """Read once, note it, cut it into lines; the number of bytes that came."""
        data = self.transport.read(timeout_s)
        if data:
            self.session.add_received(data)
            self._lines.extend(parse_line(line) for line in self._splitter.feed(data))
        return len(data)

    def _drop_stale(self, command: str) -> None:
        """Drop lines that came before the question; a restart or a fault among them is raised."""
        if not self._lines:
            return
        stale = Reply(lines=tuple(line for line in self._lines if not isinstance(line, Ready)))
        self._lines.clear()
        _checked(stale, command, restarts=False)
        log.debug("%d lines came before %r was asked", len(stale.lines), command)

    def _babble(
        self, what: str, foreign_bytes: int, lines: list[Line], *, spoken: bool
    ) -> DeviceBabble:
        sample = self._splitter.pending[:40]
        foreign = (line for line in lines if isinstance(line, Text) and not line.is_protocol)
        first = next(foreign, None)
        shown = repr(first.text[:60]) if first is not None else repr(sample)
        where = f"in the middle of the answer to {what!r}" if spoken else f"as answer to {what!r}"
        return DeviceBabble(
            f"{foreign_bytes} bytes came {where}, but no line of the protocol: {shown}",
            hint="check the speed (console.baud), and whether npubench's firmware runs",
        )


def _checked(reply: Reply, what: str, restarts: bool | None) -> Reply:
    if restarts is False:
        _raise_fault(list(reply.lines), what)
        if reply.has_banner:
            raise DeviceReset(
                f"the board restarted while it answered {what!r}",
                hint="check its supply and watchdog; a debugger may have reset it",
            )
    return reply


def _raise_fault(lines: list[Line], what: str) -> None:
    for line in lines:
        if isinstance(line, Record) and line.kind == "fault":
            raise DeviceFault(
                f"the firmware failed in {what!r}: {fault_of(line).describe()}",
                hint="find the place: arm-none-eabi-addr2line -f -e firmware.elf <pc>",
            )


def _is_protocol(line: Line) -> bool:
    """Whether a line shows that the protocol is spoken; a damaged record may be mere noise."""
    if isinstance(line, Text):
        return line.is_protocol
    return not isinstance(line, LostRecord)


def _silence(what: str, silence_s: float, lines: list[Line]) -> DeviceSilent:
    if not lines:
        return DeviceSilent(
            f"the board did not answer {what!r} within {silence_s:g} s",
            hint="is it powered and flashed, and is this its port and speed?",
        )
    return DeviceSilent(
        f"the board fell silent for {silence_s:g} s in its answer to {what!r}, after "
        f"{len(lines)} lines and before m-ready",
        hint="a hang, a lost line, or a window longer than the time-out",
    )
