"""Himax WE2 (Grove Vision AI V2): pack an image with the vendor's tool, send it to the boot menu.

    we2.py pack firmware.elf output.img
    we2.py send output.img --port /dev/ttyACM0

The dialogue of the boot menu: docs/flashing.md. Opening the port resets the board.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import xmodem

BAUD = 921_600
IMAGE_MAX_BYTES = 1 << 20
GENERATOR = "we2_local_image_gen"
PROJECT = "project_case1_blp_wlcsp.json"
INPUT = "input_case1_secboot/EPII_CM55M_gnu_epii_evb_WLCSP65_s.elf"
OUTPUT = "output_case1_sec_wlcsp/output.img"
KEY = b"1\r"
MENU = b"[1] Xmodem download and burn FW image"
READY = b"Send data using the xmodem protocol from your terminal"
DONE = b"Do you want to end file transmission and reboot system? (y)"
MENU_TIMEOUT_S = 30.0
DONE_TIMEOUT_S = 60.0
SETTLE_S = 1.0


class Dialogue:
    """What the board says on ``line`` (a pyserial port), up to what is waited for."""

    def __init__(self, line):
        self._line = line
        self._heard = b""

    def wait_for(self, text, seconds, *, answer=None):
        """Read until ``text`` came; after each whole line before it, ``answer`` is sent."""
        end = time.monotonic() + seconds
        while text not in self._heard:
            byte = self.read(0.1)
            self._heard += byte
            if answer is not None and byte == b"\n":
                self.write(answer)
            if time.monotonic() > end:
                said = self._heard[-200:].decode("ascii", "replace").strip()
                raise SystemExit(
                    f"Error: no device found: the boot loader did not say {text.decode()!r} "
                    f"within {seconds:g} s; it said {said!r}. Press reset and try again."
                )
        self._heard = self._heard[self._heard.index(text) + len(text) :]

    def read(self, seconds):
        """One byte, or b"" when none came."""
        self._line.timeout = seconds
        return self._line.read(1)

    def write(self, data):
        """Send bytes."""
        self._line.write(data)

    def drain(self):
        """Forget what came so far."""
        self._heard = b""
        self._line.reset_input_buffer()


def transfer(line, image, *, settle_s=SETTLE_S):
    """The whole dialogue on an open port: menu, XMODEM, restart. Raises XmodemError."""
    talk = Dialogue(line)
    talk.wait_for(MENU, MENU_TIMEOUT_S, answer=KEY)
    talk.write(KEY)
    talk.wait_for(READY, MENU_TIMEOUT_S)
    time.sleep(settle_s)
    talk.drain()
    talk.write(KEY)
    xmodem.send(image, talk.read, talk.write, on_block=_progress)
    talk.wait_for(DONE, DONE_TIMEOUT_S)
    talk.write(b"y\r")


def pack(elf, packed):
    """Run the vendor's generator on a copy of its folder: it reads and writes fixed places."""
    found = shutil.which(GENERATOR)
    if found is None:
        raise SystemExit(
            f"Error: {GENERATOR} is not installed: we2_image_gen_local of "
            "HimaxWiseEyePlus/Seeed_Grove_Vision_AI_Module_V2, its folder on PATH"
        )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "generator"
        shutil.copytree(Path(found).resolve().parent, folder, symlinks=True)
        (folder / INPUT).parent.mkdir(exist_ok=True)
        shutil.copy2(elf, folder / INPUT)
        (folder / OUTPUT).unlink(missing_ok=True)
        code = subprocess.call([str(folder / GENERATOR), PROJECT], cwd=folder)
        if code != 0 or not (folder / OUTPUT).is_file():
            raise SystemExit(f"Error: {GENERATOR} ended with exit code {code} and made no image")
        shutil.copy2(folder / OUTPUT, packed)


def send(image, port, baud):
    """Open the port, which resets the board, and transfer."""
    import serial

    data = Path(image).read_bytes()
    if len(data) > IMAGE_MAX_BYTES:
        raise SystemExit(f"Error: the image has {len(data)} bytes, a slot {IMAGE_MAX_BYTES}")
    try:
        with serial.Serial(port, baud, timeout=1.0) as line:
            transfer(line, data)
    except serial.SerialException as error:
        raise SystemExit(f"Error: unable to open {port}: {error}") from error
    except xmodem.XmodemError as error:
        raise SystemExit(f"Error: {error}") from error


def _progress(done, total):
    if done == total or done % 256 == 0:
        sys.stdout.write(f"{done} of {total} blocks\n")
        sys.stdout.flush()


def main(words=None):
    """The two commands; errors are one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("elf")
    packing.add_argument("packed")
    sending = commands.add_parser("send")
    sending.add_argument("image")
    sending.add_argument("--port", required=True)
    sending.add_argument("--baud", type=int, default=BAUD)
    given = parser.parse_args(words)
    if given.command == "pack":
        pack(given.elf, given.packed)
    else:
        send(given.image, given.port, given.baud)


if __name__ == "__main__":
    main()
