"""XMODEM against a real receiver (lrzsz's rx) on a pty, and the boot-menu dialogue around it."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.builder import builder_module

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(shutil.which("rx") is None, reason="rx (package lrzsz) is not installed"),
]
xmodem = builder_module("xmodem")
we2 = builder_module("we2")
BANNER = (
    b"1st BL Modem Build DATE=Nov 30 2023, 0x0002000b\r\n"
    b"Please input any key to enter X-Modem mode in 100 ms\r\nwaiting input key\r\n"
)
MENU = (
    b"Set X-modem flag = Yes\r\n\r\nslot flash_offset 0x00000000\r\njump_addr=0x3401f000\r\n"
    b"----------\r\n[0] Reboot system\r\n[1] Xmodem download and burn FW image\r\n----------\r\n"
)
PROMPT = b"\r\nDo you want to end file transmission and reboot system? (y)\r\n"


@contextlib.contextmanager
def pty_pair() -> Iterator[tuple[int, int]]:
    """Two ends of a raw line."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        with contextlib.suppress(OSError):
            os.close(theirs)


def receive(line: int, path: Path, *options: str) -> int:
    """Let a real rx take a file from ``line``; its exit code.

    It sits on a socket behind the line: on a terminal of its own it flushes what it has just sent.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        receiver = subprocess.Popen(
            ["rx", "--binary", *options, path.name],
            cwd=path.parent,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                ended = receiver.poll() is not None
                ready, _, _ = select.select([line, ours], [], [], 0.05)
                if line in ready:
                    ours.sendall(os.read(line, 4096))
                if ours in ready:
                    os.write(line, ours.recv(4096))
                elif ended:
                    return receiver.wait()
        finally:
            receiver.kill()
            receiver.wait()


class Line:
    """A descriptor with pyserial's few methods."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.timeout = 1.0

    def read(self, count: int) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], self.timeout)
        return os.read(self._fd, count) if ready else b""

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]

    def reset_input_buffer(self) -> None:
        while select.select([self._fd], [], [], 0)[0]:
            os.read(self._fd, 4096)

    def read_within(self, seconds: float) -> bytes:
        self.timeout = seconds
        return self.read(1)


@pytest.mark.parametrize(
    ("size", "options", "block_bytes"),
    [
        (1, ("--with-crc",), 128),
        (129, (), 128),
        (5000, ("--with-crc",), 1024),
        (70_000, ("--with-crc",), 128),
    ],
)
def test_a_real_receiver_takes_the_file(
    tmp_path: Path, size: int, options: tuple[str, ...], block_bytes: int
) -> None:
    data = bytes((7 * index + index // 251) % 256 for index in range(size))
    codes: list[int] = []
    with pty_pair() as (ours, theirs):
        receiver = threading.Thread(
            target=lambda: codes.append(receive(theirs, tmp_path / "got", *options)), daemon=True
        )
        receiver.start()
        line = Line(ours)
        xmodem.send(data, line.read_within, line.write, block_bytes=block_bytes)
        receiver.join(20)
    assert codes == [0]
    got = (tmp_path / "got").read_bytes()
    assert got[:size] == data
    assert set(got[size:]) <= {xmodem.PAD}
    assert len(got) % 128 == 0


def test_the_crc_is_the_one_of_the_protocol() -> None:
    assert xmodem.crc16(b"123456789") == 0x31C3
    assert xmodem.frame(1, bytes(128), with_crc=True) == bytes([1, 1, 254]) + bytes(130)
    assert xmodem.frame(257, bytes(1024), with_crc=False)[:3] == bytes([2, 1, 254])


def scripted(*answers: bytes) -> tuple[list[bytes], object, object]:
    """A receiver that answers as told, and then is silent."""
    sent: list[bytes] = []
    queue = list(answers)
    return sent, lambda _: queue.pop(0) if queue else b"", sent.append


def test_a_refused_block_is_sent_again() -> None:
    sent, read, write = scripted(b"C", b"\x15", b"\x06", b"\x06")
    xmodem.send(b"abc", read, write)
    assert sent[0] == sent[1]
    assert sent[2] == b"\x04"


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ((), "no receiver called"),
        ((b"\x18", b"\x18"), "cancelled before"),
        ((b"C", b"\x18", b"\x18"), "cancelled at block 1"),
        ((b"C", *[b"\x15"] * 20), "did not take block 1"),
        ((b"C", b"\x06", *[b"\x15"] * 20), "did not take end of file"),
    ],
)
def test_a_receiver_that_fails_is_named(answers: tuple[bytes, ...], complaint: str) -> None:
    _, read, write = scripted(*answers)
    with pytest.raises(xmodem.XmodemError, match=complaint):
        xmodem.send(b"abc", read, write)


