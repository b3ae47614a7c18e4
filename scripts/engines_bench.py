"""Print what each CPU engine takes on some networks, and how much of each gap is explained.

``python scripts/engines_bench.py FOLDER --runs-dir runs``: every .tflite of the folder on qemu-m4
and qemu-m55, by this project's kernels, TensorFlow Lite Micro with both sets of kernels, and
CMSIS-NN. NPUBENCH_TFLM names a checkout whose Makefile has fetched its third parties,
NPUBENCH_CMSIS_NN one of CMSIS-NN. Instructions of `infer`; every tensor is compared with TensorFlow
Lite Micro's in the same run. A run that the folder of runs holds already is taken from there, so
the table can be made in pieces. ``--known``: counts to hold TensorFlow Lite Micro's against.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path

from npubench.runs.gap import explain_gap
from npubench.runs.gap_sources import changed_sources
from npubench.runs.reader import StoredRun, list_runs

BOARDS = ("qemu-m4", "qemu-m55")
ENGINES: dict[str, tuple[str, dict[str, str]]] = {
    "npubench": ("cpu", {}),
    "CMSIS-NN": ("cmsis-nn", {}),
    "TFLM + CMSIS-NN": ("tflm", {"kernels": "cmsis-nn"}),
    "TFLM reference": ("tflm", {"kernels": "reference"}),
}
LIMIT_RATIO = 1e-3
Key = tuple[str, str, str]
Line = tuple[str, ...]


def main() -> int:
    """Run what is not there yet, print the tables; 1 when an output is not the reference's, or a
    count is farther than 0.1 % from the known one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs-dir", type=Path, required=True, help="keep the runs there")
    parser.add_argument("--board", action="append", choices=BOARDS)
    parser.add_argument("--engine", action="append", choices=tuple(ENGINES))
    parser.add_argument("--known", type=Path, help="a table as tests/data/engines/tflm_counts.csv")
    parser.add_argument("--print-only", action="store_true", help="run nothing")
    given = parser.parse_args()
    boards, engines = given.board or BOARDS, given.engine or tuple(ENGINES)
    models = {path: _sha256(path) for path in sorted(given.folder.glob("*.tflite"))}
    found = _found(given.runs_dir)
    for path, board, engine in itertools.product(models, boards, engines):
        if (models[path], board, engine) not in found and not given.print_only:
            _run(path, board, engine, given.runs_dir)
    found = _found(given.runs_dir)
    known = {} if given.known is None else _known(given.known)
    wrong = [
        f"{key[1]}, {key[2]}: outputs differ"
        for key, run in found.items()
        if key[0] in models.values() and run.record.golden.status != "match"
    ]
    counts, setups, gaps = [], [], []
    for path, board in itertools.product(models, boards):
        runs = {engine: found.get((models[path], board, engine)) for engine in engines}
        counts.append((path.stem, board, *(_infer(run) for run in runs.values())))
        for engine, run in runs.items():
            if run is not None and run.record.backend == "tflm":
                wanted = known.get((models[path], board, engine))
                setups.append((path.stem, board, engine, *_setup(run, wanted, wrong)))
        pairs = [(name, run) for name, run in runs.items() if run is not None]
        for (left, a), (right, b) in itertools.combinations(pairs, 2):
            gaps.append((path.stem, board, f"{left} → {right}", *_gap(a, b)))
    _table(("network", "board", *engines), counts)
    _table(
        ("network", "board", "engine", "infer", "known", "off", "set-up", "known", "arena"), setups
    )
    _table(("network", "board", "gap", "difference", "explained", "heaviest part"), gaps)
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    return 1 if wrong else 0


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(path: Path, board: str, engine: str, runs: Path) -> None:
    """One run; what goes wrong is told, and the table has an empty cell."""
    backend, options = ENGINES[engine]
    words = [
        word for name, value in options.items() for word in ("--set", f"{backend}.{name}={value}")
    ]
    argv = [
        str(Path(sys.executable).parent / "npubench"), "bench", str(path), "--board", board,
        "--backend", backend, *words, "--verify-layers", "--runs-dir", str(runs), "--report",
        os.devnull,
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"{' '.join(argv[1:])}: {done.stderr.strip()[-500:]}\n")


def _found(runs: Path) -> dict[Key, StoredRun]:
    """The latest whole run of each network, board and engine."""
    found: dict[Key, StoredRun] = {}
    for run in list_runs(runs).runs:
        record = run.record
        options = {name: value for name, value in record.options.items() if name != "path"}
        for engine, (backend, wanted) in ENGINES.items():
            if record.status == "ok" and (record.backend, options) == (backend, wanted):
                found[record.model.network_sha256, record.board, engine] = run
    return found


def _known(path: Path) -> dict[Key, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        names = {options.get("kernels"): engine for engine, (_, options) in ENGINES.items()}
        return {
            (row["network_sha256"], row["board"], names[row["kernels"]]): row
            for row in csv.DictReader(file)
        }


def _infer(run: StoredRun | None) -> str:
    value = None if run is None else run.record.stages["infer"].median
    return "" if value is None else f"{value:,}"


def _setup(run: StoredRun, known: dict[str, str] | None, wrong: list[str]) -> Line:
    """An interpreter's count beside the known one, its set-up, and the arena that it uses."""
    record = run.record
    infer, cold = record.stages["infer"].median, record.stages["init_cold"].median
    arena = "" if record.memory is None else f"{record.memory.arena_bytes:,}"
    if known is None or infer is None:
        return (_infer(run), "", "", f"{cold:,}", "", arena)
    off = infer / int(known["instructions"]) - 1
    if abs(off) > LIMIT_RATIO:
        wrong.append(f"{record.target}: {infer:,} are {off:+.3%} from the known count")
    return (
        _infer(run), f"{int(known['instructions']):,}", f"{1e6 * off:+.0f} ppm", f"{cold:,}",
        f"{int(known['setup_instructions']):,}", arena,
    )  # fmt: skip


def _gap(a: StoredRun, b: StoredRun) -> Line:
    gap = explain_gap(a.record, b.record, changed=changed_sources(a, b))
    if gap is None or gap.explained_ratio is None:
        return ("", "", "")
    part = gap.parts[0]
    heaviest = f"{part.cause}: {part.what.partition(':')[0]}, {part.share_ratio:.1%}"
    return (f"{round(gap.amount):+,}", f"{gap.explained_ratio:.2%}", heaviest)


def _table(heads: Line, lines: list[Line]) -> None:
    """One table as the documentation has it."""
    for line in (heads, ("---",) * len(heads), *lines):
        sys.stdout.write(f"| {' | '.join(line)} |\n")
    sys.stdout.write("\n")


if __name__ == "__main__":
    sys.exit(main())
