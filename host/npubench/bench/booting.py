"""Boots an emulated board, or a board's model, and connects somebody with its console."""

from __future__ import annotations

from pathlib import Path

from npubench.bench.job import Job
from npubench.bench.prepare import build_image, compile_job, require_engine
from npubench.boards import Board
from npubench.connect.board import open_board
from npubench.connect.console import run_console
from npubench.connect.pty_bridge import run_bridge
from npubench.core.errors import UsageError
from npubench.core.progress import Reporter
from npubench.emulators.board_model.description import has_model, played


def boot_network(job: Job, *, pty: Path | None, reporter: Reporter) -> None:
    """Build a job's image, boot it, and talk to it until the user leaves: here, or on a pty under
    the name ``pty``. Raises UsageError for a physical board without a model."""
    board = job.board
    if board.kind == "physical" and not (has_model(board) or board.stand_in or board.hosted):
        raise UsageError(
            f"{board.id} is a physical board without a model: it cannot be booted here",
            hint=f"flash it: npubench flash {job.model.id} --board {board.id}",
        )
    compiled = compile_job(job, reporter=reporter)
    require_engine(compiled, on_model=board.kind == "physical" and not board.hosted)
    elf = build_image(compiled, job, reporter).firmware.elf
    converse_with(played(board), elf, title=job.title, pty=pty, reporter=reporter)


def converse_with(
    board: Board,
    image: Path,
    *,
    title: str,
    pty: Path | None,
    reporter: Reporter,
    foreign: bool = False,
) -> None:
    """Boot an image on a board that is played, and connect the terminal or a pty with it.
    ``foreign``: somebody else built it."""
    with open_board(
        board, image, port=None, reporter=reporter, job=title, foreign=foreign
    ) as target:
        if pty is not None:
            run_bridge(target, pty)
        else:
            run_console(target)