class BootMenu(threading.Thread):
    """A stand-in for WE2's boot loader: its texts as captured, a real rx for the transfer."""

    def __init__(self, fd: int, path: Path) -> None:
        super().__init__(daemon=True)
        self._fd = fd
        self._path = path
        self.heard: list[bytes] = []

    def run(self) -> None:
        while not select.select([self._fd], [], [], 0.2)[0]:  # somebody presses reset
            os.write(self._fd, BANNER)
        self.heard.append(self._until(b"\r"))
        os.write(self._fd, MENU)
        self.heard.append(self._until(b"\r"))
        os.write(self._fd, b"Please keep the power on\r\n")
        os.write(self._fd, b"Send data using the xmodem protocol from your terminal\r\n")
        receive(self._fd, self._path, "--with-crc")
        os.write(self._fd, PROMPT)
        self.heard.append(self._until(b"\r"))

    def _until(self, end: bytes) -> bytes:
        heard = b""
        while not heard.endswith(end):
            heard += os.read(self._fd, 1)
        return heard


def test_the_boot_menu_is_led_to_the_transfer_and_left(tmp_path: Path) -> None:
    image = bytes(range(256)) * 21
    with pty_pair() as (ours, theirs):
        board = BootMenu(theirs, tmp_path / "burnt")
        board.start()
        we2.transfer(Line(ours), image, settle_s=0.2)
        board.join(10)
    assert not board.is_alive()
    assert (tmp_path / "burnt").read_bytes()[: len(image)] == image
    assert board.heard[0] == b"1\r"
    assert board.heard[-1].endswith(b"y\r")


def test_a_silent_board_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(we2, "MENU_TIMEOUT_S", 0.2)
    with pty_pair() as (ours, _), pytest.raises(SystemExit, match="Press reset"):
        we2.transfer(Line(ours), b"image")


def test_the_script_sends_over_a_serial_port(tmp_path: Path) -> None:
    """The very command of the protocol, with pyserial on a pty."""
    (tmp_path / "output.img").write_bytes(bytes(range(250)) * 4)
    with pty_pair() as (ours, theirs):
        board = BootMenu(ours, tmp_path / "burnt")
        board.start()
        result = subprocess.run(
            [
                sys.executable, we2.__file__, "send", tmp_path / "output.img",
                "--port", os.ttyname(theirs),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        board.join(10)
    assert (tmp_path / "burnt").read_bytes()[:1000] == bytes(range(250)) * 4


def test_an_image_larger_than_a_slot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.img").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(SystemExit, match="a slot 1048576"):
        we2.send(tmp_path / "big.img", "/dev/null", 921_600)


def test_the_packer_works_on_a_copy_of_the_vendors_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for the vendor's generator: it reads and writes the fixed places."""
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    script = vendor / we2.GENERATOR
    script.write_text(
        '#!/bin/sh\nset -e\n[ "$1" = project_case1_blp_wlcsp.json ]\n'
        f"mkdir -p output_case1_sec_wlcsp\n(printf packed:; cat {we2.INPUT}) > {we2.OUTPUT}\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{vendor}:{os.environ['PATH']}")
    (tmp_path / "firmware.elf").write_bytes(b"ELF")
    we2.pack(str(tmp_path / "firmware.elf"), str(tmp_path / "output.img"))
    assert (tmp_path / "output.img").read_bytes() == b"packed:ELF"
    assert [path.name for path in vendor.iterdir()] == [we2.GENERATOR]
