"""`flash`: image, upload, and the proof that the right firmware answers."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass

from npubench.bench.detect import Detected, find_port
from npubench.bench.job import Job
from npubench.bench.prepare import Prepared, build_image, compile_network, read_network
from npubench.core.errors import DeviceError, UsageError
from npubench.core.progress import Reporter, step
from npubench.flash.upload import upload
from npubench.link.device import expect_firmware
from npubench.link.target import open_target


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
    probe = found.serial_number if isinstance(found, Detected) else probe_serial
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
    """Upload an image and check by ``caps`` that it is the one that answers."""
    with step(reporter, job.title, "flash"):
        upload(prepared.firmware, job.board, probe_serial=probe_serial, port=port)
    with (
        step(reporter, job.title, "identify"),
        open_target(job.board, None, port=port, reporter=reporter, job=job.title) as target,
    ):
        expect_firmware(
            target.device.caps(), artifact_sha256=prepared.compiled.plan.artifact_sha256
        )


def _next_command(job: Job, port: str) -> str:
    model = job.model.id if job.model.entry is not None else str(job.model.path)
    words = ["npubench", "bench", model, "--board", job.board.id]
    if job.backend != job.board.default_backend:
        words += ["--backend", job.backend]
    return shlex.join([*words, "--port", port, "--no-flash"])
