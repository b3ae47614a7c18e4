"""Renew what the texts show of the data: the table of boards in README.md, the matrix of boards in
docs/boards.md.

Usage: python scripts/readme.py [--check]; with --check nothing is written and the exit code is 1
when a text is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from npubench.boards import board_ids, load_board
from npubench.report.board_matrix import matrix, zoo_networks
from npubench.report.markdown import boards_table

CHECKOUT = Path(__file__).resolve().parents[1]


def with_section(text: str, name: str, body: str) -> str:
    """``text`` with ``body`` between the comments ``name:begin`` and ``name:end``."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"there is no section {name}")
    return f"{head}{begin}{body}{end}{tail}"


def main() -> int:
    boards = [load_board(name) for name in board_ids()]
    sections = (
        ("README.md", "boards", boards_table(boards)),
        ("docs/boards.md", "matrix", matrix(boards, zoo_networks(load_board("native")))),
    )
    stale = 0
    for name, section, body in sections:
        path = CHECKOUT / name
        text = path.read_text(encoding="utf-8")
        fresh = with_section(text, section, body)
        stale |= fresh != text
        if sys.argv[1:] != ["--check"]:
            path.write_text(fresh, encoding="utf-8")
    return int(stale) if sys.argv[1:] == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main())
