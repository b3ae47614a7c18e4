"""Make the repository of results that ships with the project, `results/`, anew.

Usage: python scripts/results.py [--runs-dir FOLDER]

Benches BENCHES from a clean checkout, so that each run names a commit that anybody can get, puts
them in place of the archives that are there, writes the page and checks the whole. What is in
`results/results.toml` (title, licences, what was not run) is kept. Takes a few minutes.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from npubench.core.version import git_state
from npubench.results.check import check_repository
from npubench.results.leaderboard import write_leaderboard
from npubench.results.repository import FOLDER, add_run
from npubench.runs.store import list_runs

CHECKOUT = Path(__file__).resolve().parents[1]
REPOSITORY = CHECKOUT / "results"
MODELS = ("digits", "kws", "ic")
BENCHES = (
    ("--board", "qemu-m4"),
    ("--board", "qemu-m55"),
    ("--board", "qemu-m55-u55", "--backend", "ethos-u", "--backend", "cpu"),
    ("--board", "nucleo-l4r5zi", "--on-model"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs-dir", default="runs/for-results", help="where the runs are made")
    runs_dir = Path(parser.parse_args().runs_dir)
    state = git_state()
    if state is None or state.endswith("-dirty"):
        raise SystemExit(f"the checkout is {state or 'not under git'}: commit first")
    if runs_dir.exists() and any(runs_dir.iterdir()):
        raise SystemExit(f"{runs_dir} is not empty: these would be added, too")
    program = str(Path(sys.executable).with_name("npubench"))
    for words in BENCHES:
        command = [program, "bench", *MODELS, *words, "--runs-dir", str(runs_dir)]
        subprocess.run(command, check=True)
    shutil.rmtree(REPOSITORY / FOLDER, ignore_errors=True)
    for run in list_runs(runs_dir).runs:
        added = add_run(REPOSITORY, run)
        sys.stdout.write(f"{added.archive.relative_to(CHECKOUT)}\n")
    write_leaderboard(REPOSITORY)
    outcome = check_repository(REPOSITORY)
    for mistake in (*outcome.mistakes, *outcome.partial):
        sys.stderr.write(f"{mistake.archive}: {mistake.what}\n")
    sys.stdout.write(f"{outcome.count} results of {state}, {len(outcome.mistakes)} mistakes\n")
    return int(not outcome.ok)


if __name__ == "__main__":
    sys.exit(main())
