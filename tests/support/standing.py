"""The matrix of boards, held to what a run's record really has."""

from __future__ import annotations

from pathlib import Path

from npubench.boards import load_board
from npubench.report.platform import energy_of, given_by, time_of
from npubench.runs.store import read_run


def assert_as_told(run_dir: str | Path) -> None:
    """The kinds of evidence of time and of energy are those that the matrix tells of the board."""
    record = read_run(Path(run_dir)).record
    board = load_board(record.board)
    assert given_by(record) == (time_of(board).kind, energy_of(board).kind), record.target
