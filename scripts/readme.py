"""Renew what the README shows of the data: the table of boards.

Usage: python scripts/readme.py [--check]; with --check nothing is written and the exit code is 1
when the README is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

from npubench.boards import board_ids, load_board
from npubench.report.markdown import boards_table

README = Path(__file__).resolve().parents[1] / "README.md"


def with_section(text: str, name: str, body: str) -> str:
    """``text`` with ``body`` between the comments ``name:begin`` and ``name:end``."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"README.md has no section {name}")
    return f"{head}{begin}{body}{end}{tail}"


def main() -> int:
    text = README.read_text(encoding="utf-8")
    fresh = with_section(text, "boards", boards_table([load_board(name) for name in board_ids()]))
    if sys.argv[1:] == ["--check"]:
        return int(fresh != text)
    README.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
