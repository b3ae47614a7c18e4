"""The empty firmware of a board: start-up and an endless loop, to set gross figures beside."""

from __future__ import annotations

from npubench.boards import Board
from npubench.compiler.emit.config import empty_config_header
from npubench.compiler.emit.identity import Identity
from npubench.compiler.emit.project import (
    Project,
    about_of,
    content_sha256,
    emitted_base,
    finish_project,
)
from npubench.compiler.emit.render import render
from npubench.compiler.emit.sources import hal_files, include_files, platform_files


def render_baseline(board: Board) -> Project:
    """The project of a board's empty firmware."""
    identity = Identity(
        model_id="empty", mlperf_id=None, mlperf_input="int8", mlperf_result="scores", version="0"
    )
    about = about_of(board, "none", identity, 0)
    files = include_files() | hal_files(board) | platform_files() | emitted_base(board, about)
    files["include/nb_config.h"] = render("header.h.j2", empty_config_header())
    files["src/harness/nb_empty.c"] = render("nb_empty.c.j2", about)
    return finish_project(files, board, graph=None, plan=None, sha256=content_sha256(files))
