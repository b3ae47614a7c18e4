"""Promise: a port that is absent, busy or forbidden is told apart, and every transport carries the
same bytes."""

from __future__ import annotations

import os
import pty
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.connect.board import OpenBoard, open_board
from npubench.connect.console import run_console
from npubench.connect.pty_bridge import offer_pty, pump, run_bridge
from npubench.core.errors import DeviceError, ResultError, UsageError
from npubench.core.progress import Event, Silent
from npubench.emulators.simulated import SimulatedBoard, SimulatedTransport, serve
from npubench.transport.failure import (
    DeviceEnded,
    DeviceSilent,
    PortBusy,
    PortForbidden,
    PortMissing,
)
from npubench.transport.fd import FdTransport
from npubench.transport.serial_port import SerialTransport, _explain
from npubench.transport.session_log import read_sent
from npubench.transport.socket_port import SocketTransport, TcpTransport
from npubench.wire.device import Device


@contextmanager
def served(line: FdTransport | SocketTransport) -> Iterator[None]:
    """A simulated board that answers on ``line`` in a thread, until the other side closes."""

    def run() -> None:
        with line, suppress(DeviceEnded):
            serve(SimulatedBoard(), line, poll_s=0.01)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


@pytest.fixture
def pty_pair() -> Iterator[tuple[int, str]]:
    """The master of a raw pty and the name of its slave."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    os.close(master)


def test_serial_port_and_pty_carry_a_session(pty_pair: tuple[int, str]) -> None:
    master, name = pty_pair
    port = SerialTransport(name, baud=115_200)
    with port, served(FdTransport(os.dup(master), label="board")):
        device = Device(port)
        device.wait_boot()
        assert device.caps().board == "simulated"
        device.upload(bytes(range(16)))
        assert device.set_baud(230_400, back_to=115_200)
        assert port.describe() == f"serial {name} at 230400 baud"
        port.__exit__(None, None, None)


def test_socket_carries_a_session() -> None:
    ours, theirs = socket.socketpair()
    with served(SocketTransport(theirs, label="board")), SocketTransport(ours, label="us") as line:
        device = Device(line)
        device.sync()
        assert device.kat(tensors=True).tensors


def test_a_port_by_tcp_carries_a_session() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"socket://127.0.0.1:{server.getsockname()[1]}"

        def accept() -> None:
            connection, _ = server.accept()
            with SocketTransport(connection, label="board") as line, suppress(DeviceEnded):
                serve(SimulatedBoard(), line, poll_s=0.01)

        thread = threading.Thread(target=accept)
        thread.start()
        with open_board(
            load_board("qemu-m4"), None, port=address, reporter=Silent(), job="test"
        ) as target:
            assert target.device.name() == "npubench"
            assert target.describe() == address
        thread.join()
    with pytest.raises(PortMissing, match="nothing answers"):
        TcpTransport(address).__enter__()


@pytest.mark.parametrize("address", ["socket://", "socket://host", "socket://host:port", "x:1"])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        TcpTransport(address)


def test_a_port_that_is_absent(tmp_path: Path) -> None:
    with pytest.raises(PortMissing, match="there is no port") as caught:
        SerialTransport(str(tmp_path / "ttyNONE"), baud=115_200).__enter__()
    assert caught.value.exit_code == 4
    assert "plugged in" in caught.value.hint


def test_a_port_that_is_busy(pty_pair: tuple[int, str]) -> None:
    _, name = pty_pair
    with (
        SerialTransport(name, baud=115_200),
        pytest.raises(PortBusy, match="held by another program"),
    ):
        SerialTransport(name, baud=115_200).__enter__()


def test_a_port_that_is_forbidden(tmp_path: Path) -> None:
    import errno

    error = _explain("/dev/ttyACM0", PermissionError(errno.EACCES, "Permission denied"))
    assert isinstance(error, PortForbidden)
    assert "dialout" in error.hint
    if os.geteuid() != 0:
        port = tmp_path / "port"
        port.touch(mode=0)
        with pytest.raises(PortForbidden):
            SerialTransport(str(port), baud=115_200).__enter__()


def test_a_file_is_not_a_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="cannot be opened"):
        SerialTransport(str(tmp_path / "file"), baud=115_200).__enter__()


def test_the_other_side_goes_away() -> None:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    with SerialTransport(name, baud=115_200) as port:
        os.close(slave)
        os.close(master)
        with pytest.raises(DeviceEnded, match=f"{name} is gone") as caught:
            port.read(1.0)
        assert "unplugged" in caught.value.hint
        with pytest.raises(DeviceEnded, match=f"{name} is gone"):
            port.write(b"name%")
    ours, theirs = socket.socketpair()
    theirs.close()
    with SocketTransport(ours, label="line") as line:
        with pytest.raises(DeviceEnded):
            line.read(1.0)
        with pytest.raises(DeviceEnded):
            line.write(b"x")


def test_a_read_that_finds_nothing_is_empty(pty_pair: tuple[int, str]) -> None:
    master, name = pty_pair
    with SerialTransport(name, baud=115_200) as port:
        assert port.read(0.0) == b""
        with FdTransport(os.dup(master), label="board") as line:
            assert line.read(0.0) == b""


def test_a_log_of_sent_bytes_that_is_damaged() -> None:
    with pytest.raises(ResultError, match="line 2"):
        read_sent('{"at": 0, "sent": "x"}\n{"at"\n')


class Notes:
    """A reporter that keeps what is noted, and sets an event with each note."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.noted = threading.Event()

    def event(self, event: Event) -> None:
        self.texts.append(event.detail)
        self.noted.set()


