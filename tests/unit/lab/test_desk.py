"""The hands at a desk: frames whole or refused, uploads, captures made where they arise."""

from __future__ import annotations

import io
import shutil
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npubench.boards import load_board
from npubench.build.firmware import build_firmware
from npubench.connect.served import put_image, serve_board
from npubench.core.errors import DeviceError, MonitorError, UsageError
from npubench.core.progress import Silent
from npubench.desk.client import Address, Desk
from npubench.desk.frame import Frame, Reader
from npubench.desk.hands import PROJECT, Hands
from npubench.flash.detect import Detected
from npubench.lab.exporter import exporter_text
from npubench.power.capture.served import serve
from npubench.power.parts import read_capture
from npubench.transport.failure import DeviceEnded
from npubench.transport.interrupt import InterruptibleTransport, allow_port, end_port
from npubench.transport.rfc2217 import Rfc2217Transport
from npubench.transport.socket_port import TcpTransport
from npubench.wire.conversation import timeouts_for
from npubench.wire.device import Device
from support.emitted import make_project

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")


def reader(data: bytes, step: int) -> Reader:
    parts = iter([data[at : at + step] for at in range(0, len(data), step)])

    def more() -> bytes:
        try:
            return next(parts)
        except StopIteration:
            raise EOFError from None

    return Reader(more)


@settings(max_examples=25)
@given(
    blobs=st.dictionaries(st.sampled_from(["a.elf", "b", "c.parquet"]), st.binary(max_size=90)),
    chatter=st.sampled_from([b"", b"Welcome to desk-1\nLast login: today\n"]),
    step=st.integers(1, 70),
)
def test_frames_come_through_in_any_pieces(
    blobs: dict[str, bytes], chatter: bytes, step: int
) -> None:
    """What a login shell says first is passed over."""
    frame = Frame(verb="upload", values={"board": "x", "n": 3}, blobs=blobs)
    found = reader(chatter + frame.data() + Frame(verb="ok").data(), step)
    assert found.frame() == frame
    assert found.frame() == Frame(verb="ok")


def test_a_damaged_frame_is_refused() -> None:
    data = Frame(verb="upload", blobs={"image": b"abcdef"}).data()
    with pytest.raises(DeviceError, match="image was damaged"):
        reader(data[:-1] + b"x", 16).frame()
    with pytest.raises(DeviceError, match="cannot be read"):
        reader(b'npubench-desk {"verb": 1}\n', 16).frame()
    with pytest.raises(DeviceError, match="talks, but not as a desk"):
        reader(b"noise\n" * 20_000, 4096).frame()


def test_an_unknown_wish_and_a_bug_are_answers() -> None:
    with Hands() as hands:
        asked = hands.answer(Frame(verb="dance"))
        assert asked.values["kind"] == "UsageError"
        assert hands.answer(Frame(verb="close")).values["kind"] == "UsageError"
        bug = hands.answer(Frame(verb="record"))
        assert "KeyError" in bug.values["message"]


@pytest.fixture
def board() -> Iterator[int]:
    with serve_board(load_board("native")) as port:
        yield port


@needs_gcc
@pytest.mark.native
def test_an_emulated_board_is_flashed_and_booted_at_the_desk(board: int) -> None:
    """Through a process of its own: the image travels, and each connection boots it."""
    native = load_board("native")
    console = f"socket://127.0.0.1:{board}"
    with TcpTransport(console) as line, pytest.raises(DeviceEnded):  # an empty board
        line.read(10.0)
    firmware = build_firmware(make_project(native), native, reporter=Silent(), job="test")
    with Desk(place="bench-1", console=console, address=Address()) as desk:
        assert desk.round_trip_us > 0
        desk.upload(native, firmware)
        with pytest.raises(DeviceError, match=rf"port {board} serves native, not qemu-m4"):
            desk.upload(load_board("qemu-m4"), firmware)
        with pytest.raises(UsageError, match=r"at the desk .*: there is no power instrument"):
            desk.choose("no-such-instrument")
    for _ in range(2):
        with TcpTransport(console) as line:
            device = Device(line, timeouts=timeouts_for(native))
            device.sync()
            assert device.caps().board == "native"


