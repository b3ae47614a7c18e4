"""Renew the table of docs/vendor-npus.md: what vendors' simulators gave, by stored runs.

Usage: python scripts/simulators.py RUNS...; folders of runs. Of each network and target the newest
run of the last folder that has one is told.
"""

from __future__ import annotations

import sys
from pathlib import Path

from npubench.report.simulators import simulators_table
from npubench.runs.store import list_runs

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/vendor-npus.md"
BEGIN, END = "<!-- simulators:begin -->\n", "<!-- simulators:end -->"


def main() -> int:
    if not sys.argv[1:]:
        raise SystemExit(__doc__)
    runs = [run for name in sys.argv[1:] for run in list_runs(Path(name)).runs]
    text = DOCUMENT.read_text(encoding="utf-8")
    head, found_begin, rest = text.partition(BEGIN)
    _, found_end, tail = rest.partition(END)
    if not (found_begin and found_end):
        raise SystemExit(f"{DOCUMENT.name} has no section simulators")
    DOCUMENT.write_text(f"{head}{BEGIN}{simulators_table(runs)}{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