def target_on(line: SocketTransport, notes: Notes) -> OpenBoard:
    device = Device(line)
    device.wait_boot()
    return OpenBoard(device=device, transport=line, process=None, reporter=notes, job="test")


def test_the_bridge_offers_the_board_to_programs_that_come_and_go(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    link = tmp_path / "board"
    notes = Notes()
    failures: list[DeviceEnded] = []
    with served(SocketTransport(theirs, label="board")):
        line = SocketTransport(ours, label="line").__enter__()
        target = target_on(line, notes)

        def bridge() -> None:
            try:
                run_bridge(target, link)
            except DeviceEnded as error:
                failures.append(error)

        thread = threading.Thread(target=bridge)
        thread.start()
        notes.noted.wait(10.0)
        for _ in range(2):
            with SerialTransport(str(link), baud=115_200) as port:
                device = Device(port)
                device.sync()
                assert device.caps().board == "simulated"
        ours.shutdown(socket.SHUT_RDWR)
        thread.join()
    line.__exit__(None, None, None)
    assert len(failures) == 1
    assert str(link) in notes.texts[0]
    assert not link.is_symlink()


def test_a_bridge_does_not_replace_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match="exists"), offer_pty(tmp_path / name):
            pass
    assert (tmp_path / "link").read_text() == "mine"
    (tmp_path / "stale").symlink_to("/dev/pts/99999")
    with offer_pty(tmp_path / "stale"):
        assert (tmp_path / "stale").readlink() != Path("/dev/pts/99999")
    with pytest.raises(UsageError, match="cannot be made"), offer_pty(tmp_path / "no" / "link"):
        pass


def test_the_pump_stops_when_told() -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()
    stop.set()
    with theirs, SocketTransport(ours, label="line") as line:
        pump(line, theirs.fileno(), stop=stop)


def test_commands_from_a_pipe_are_answered_and_then_it_ends() -> None:
    ours, theirs = socket.socketpair()
    source, feeder = os.pipe()
    reader, sink = os.pipe()
    with (
        served(SocketTransport(theirs, label="board")),
        SocketTransport(ours, label="line") as line,
    ):
        target = target_on(line, Notes())
        os.write(feeder, b"name%\nmem%\n")
        os.close(feeder)
        run_console(target, input_fd=source, output_fd=sink)
    os.close(source)
    os.close(sink)
    with os.fdopen(reader, "rb") as output:
        text = output.read()
    assert text.startswith(b"m-timestamp-mode-performance\r\n")
    assert b"m-name-dut-[npubench]\r\nm-ready\r\n" in text
    assert text.endswith(b"m-ready\r\n")
    assert b'r-{"t":"mem"' in text


def test_a_terminal_quits_by_its_key_and_is_put_back(pty_pair: tuple[int, str]) -> None:
    import termios

    master, name = pty_pair
    terminal = os.open(name, os.O_RDWR | os.O_NOCTTY)
    ours, theirs = socket.socketpair()
    before = termios.tcgetattr(terminal)
    with (
        served(SocketTransport(theirs, label="board")),
        SocketTransport(ours, label="line") as line,
    ):
        notes = Notes()
        target = target_on(line, notes)
        os.write(master, b"\x1d")
        run_console(target, input_fd=terminal, output_fd=terminal)
    assert termios.tcgetattr(terminal) == before
    assert "Ctrl-] quits" in notes.texts[0]
    os.close(terminal)


def test_a_console_whose_board_dies_says_so() -> None:
    source, feeder = os.pipe()
    ours, theirs = socket.socketpair()
    with SocketTransport(ours, label="line") as line:
        theirs.sendall(SimulatedBoard().boot())
        target = target_on(line, Notes())
        theirs.close()
        with (
            open(os.devnull, "wb") as sink,
            pytest.raises(DeviceEnded),
        ):
            run_console(target, input_fd=source, output_fd=sink.fileno())
    os.close(source)
    os.close(feeder)


def test_time_of_the_simulator_is_not_ours() -> None:
    with SimulatedTransport(SimulatedBoard()) as transport:
        device = Device(transport)
        device.wait_boot()
        before_s = transport.now_s()
        with pytest.raises(DeviceSilent):
            device.wait_boot()
        assert transport.now_s() - before_s == pytest.approx(device.timeouts.boot_silence_s)
