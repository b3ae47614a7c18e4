"""Print what the CPU engine takes on the MLPerf Tiny reference networks, beside other engines.

``make kernels-bench MODELS=folder``: the folder holds the four int8 networks that MLCommons
publishes (mlcommons/tiny, benchmark/training/*/trained_models), by their own names. Every figure is
instructions of load, infer, unload and post on an emulated core; outputs, and with them every
operator's, are compared with TensorFlow Lite Micro's in the same run.

References, none of them ours: TFLM with CMSIS-NN (tflite-micro 90b983c2, CMSIS-NN 4ab83cc3, GCC
12.2, -O2 or -O3, whichever takes less), counted per Invoke in the same emulator; Bosch HALE and ST
X-CUBE-AI counted in the images that their submissions to MLPerf Tiny v1.1 and v1.2 publish for the
NUCLEO-L4R5ZI. Instructions are not cycles.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STAGES = ("load", "infer", "unload", "post")
BOARDS = ("qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55", "native")
DROP = ("--set", "cpu.dead-channels=drop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A network in one form, and millions of instructions of other engines."""

    name: str
    file: str
    tflm_m4: float | None
    hale: float | None
    cube: float | None
    tflm_m55: float | None
    options: tuple[str, ...] = ()


ROWS = (
    Row(name="kws", file="kws_ref_model.tflite", tflm_m4=7.697, hale=5.37, cube=4.33,
        tflm_m55=1.785),
    Row(name="vww", file="vww_96_int8.tflite", tflm_m4=24.10, hale=15.62, cube=None,
        tflm_m55=6.434),
    Row(name="vww, dead channels gone", file="vww_96_int8.tflite", tflm_m4=None, hale=None,
        cube=8.55, tflm_m55=None, options=DROP),
    Row(name="ic", file="pretrainedResnet_quant.tflite", tflm_m4=29.86, hale=16.73, cube=14.79,
        tflm_m55=4.811),
    Row(name="ad", file="ad01_int8.tflite", tflm_m4=0.582, hale=0.41, cube=0.46, tflm_m55=0.150),
)  # fmt: skip


def run(model: Path, board: str, options: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """The record of one run, every tensor compared."""
    argv = [
        str(Path(sys.executable).parent / "npubench"), "bench", str(model), "--board", board,
        "--backend", "cpu", "--verify-layers", "--no-layers", "--json", "--runs-dir",
        str(folder / "runs"), "--report", str(folder / "report.html"), *options,
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        (record,) = json.loads(done.stdout)["runs"]
    except (ValueError, KeyError):
        sys.exit(f"{model.name} on {board}: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = record
    return answer


def cell(record: dict[str, Any]) -> str:
    """Millions of instructions, or what is wrong."""
    if record["golden"]["status"] != "match":
        return "differs"
    if record["evidence"] != "counted":
        return "equal"
    return f"{sum(record['stages'][stage]['median'] for stage in STAGES) / 1e6:.3f}"


def main() -> int:
    """Run all, print the table; 1 when an output is not TFLM's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="folder with the four networks")
    folder = parser.parse_args().models
    missing = [row.file for row in ROWS if not (folder / row.file).is_file()]
    if missing:
        sys.exit(f"{folder} lacks {', '.join(missing)} (mlcommons/tiny, trained_models)")
    heads = ("network", "TFLM M4", "HALE M4", "CUBE M4", "TFLM M55", *BOARDS, "arena M4")
    lines = [heads]
    with tempfile.TemporaryDirectory(prefix="npubench-kernels-") as name:
        for row in ROWS:
            records = [run(folder / row.file, b, row.options, Path(name)) for b in BOARDS]
            others = (row.tflm_m4, row.hale, row.cube, row.tflm_m55)
            lines.append(
                (
                    row.name,
                    *("-" if value is None else f"{value:.3f}" for value in others),
                    *map(cell, records),
                    str(records[0]["memory"]["arena_bytes"]),
                )
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    sys.stdout.write("Millions of instructions per inference, load to post; arena in bytes\n")
    for line in lines:
        words = [line[0].ljust(widths[0])]
        words += [word.rjust(width) for word, width in zip(line[1:], widths[1:], strict=True)]
        sys.stdout.write("  ".join(words) + "\n")
    return 1 if any("differs" in line for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
