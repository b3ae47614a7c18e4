"""A job's image onto its board: for `flash`, which then says what measures it, and for a run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from npubench.bench.job import Job, Settings
from npubench.bench.prepare import Prepared, build_image, compile_job
from npubench.boards import load_board
from npubench.connect.board import open_board
from npubench.core.errors import UsageError
from npubench.core.progress import Reporter, step
from npubench.desk.client import Desk
from npubench.flash.check import flash_and_check
from npubench.flash.detect import Detected, find_port, probe_of
from npubench.target import Place
from npubench.wire.identity import expect_firmware


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


def require_boards(jobs: Sequence[Job], settings: Settings) -> None:
    """Look for every physical board before anything is compiled or built.

    Raises DeviceError or UsageError, as find_port does, when a board of the command is not there.
    """
    here = [job for job in jobs if job.target.place is Place.PHYSICAL]
    for board in {job.board.id: job.board for job in here}.values():
        find_port(board, port=settings.port, probe_serial=settings.probe_serial)


def flash_board(
    job: Job, *, port: str | None, probe_serial: str | None, reporter: Reporter
) -> FlashOutcome:
    """Build, upload and check a job's image.

    Raises DeviceError when the board is not attached, before anything is built, and with the
    image's path in the hint when other firmware answers; ToolMissing when the upload tool is not
    installed.
    """
    if job.board.kind != "physical":
        raise UsageError(
            f"{job.board.id} is not a physical board: there is nothing to flash",
            hint=f"run it: npubench bench {job.model.id} --board {job.board.id}",
        )
    found = find_port(job.board, port=port, probe_serial=probe_serial)
    prepared = build_image(compile_job(job, reporter=reporter), job, reporter)
    console = _flash(job, prepared, found, probe_serial, reporter)
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


def ready_board(job: Job, prepared: Prepared, settings: Settings, reporter: Reporter) -> str:
    """Find the board's one port, here or at a desk, and, unless told not to, flash and check it.
    Gives the port."""
    desk = settings.desk
    if desk is not None:
        return _flash_at(desk, job, prepared, settings, reporter)
    found = find_port(job.board, port=settings.port, probe_serial=settings.probe_serial)
    if not settings.flash:
        return _port_of(found)
    return _flash(job, prepared, found, settings.probe_serial, reporter)


def ask_board(job: Job, artifact_sha256: str, settings: Settings, reporter: Reporter) -> None:
    """Ask a board that will not be flashed whether it runs this network, before anything is built.

    Raises WrongFirmware when other firmware answers, DeviceError when nothing does.
    """
    port = settings.port
    if job.board.kind == "physical":
        if settings.flash:
            return
        if settings.desk is not None:
            port = settings.desk.console
        else:
            found = find_port(job.board, port=port, probe_serial=settings.probe_serial)
            port = _port_of(found)
    if port is None:
        return
    with (
        step(reporter, job.title, "ask the board"),
        open_board(job.board, None, port=port, reporter=reporter, job=job.title) as target,
    ):
        expect_firmware(target.device.caps(), artifact_sha256=artifact_sha256)


def _flash_at(
    desk: Desk, job: Job, prepared: Prepared, settings: Settings, reporter: Reporter
) -> str:
    """The image onto the board of a place, by the hands at its desk. An emulated one takes it as
    it is, and the session's first question is whether it answers."""
    if not settings.flash:
        return desk.console
    if job.board.kind != "physical":
        with step(reporter, job.title, "flash", f"at {desk.place}"):
            desk.upload(job.board, prepared.firmware)
        return desk.console
    flash_and_check(
        job.board,
        prepared.firmware,
        artifact_sha256=prepared.compiled.plan.artifact_sha256,
        port=desk.console,
        probe_serial=None,
        reporter=reporter,
        title=job.title,
        put=lambda: desk.upload(job.board, prepared.firmware),
    )
    return desk.console


def _flash(
    job: Job,
    prepared: Prepared,
    found: Detected | str,
    probe_serial: str | None,
    reporter: Reporter,
) -> str:
    port = _port_of(found)
    flash_and_check(
        job.board,
        prepared.firmware,
        artifact_sha256=prepared.compiled.plan.artifact_sha256,
        port=port,
        probe_serial=probe_of(job.board, found, probe_serial),
        reporter=reporter,
        title=job.title,
    )
    return port


def _port_of(found: Detected | str) -> str:
    return found.port if isinstance(found, Detected) else found


def _next_command(job: Job, port: str) -> str:
    model = job.model.id if job.model.entry is not None else str(job.model.path)
    words = ["npubench", "bench", model, "--board", job.board.id]
    if job.backend != job.board.default_backend:
        words += ["--backend", job.backend]
    if job.model.benchmark is not None:
        words += ["--mlperf", job.model.benchmark.model]
    if job.board.console.baud != load_board(job.board.id).console.baud:
        words += ["--baud", str(job.board.console.baud)]
    for name, value in job.options:
        words += ["--set", f"{job.backend}.{name}={value}"]
    return shlex.join([*words, "--port", port, "--no-flash"])
