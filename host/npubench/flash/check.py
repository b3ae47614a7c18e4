"""An image is uploaded, and the proof is asked for that it is the one that answers."""

from __future__ import annotations

from collections.abc import Callable

from npubench.boards import Board
from npubench.build.firmware import Firmware
from npubench.connect.board import open_board
from npubench.core.errors import DeviceError, ToolError, ToolMissing, UsageError
from npubench.core.progress import Event, Reporter, step
from npubench.flash import findings
from npubench.flash.detect import detect_boards
from npubench.flash.upload import upload
from npubench.transport.failure import DeviceEnded, DeviceSilent
from npubench.wire.conversation import Timeouts
from npubench.wire.failure import DeviceBabble, DeviceLate, RecordBroken, RecordLost
from npubench.wire.identity import expect_firmware

ATTEMPTS = 2


def flash_and_check(
    board: Board,
    firmware: Firmware,
    *,
    artifact_sha256: str,
    port: str,
    probe_serial: str | None,
    reporter: Reporter,
    title: str,
    put: Callable[[], None] | None = None,
) -> None:
    """Upload an image, check by ``caps`` that it is the one that answers, and reset the board.

    ``artifact_sha256``: of the network that the image holds; ``title`` names the work in events;
    ``put``: what uploads it, where the board does not hang on this machine.

    Refuses a board that is another one, by the port's USB id and by what its present firmware says
    of itself. What fails is tried once more: a probe or a boot loader may have been busy.
    """
    if put is None:
        check_port(board, port)
    with step(reporter, title, "check the board"):
        _refuse_other_board(board, port, reporter, title)
    for attempt in (1, ATTEMPTS):
        try:
            with step(reporter, title, "flash"):
                if put is None:
                    upload(firmware, board, probe_serial=probe_serial, port=port)
                else:
                    put()
            with (
                step(reporter, title, "identify"),
                open_board(board, None, port=port, reporter=reporter, job=title) as target,
            ):
                expect_firmware(target.device.caps(), artifact_sha256=artifact_sha256)
                target.device.reset()
            return
        except (ToolMissing, UsageError):
            raise
        except (DeviceError, ToolError) as error:
            if attempt == ATTEMPTS:
                raise
            reporter.event(
                Event(job=title, step="flash", state="note", detail=f"again: {error.message}")
            )


def check_port(board: Board, port: str) -> None:
    """Raise DeviceError when the USB id of ``port`` belongs to other boards that we know."""
    for device in detect_boards():
        if device.port == port and board.id not in device.boards:
            raise findings.OTHER_USB.found(
                port=port, usb=device.usb, boards=" or ".join(device.boards), board=board.id
            ).error(DeviceError)


def _refuse_other_board(board: Board, port: str, reporter: Reporter, title: str) -> None:
    """A board that runs our firmware says which it is; one that says nothing may be new."""
    quick = Timeouts(
        short_silence_s=0.5, short_deadline_s=2.0, boot_silence_s=1.0, boot_deadline_s=3.0
    )
    try:
        with open_board(
            board, None, port=port, reporter=reporter, job=title, timeouts=quick
        ) as target:
            caps = target.device.caps()
    except (DeviceSilent, DeviceBabble, DeviceEnded, DeviceLate, RecordBroken, RecordLost):
        return
    if caps.proto and caps.board and caps.board != board.id:
        raise findings.OTHER_BOARD.found(port=port, says=caps.board, board=board.id).error(
            DeviceError
        )
