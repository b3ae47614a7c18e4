"""Count which networks of a folder run here with TensorFlow Lite Micro's outputs.

``python scripts/network_coverage.py folder [--board native] [--list]``: every .tflite below it,
once by content. A network counts where TensorFlow Lite Micro runs it, all operators work on
integers, and it has three operators or more. Each is run whole, `npubench bench` on the board,
every tensor compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npubench.compiler.tflite.reader import read_tflite
from npubench.core.errors import NpubenchError
from npubench.golden.tflm import golden_outputs

LEAST_OPERATORS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one file. ``counts``: it is of those that the goal is about."""

    name: str
    counts: bool
    result: str
    why: str = ""


def judge(path: Path, board: str, folder: Path) -> Verdict:
    """Read it, ask TensorFlow Lite Micro, run it here."""
    data = path.read_bytes()
    try:
        graph = read_tflite(data, name=path.stem)
    except NpubenchError as error:
        return Verdict(name=path.name, counts=False, result="no int8 network", why=error.message)
    if len(graph.ops) < LEAST_OPERATORS:
        return Verdict(name=path.name, counts=False, result="fewer than three operators")
    try:
        golden_outputs(data, 1, inferences=graph.inferences)
    except Exception as error:  # a foreign interpreter may refuse in any way
        return Verdict(name=path.name, counts=False, result="TFLM does not run it", why=str(error))
    argv = [
        str(Path(sys.executable).parent / "npubench"), "bench", str(path), "--board", board,
        "--backend", "cpu", "--verify-layers", "--no-layers", "--json", "--runs-dir",
        str(folder / "runs"), "--report", str(folder / "report.html"),
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        (record,) = json.loads(done.stdout)["runs"]
    except (ValueError, KeyError):
        return Verdict(name=path.name, counts=True, result="failed", why=done.stderr[-200:])
    return _of_record(path.name, record)


def _of_record(name: str, record: dict[str, Any]) -> Verdict:
    golden = record["golden"]
    if record["status"] == "ok" and golden["status"] == "match":
        how = "equal" if golden["reference"] == "tflm" else "equal, by a second opinion"
        return Verdict(name=name, counts=True, result=how)
    why = (record.get("error") or {}).get("message") or golden.get("first_mismatch") or ""
    return Verdict(
        name=name,
        counts=True,
        result="differs" if golden["status"] == "mismatch" else "refused",
        why=str(why).splitlines()[0] if why else "",
    )


def main() -> int:
    """Judge all, print the count and what fell short; 1 when something did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", default="native")
    parser.add_argument("--list", action="store_true", help="every file, not only what fell short")
    arguments = parser.parse_args()
    files: dict[str, Path] = {}
    for path in sorted(arguments.folder.rglob("*.tflite")):
        files.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="npubench-networks-") as name:
        for path in files.values():
            verdicts.append(judge(path, arguments.board, Path(name)))
            sys.stderr.write(f"{verdicts[-1].result}: {path.name} {verdicts[-1].why[:120]}\n")
    counted = [verdict for verdict in verdicts if verdict.counts]
    good = [verdict for verdict in counted if verdict.result.startswith("equal")]
    for result, number in Counter(verdict.result for verdict in verdicts).most_common():
        sys.stdout.write(f"{number:5d}  {result}\n")
    sys.stdout.write(
        f"{len(good)} of {len(counted)} networks that TensorFlow Lite Micro runs on integers, with "
        f"{LEAST_OPERATORS} operators or more, run on {arguments.board} with its outputs"
        f" ({len(good) / max(len(counted), 1):.1%})\n"
    )
    for verdict in verdicts:
        short = verdict.counts and not verdict.result.startswith("equal")
        if arguments.list or short:
            sys.stdout.write(f"{verdict.result}: {verdict.name}: {verdict.why[:200]}\n")
    return 0 if len(good) == len(counted) else 1


if __name__ == "__main__":
    sys.exit(main())
