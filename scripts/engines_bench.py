"""Print what each CPU engine takes on some networks, and how much of each gap is explained.

``python scripts/engines_bench.py folder``: every .tflite of the folder on qemu-m4 and qemu-m55, by
this project's kernels, TensorFlow Lite Micro with both sets of kernels, and CMSIS-NN. NPUBENCH_TFLM
names a checkout whose Makefile has fetched its third parties, NPUBENCH_CMSIS_NN one of CMSIS-NN.
Instructions of `infer`; every tensor is compared with TensorFlow Lite Micro's in the same run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BOARDS = ("qemu-m4", "qemu-m55")
ENGINES: dict[str, tuple[str, ...]] = {
    "npubench": ("--backend", "cpu"),
    "TFLM": ("--backend", "tflm", "--set", "tflm.kernels=reference"),
    "TFLM + CMSIS-NN": ("--backend", "tflm", "--set", "tflm.kernels=cmsis-nn"),
    "CMSIS-NN": ("--backend", "cmsis-nn"),
}


def npubench(*words: str) -> dict[str, Any]:
    """A verb's JSON. Ends the program with what went wrong."""
    argv = [str(Path(sys.executable).parent / "npubench"), *words, "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()[-500:]}")
    return document


def main() -> int:
    """Run all, print the two tables; 1 when an output is not the reference's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs-dir", type=Path, help="keep the runs there")
    arguments = parser.parse_args()
    wrong = 0
    heads = ("network", "board", *ENGINES, *(f"{name}, explained" for name in list(ENGINES)[1:]))
    lines = [heads]
    with tempfile.TemporaryDirectory(prefix="npubench-engines-") as name:
        runs = arguments.runs_dir or Path(name) / "runs"
        for model in sorted(arguments.folder.glob("*.tflite")):
            for board in BOARDS:
                records = {}
                for engine, words in ENGINES.items():
                    document = npubench(
                        "bench", str(model), "--board", board, *words, "--verify-layers",
                        "--runs-dir", str(runs), "--report", str(Path(name) / "report.html"),
                    )  # fmt: skip
                    (records[engine],) = document["runs"]
                    wrong += records[engine]["golden"]["status"] != "match"
                lines.append((model.stem, board, *_cells(records, runs)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        words = [word.ljust(width) for word, width in zip(line, widths, strict=True)]
        sys.stdout.write("  ".join(words).rstrip() + "\n")
    return 1 if wrong else 0


def _cells(records: dict[str, dict[str, Any]], runs: Path) -> list[str]:
    first = next(iter(records.values()))
    cells = []
    for record in records.values():
        infer = record["stages"].get("infer", {}).get("median")
        cells.append("-" if infer is None else f"{infer:,}")
    for record in list(records.values())[1:]:
        if record["status"] != "ok":
            cells.append("failed")
            continue
        words = ("compare", first["run_id"], record["run_id"], "--runs-dir", str(runs))
        gap = npubench(*words)["comparison"]["gap"]
        cells.append("-" if gap is None else f"{gap['explained_ratio'] or 0:.1%}")
    return cells


if __name__ == "__main__":
    sys.exit(main())
