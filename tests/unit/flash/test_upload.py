"""Flashing: the exact command line, the probe by its serial number, each failure by its cause."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from npubench.boards import load_board
from npubench.build.firmware import Firmware, build_firmware
from npubench.core.errors import DeviceError, ToolError, ToolMissing, UsageError
from npubench.core.progress import Silent
from npubench.flash.upload import upload
from support.emitted import make_board, make_project, needs_arm

pytestmark = needs_arm
STAND_IN = """\
#!{python}
import json, os, pathlib, sys
image = pathlib.Path("image/firmware.elf").read_bytes()
pathlib.Path({log!r}).write_text(json.dumps([sys.argv[1:], len(image)]))
sys.stderr.write({message!r})
sys.exit({code})
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def firmware(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Firmware:
    monkeypatch.setenv("NPUBENCH_CACHE", str(cache))
    return build_firmware(make_project(), make_board(), reporter=Silent(), job="test")


class StandIn:
    """An openocd on PATH that notes its arguments and then does as told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "arguments.json"

    def install(self, *, message: str = "", code: int = 0) -> None:
        script = self._folder / "openocd"
        script.write_text(
            STAND_IN.format(python=sys.executable, log=str(self._log), message=message, code=code)
        )
        script.chmod(0o755)

    def called_with(self) -> tuple[list[str], int]:
        arguments, size = json.loads(self._log.read_text())
        return arguments, size


@pytest.fixture
def openocd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return StandIn(tmp_path)


def test_the_command_line_is_exactly_this(firmware: Firmware, openocd: StandIn) -> None:
    openocd.install()
    upload(firmware, make_board(), probe_serial="0672FF3731", port=None)
    assert openocd.called_with() == (
        [
            "-f",
            "board/test board.cfg",
            "-c",
            "adapter serial 0672FF3731",
            "-c",
            "program {image/firmware.elf} verify reset exit",
        ],
        firmware.elf.stat().st_size,
    )


def test_without_a_serial_number_the_probe_is_the_tools_choice(
    firmware: Firmware, openocd: StandIn
) -> None:
    openocd.install()
    upload(firmware, make_board(), probe_serial=None, port="/dev/ttyACM7")
    arguments, _ = openocd.called_with()
    assert not [word for word in arguments if "serial" in word or "ttyACM7" in word]


def test_uploading_leaves_the_cached_image_alone(firmware: Firmware, openocd: StandIn) -> None:
    openocd.install()
    folder = firmware.elf.parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    upload(firmware, make_board(), probe_serial=None, port=None)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "message",
    ["Error: open failed\n", "Error: unable to find a matching CMSIS-DAP device\n"],
)
def test_no_board_names_the_usb_ids_and_the_image(
    firmware: Firmware, openocd: StandIn, message: str
) -> None:
    openocd.install(message=message, code=1)
    with pytest.raises(DeviceError, match="0483:374b") as error:
        upload(firmware, make_board(), probe_serial="ABC", port=None)
    assert "serial ABC" in error.value.message
    assert str(firmware.elf) in error.value.hint


def test_a_probe_without_permission_is_said(firmware: Firmware, openocd: StandIn) -> None:
    openocd.install(message="Error: libusb_open() failed with LIBUSB_ERROR_ACCESS\n", code=1)
    with pytest.raises(DeviceError, match="no permission") as error:
        upload(firmware, make_board(), probe_serial=None, port=None)
    assert "udev" in error.value.hint


def test_another_failure_is_the_tools_own_words(firmware: Firmware, openocd: StandIn) -> None:
    openocd.install(message="** Verify Failed **\n", code=1)
    with pytest.raises(ToolError, match="Verify Failed") as error:
        upload(firmware, make_board(), probe_serial=None, port=None)
    assert str(firmware.elf) in error.value.hint


def test_an_unknown_protocol_is_named_with_the_known_ones(
    firmware: Firmware, openocd: StandIn, cache: Path
) -> None:
    del firmware, cache
    openocd.install()
    flash = make_board().flash
    assert flash is not None
    board = make_board().model_copy(
        update={"flash": flash.model_copy(update={"protocol": "smoke-signals"})}
    )
    built = build_firmware(make_project(board), board, reporter=Silent(), job="test")
    with pytest.raises(ToolError, match=r"smoke-signals.*known: .*openocd"):
        upload(built, board, probe_serial=None, port=None)


def test_a_missing_tool_names_its_package(
    firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="openocd") as error:
        upload(firmware, make_board(), probe_serial=None, port=None)
    assert "apt-get install openocd" in error.value.hint


@pytest.mark.parametrize("serial", ["", "a b", "x; shutdown", "[exec rm]", "é"])
def test_a_serial_number_cannot_carry_a_command(firmware: Firmware, serial: str) -> None:
    with pytest.raises(UsageError, match="serial number"):
        upload(firmware, make_board(), probe_serial=serial, port=None)


def test_a_board_without_flash_cannot_be_flashed(firmware: Firmware) -> None:
    with pytest.raises(UsageError, match="cannot be flashed"):
        upload(firmware, load_board("qemu-m4"), probe_serial=None, port=None)
