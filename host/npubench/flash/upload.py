"""An image onto a physical board, through PlatformIO's upload target."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from npubench.boards import Board, Flash
from npubench.build.firmware import Firmware
from npubench.build.platformio import run_platformio
from npubench.core.errors import DeviceError, NpubenchError, ToolError, UsageError
from npubench.core.tool import TAIL_CHARS, ToolResult, find_tool

UPLOAD_TIMEOUT_S = 180.0
IMAGE_DIR = "image"
_SERIAL = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FORBIDDEN = re.compile(
    r"LIBUSB_ERROR_ACCESS|insufficient permissions|Permission denied", re.IGNORECASE
)
_ABSENT = re.compile(
    r"open failed|no device found|unable to find|No such device|LIBUSB_ERROR_NO_DEVICE|"
    r"unable to open|could not find|not found on port|init mode failed|no cmsis-dap",
    re.IGNORECASE,
)
_REASON = re.compile(r"^(?:Error|Warn|\*\*).*$", re.MULTILINE)


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
    find_tool(board.flash.tool, package=board.flash.package)
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


def _failure(
    result: ToolResult, firmware: Firmware, board: Board, flash: Flash, probe_serial: str | None
) -> NpubenchError:
    output = f"{result.stdout}\n{result.stderr}"
    reasons = [line.strip() for line in _REASON.findall(output)]
    reason = "; ".join(dict.fromkeys(reasons[-3:])) or f"exit code {result.code}"
    image = f"the image is ready: {firmware.elf}"
    probe = f"USB {', '.join(flash.probe_usb) or 'any probe'}"
    if probe_serial:
        probe += f", serial {probe_serial}"
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
