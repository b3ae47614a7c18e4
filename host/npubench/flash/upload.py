"""An image onto a physical board, through PlatformIO's upload target."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from npubench.boards import Board, Flash
from npubench.build.firmware import Firmware
from npubench.build.platformio import run_platformio
from npubench.core.errors import (
    DeviceError,
    NpubenchError,
    ToolError,
    ToolMissing,
    UsageError,
)
from npubench.core.tool import TAIL_CHARS, ToolResult

UPLOAD_TIMEOUT_S = 180.0
IMAGE_DIR = "image"
_SERIAL = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FORBIDDEN = re.compile(
    r"LIBUSB_ERROR_ACCESS|insufficient permissions|Permission denied", re.IGNORECASE
)
_ABSENT = re.compile(
    r"open failed|no device found|unable to find|No such device|LIBUSB_ERROR_NO_DEVICE|"
    r"unable to open|could not find|not found on port|init mode failed|no cmsis-dap|"
    # pyOCD, J-Link, picotool, esptool, kflash, LinkServer, STM32CubeProgrammer, ssh, XMODEM
    r"no available debug probes|no connected debug probes|cannot connect to j-link|"
    r"no accessible rp|failed to connect to esp|could not open|failed to connect to device|"
    r"no probes? (?:detected|found)|no debug probe detected|no stm32 target found|"
    r"could not resolve hostname|connection refused|no route to host|^connection.* timed out|"
    r"no receiver called|no serial port is named",
    re.IGNORECASE | re.MULTILINE,
)
_MISSING = re.compile(r"^Error: (\S+) is not installed: (.+)$", re.MULTILINE)
_REASON = re.compile(r"^(?:Error|Warn|\*\* |ssh:|Connection|.*\bERROR\b).*$", re.MULTILINE)
_DEBIAN = re.compile(r"[a-z0-9][a-z0-9.+-]*(?: [a-z0-9][a-z0-9.+-]*)*")


def upload(firmware: Firmware, board: Board, *, probe_serial: str | None, port: str | None) -> None:
    """Write an image to a board's flash, verify it and reset the board.

    ``probe_serial`` selects the debug probe; without it the tool takes the only one there is.
    Raises ToolMissing when the upload tool is not installed, DeviceError when no board answers (the
    image's path is in the hint), ToolError when the tool fails for another reason.
    """
    if board.flash is None:
        raise UsageError(f"{board.id} cannot be flashed: its board.toml has no [flash]")
    if probe_serial is not None and not _SERIAL.fullmatch(probe_serial):
        raise UsageError(
            f"not a probe's serial number: {probe_serial!r}",
            hint="npubench boards detect lists what is attached",
        )
    find_upload_tool(board.flash)
    with tempfile.TemporaryDirectory(prefix="npubench-upload-") as scratch:
        project = Path(scratch) / "project"
        shutil.copytree(firmware.project_dir, project)
        (project / IMAGE_DIR).mkdir()
        for kind in ("elf", "bin", "hex"):
            image = firmware.elf.with_suffix(f".{kind}")
            if image.is_file():
                shutil.copy2(image, project / IMAGE_DIR / image.name)
        words = ["run", "--target", "nobuild", "--target", "upload"]
        if port is not None:
            words += ["--upload-port", port]
        result = run_platformio(
            words,
            project=project,
            timeout_s=UPLOAD_TIMEOUT_S,
            check=False,
            extra_env={
                "NPUBENCH_PROBE_SERIAL": probe_serial or "",
                "NPUBENCH_IMAGE_DIR": IMAGE_DIR,
            },
        )
    if result.code != 0:
        raise _failure(result, firmware, board, board.flash, probe_serial)


def find_upload_tool(flash: Flash) -> Path:
    """The upload tool's path. Raises ToolMissing, saying how this one is obtained."""
    found = shutil.which(flash.tool)
    if found is not None:
        return Path(found)
    by_apt = _DEBIAN.fullmatch(flash.package) is not None
    raise ToolMissing(
        f"{flash.tool} is not installed",
        argv=(flash.tool,),
        hint=f"install it: apt-get install {flash.package}" if by_apt else f"get {flash.package}",
    )


def _failure(
    result: ToolResult, firmware: Firmware, board: Board, flash: Flash, probe_serial: str | None
) -> NpubenchError:
    output = f"{result.stdout}\n{result.stderr}"
    reasons = [line.strip() for line in _REASON.findall(output)]
    reason = "; ".join(dict.fromkeys(reasons[-3:])) or f"exit code {result.code}"
    image = f"the image is ready: {firmware.elf}"
    probe = f"USB {', '.join(flash.probe_usb) or 'any probe'}"
    if flash.protocol == "ssh":
        probe = f"{flash.arguments[-1]} over ssh"
    if probe_serial:
        probe += f", serial {probe_serial}"
    missing = _MISSING.search(output)
    if missing is not None:
        return ToolMissing(
            f"{missing[1]} is not installed", argv=(missing[1],), hint=f"get it: {missing[2]}"
        )
    if _FORBIDDEN.search(output):
        return DeviceError(
            f"no permission for the debug probe of {board.id} ({probe})",
            hint=f"install {flash.tool}'s udev rules and plug the board in again; {image}",
        )
    if _ABSENT.search(output):
        return DeviceError(
            f"no {board.id} is attached: looked for {probe} ({reason})",
            hint=f"attach the board and run the command again; {image}",
        )
    return ToolError(
        f"{flash.tool} failed on {board.id}: {reason}",
        argv=result.argv,
        code=result.code,
        tail=output[-TAIL_CHARS:],
        hint=image,
    )
