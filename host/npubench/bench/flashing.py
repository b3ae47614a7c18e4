"""`flash`: image, upload, and the proof that the right firmware answers."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass

from npubench.bench.detect import Detected, detect_boards, find_port, probe_of
from npubench.bench.job import Job
from npubench.bench.prepare import Prepared, build_image, compile_network, read_network
from npubench.boards import Board
from npubench.connect.board import open_board
from npubench.core.errors import DeviceError, ToolError, ToolMissing, UsageError
from npubench.core.progress import Event, Reporter, step
from npubench.flash.upload import upload
from npubench.transport.failure import DeviceEnded, DeviceSilent
from npubench.wire.conversation import Timeouts
from npubench.wire.device import expect_firmware
from npubench.wire.failure import DeviceBabble, DeviceLate, RecordBroken, RecordLost

ATTEMPTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashOutcome:
    """A board that runs what was asked for, and the command that measures it."""

    board: str
    model: str
    port: str
    firmware: str
    build: str
    elf: str
    next_command: str

    def document(self) -> dict[str, object]:
        """The outcome as JSON values."""
        return asdict(self)


def flash_board(
    job: Job, *, port: str | None, probe_serial: str | None, reporter: Reporter
) -> FlashOutcome:
    """Build, upload and check a job's image.

    Raises DeviceError, with the image's path in the hint, when the board is not attached or when
    other firmware answers; ToolMissing when the upload tool is not installed.
    """
    if job.board.kind != "physical":
        raise UsageError(
            f"{job.board.id} is not a physical board: there is nothing to flash",
            hint=f"run it: npubench bench {job.model.id} --board {job.board.id}",
        )
    prepared = build_image(compile_network(read_network(job.model), job), job, reporter)
    try:
        found = find_port(job.board, port=port, probe_serial=probe_serial)
    except DeviceError as error:
        raise DeviceError(
            error.message,
            hint=f"{error.hint}; the image is ready: {prepared.firmware.elf}",
        ) from error
    probe = probe_of(job.board, found, probe_serial)
    console = found.port if isinstance(found, Detected) else found
    flash_and_check(job, prepared, port=console, probe_serial=probe, reporter=reporter)
    caps_build = prepared.compiled.project.sha256[:16]
    return FlashOutcome(
        board=job.board.id,
        model=job.model.id,
        port=console,
        firmware="npubench",
        build=caps_build,
        elf=str(prepared.firmware.elf),
        next_command=_next_command(job, console),
    )


def flash_and_check(
    job: Job, prepared: Prepared, *, port: str, probe_serial: str | None, reporter: Reporter
) -> None:
    """Upload an image, check by ``caps`` that it is the one that answers, and reset the board.

    Refuses a board that is another one, by the port's USB id and by what its present firmware says
    of itself. What fails is tried once more: a probe or a boot loader may have been busy.
    """
    check_port(job.board, port)
    with step(reporter, job.title, "check the board"):
        _refuse_other_board(job, port, reporter)
    for attempt in (1, ATTEMPTS):
        try:
            with step(reporter, job.title, "flash"):
                upload(prepared.firmware, job.board, probe_serial=probe_serial, port=port)
            with (
                step(reporter, job.title, "identify"),
                open_board(job.board, None, port=port, reporter=reporter, job=job.title) as target,
            ):
                expect_firmware(
                    target.device.caps(), artifact_sha256=prepared.compiled.plan.artifact_sha256
                )
                target.device.reset()
            return
        except (ToolMissing, UsageError):
            raise
        except (DeviceError, ToolError) as error:
            if attempt == ATTEMPTS:
                raise
            reporter.event(
                Event(job=job.title, step="flash", state="note", detail=f"again: {error.message}")
            )


def check_port(board: Board, port: str) -> None:
    """Raise DeviceError when the USB id of ``port`` belongs to other boards that we know."""
    for device in detect_boards():
        if device.port == port and board.id not in device.boards:
            raise DeviceError(
                f"{port} is USB {device.usb}: that is {' or '.join(device.boards)}, not {board.id}",
                hint="name the port of the board: npubench boards detect lists them",
            )


def _refuse_other_board(job: Job, port: str, reporter: Reporter) -> None:
    """A board that runs our firmware says which it is; one that says nothing may be new."""
    quick = Timeouts(
        short_silence_s=0.5, short_deadline_s=2.0, boot_silence_s=1.0, boot_deadline_s=3.0
    )
    try:
        with open_board(
            job.board, None, port=port, reporter=reporter, job=job.title, timeouts=quick
        ) as target:
            caps = target.device.caps()
    except (DeviceSilent, DeviceBabble, DeviceEnded, DeviceLate, RecordBroken, RecordLost):
        return
    if caps.proto and caps.board and caps.board != job.board.id:
        raise DeviceError(
            f"the board at {port} says it is {caps.board}, not {job.board.id}",
            hint="name the right port; if the firmware on it is wrong, erase the board first",
        )


def _next_command(job: Job, port: str) -> str:
    model = job.model.id if job.model.entry is not None else str(job.model.path)
    words = ["npubench", "bench", model, "--board", job.board.id]
    if job.backend != job.board.default_backend:
        words += ["--backend", job.backend]
    return shlex.join([*words, "--port", port, "--no-flash"])