@pytest.mark.parametrize("name", ["../out", "/etc/out", "image/../../out"])
def test_an_archive_that_leaves_its_folder_is_refused(name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    values = {"board": "native", "model": False, "probe": None, "console": 1, "elf": "x.elf"}
    asked = Frame(verb="upload", values=values, blobs={PROJECT: packed.getvalue()})
    with Hands() as hands:
        assert "is no file of it" in hands.answer(asked).values["message"]


def test_no_image_is_put_where_nothing_is_served() -> None:
    with pytest.raises(DeviceError, match="no board is served on port 9"):
        put_image(9, "native", b"")


def test_a_physical_board_is_not_served() -> None:
    with (
        pytest.raises(UsageError, match="is a physical board"),
        serve_board(load_board("nucleo-l4r5zi")),
    ):
        pass


def test_a_capture_is_made_at_the_desk_and_brought_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PPK2 on a pty of the desk, by the desk's own bench.toml: not one sample is lost on the way,
    and nothing is left there."""
    link = tmp_path / "ppk2"
    bench = tmp_path / "bench.toml"
    bench.write_text(
        f'schema = 1\n[power.lab-ppk2]\ndriver = "ppk2"\nport = "{link}"\nvoltage_mv = 3000.0\n'
    )
    monkeypatch.setenv("NPUBENCH_BENCH", str(bench))
    folder = tmp_path / "power"
    with (
        serve("ppk2", seconds=30.0, current_ua=2500.0, pty=link),
        Desk(place="bench-1", console="socket://127.0.0.1:1", address=Address()) as desk,
    ):
        choice = desk.choose("lab-ppk2")
        assert choice.instrument.port == str(link)
        with desk.recording("lab-ppk2", folder) as traits:
            assert traits.rate_hz == 100_000.0
            while desk.samples() < 20_000:
                continue
    capture = read_capture(folder)
    assert capture.loss is not None
    assert capture.loss.lost_count == 0
    assert not capture.loss.ended
    samples = np.concatenate([block.current_ua for block in capture.blocks()])
    assert len(samples) == capture.count() >= 20_000
    assert abs(float(np.median(samples)) - 2500.0) < 100.0


def test_an_instrument_that_fails_at_the_desk_is_an_instrument_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = tmp_path / "bench.toml"
    bench.write_text('schema = 1\n[power.gone]\ndriver = "ppk2"\nport = "/dev/no-such-port"\n')
    monkeypatch.setenv("NPUBENCH_BENCH", str(bench))
    with (
        Desk(place="bench-1", console="socket://127.0.0.1:1", address=Address()) as desk,
        pytest.raises(MonitorError, match="at the desk"),
        desk.recording("gone", tmp_path / "power"),
    ):
        pass


def test_a_desk_elsewhere_is_reached_by_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nexit 255\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    address = Address(host="desk-2.invalid", user="bench", port=2222)
    words, _ = address.words()
    assert words == (
        str(ssh), "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-p", "2222", "--",
        "bench@desk-2.invalid", "npubench", "boards", "hands",
    )  # fmt: skip
    desk = Desk(place="bench-2", console="socket://desk-2.invalid:1", address=address)
    with (
        pytest.raises(DeviceError, match=r"the desk of bench-2 \(desk-2\.invalid\) does not"),
        desk,
    ):
        pass


def test_a_port_that_is_ended_says_why_now_and_when_it_is_opened_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"socket://127.0.0.1:{server.getsockname()[1]}"
        with InterruptibleTransport(TcpTransport(address)) as line:
            end_port(address, "the exporter is gone")
            with pytest.raises(DeviceEnded, match="the exporter is gone"):
                line.read(5.0)
        with (
            InterruptibleTransport(TcpTransport(address)) as line,
            pytest.raises(DeviceEnded, match="the exporter is gone"),
        ):
            line.write(b"x")
        allow_port(address)
        with InterruptibleTransport(TcpTransport(address)) as line:
            line.write(b"x")


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # of pyserial
def test_a_port_by_rfc_2217_carries_bytes_and_speed() -> None:
    """pyserial's own server, with a line that loops back behind it."""
    import serial
    import serial.rfc2217

    far = serial.serial_for_url("loop://", baudrate=9600, timeout=0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        served = threading.Thread(target=_serve_rfc2217, args=(server, far), daemon=True)
        served.start()
        with Rfc2217Transport(f"rfc2217://127.0.0.1:{port}", baud=115_200) as line:
            line.write(b"name%\r\n\xff\x00")
            seen = b""
            while len(seen) < 9:
                part = line.read(10.0)
                assert part, seen
                seen += part
            assert seen == b"name%\r\n\xff\x00"
            line.set_baud(57_600)
        served.join(10.0)
    assert far.baudrate == 57_600
    far.close()


class _Sink:
    """A connection as PortManager writes to it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


def _serve_rfc2217(server: socket.socket, far: object) -> None:
    import serial.rfc2217

    connection, _ = server.accept()
    with connection:
        manager = serial.rfc2217.PortManager(far, _Sink(connection))
        while data := connection.recv(1024):
            plain = b"".join(manager.filter(data))
            if plain:
                far.write(plain)  # type: ignore[attr-defined]
                echoed = far.read(len(plain))  # type: ignore[attr-defined]
                connection.sendall(b"".join(manager.escape(echoed)))


def test_what_is_no_rfc2217_address_is_refused() -> None:
    for address in ("rfc2217://", "rfc2217://host", "socket://h:1", "rfc2217://h:x"):
        with pytest.raises(UsageError, match="is not an address"):
            Rfc2217Transport(address, baud=9600)


def test_the_exporters_configuration_of_what_is_plugged_in() -> None:
    """It is YAML that labgrid reads, and each console's place is told by board and probe."""
    yaml = pytest.importorskip("yaml")
    nucleo = load_board("nucleo-l4r5zi")
    usb = nucleo.console.usb[0]
    text = exporter_text(
        [
            Detected(port="/dev/ttyACM0", usb=usb, serial_number="0668FF", product="STLINK: v3",
                     boards=("nucleo-l4r5zi",)),
            Detected(port="/dev/ttyUSB1", usb="10c4:ea60", serial_number=None, product=None,
                     boards=("nucleo-l4r5zi", "other")),
        ],
        host="desk-1",
    )  # fmt: skip
    found = yaml.safe_load(text)
    assert found["bench-1"]["USBSerialPort"]["match"] == {"ID_SERIAL_SHORT": "0668FF"}
    assert found["bench-1"]["USBSerialPort"]["speed"] == nucleo.console.baud
    assert found["bench-1"]["npubench"]["cls"] == "NetworkService"
    assert found["bench-2"]["RawSerialPort"]["port"] == "/dev/ttyUSB1"
    assert "labgrid-client -p bench-1 set-tags board=nucleo-l4r5zi probe=0668FF" in text
