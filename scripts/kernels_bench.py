"""Print what the CPU engine takes on the MLPerf Tiny reference networks, beside other engines.

``make kernels-bench MODELS=folder``: the folder holds the four int8 networks that MLCommons
publishes (mlcommons/tiny, benchmark/training/*/trained_models), by their own names. Every figure is
instructions of load, infer, unload and post on an emulated core; outputs, and with them every
operator's, are compared with TensorFlow Lite Micro's in the same run.

References, none of them ours: TFLM with CMSIS-NN (tflite-micro 90b983c2, CMSIS-NN 4ab83cc3, GCC
12.2, -O2 or -O3, whichever takes less), counted per Invoke in the same emulator; Bosch HALE and ST
X-CUBE-AI counted in the images that their submissions to MLPerf Tiny v1.1 and v1.2 publish for the
NUCLEO-L4R5ZI.

Instructions are not cycles. A second table tells cycles on five parts: ours by the cycle model
(docs/fidelity.md), HALE's and X-CUBE-AI's as they were published for an image (its best release)
and by the same model from the same image's counts, Plumerai's as published (no image can be read).
"less": our modelled cycles against the fewest of another image by the same model, beside how far
such a ratio is off at worst on that part. X-CUBE-AI's vww evidently drops dead channels, HALE's
does not; of Plumerai's it is not known. The Cortex-M0+ runs the portable kernels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from npubench.cycles.images import load_images
from npubench.cycles.weights import cycles_range, load_weights
from npubench.published import Choice, plain_name
from npubench.published import published as published_results

STAGES = ("load", "infer", "unload", "post")
BOARDS = ("qemu-m4", "qemu-m7", "qemu-m33", "qemu-m55", "native")
DROP = ("--set", "cpu.dead-channels=drop")
PARTS = {
    "nucleo-l4r5zi": "STM32L4R5ZI",
    "nucleo-u575zi-q": "STM32U575ZI",
    "nucleo-h7a3zi-q": "STM32H7A3ZI",
    "disco-f746ng": "STM32F746NG",
    "nucleo-g0b1re": "STM32G0B1RE",
}
ENGINES = {"ST X-CUBE-AI": "CUBE", "Bosch HALE": "HALE"}
"""As the list of published images names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A network in one form, and millions of instructions of other engines."""

    name: str
    file: str
    benchmark: str
    tflm_m4: float | None
    hale: float | None
    cube: float | None
    tflm_m55: float | None
    options: tuple[str, ...] = ()


ROWS = (
    Row(
        name="kws",
        file="kws_ref_model.tflite",
        benchmark="kws",
        tflm_m4=7.697,
        hale=5.37,
        cube=4.33,
        tflm_m55=1.785,
    ),
    Row(
        name="vww",
        file="vww_96_int8.tflite",
        benchmark="vww",
        tflm_m4=24.10,
        hale=15.62,
        cube=None,
        tflm_m55=6.434,
    ),
    Row(
        name="vww, dead channels gone",
        file="vww_96_int8.tflite",
        benchmark="vww",
        tflm_m4=None,
        hale=None,
        cube=8.55,
        tflm_m55=None,
        options=DROP,
    ),
    Row(
        name="ic",
        file="pretrainedResnet_quant.tflite",
        benchmark="ic",
        tflm_m4=29.86,
        hale=16.73,
        cube=14.79,
        tflm_m55=4.811,
    ),
    Row(
        name="ad",
        file="ad01_int8.tflite",
        benchmark="ad",
        tflm_m4=0.582,
        hale=0.41,
        cube=0.46,
        tflm_m55=0.150,
    ),
)


def run(model: Path, board: str, options: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """The record of one run, every tensor compared."""
    argv = [
        str(Path(sys.executable).parent / "npubench"), "bench", str(model), "--board", board,
        "--backend", "cpu", "--verify-layers", "--no-layers", "--json", "--runs-dir",
        str(folder / "runs"), "--report", str(folder / "report.html"), *options,
        *(("--on-model",) if board in PARTS else ()),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Other engines on a part, millions of cycles: as published and, of images, as modelled."""

    published: dict[str, float]
    modelled: dict[str, float]


def others(part: str, row: Row) -> Others:
    """The best of each engine. An image that drops dead channels is beside ours that do."""
    published: dict[str, float] = {}
    modelled: dict[str, float] = {}
    weights = load_weights()[part]
    for image in load_images():
        name = ENGINES.get(image.engine)
        if name is None or image.part != part or image.benchmark != row.benchmark:
            continue
        if row.benchmark == "vww" and (name == "CUBE") != bool(row.options):
            continue
        if image.counts and image.published_cycles < published.get(name, inf):
            published[name] = image.published_cycles
            modelled[name] = cycles_range(weights, image.counts).mid
    for result in published_results(Choice(submitter="plumerai", network=row.benchmark)):
        board = result.result.board
        if result.cycles and plain_name(board) in map(plain_name, PARTS) and part[5:9] in board:
            published["Plumerai"] = min(result.cycles, published.get("Plumerai", inf))
    return Others(published=published, modelled=modelled)


def cycles_line(board: str, row: Row, record: dict[str, Any]) -> tuple[str, ...]:
    """A network on a part."""
    other = others(PARTS[board], row)
    cycles = record["stages"]["end_to_end"]["cycles"]
    ours = cycles["mid"]
    least = min(other.modelled.values(), default=None)
    cells = [board, row.name, cell(record)]
    for name in ENGINES.values():
        cells += [millions(other.published.get(name)), millions(other.modelled.get(name))]
    return (
        *cells,
        millions(other.published.get("Plumerai")),
        f"{millions(ours)} ({millions(cycles['low'])} to {millions(cycles['high'])})",
        "-" if least is None else f"{100 * (1 - ours / least):.1f} %",
        f"{cycles['ratio_pct']:.1f} %",
    )


def millions(value: float | None) -> str:
    """Of cycles; a dash for what is not known."""
    return "-" if value is None else f"{value / 1e6:.3f}"


def write(title: str, lines: list[tuple[str, ...]]) -> None:
    """A table, its first line the heads."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    sys.stdout.write(title + "\n")
    for line in lines:
        words = [line[0].ljust(widths[0])]
        words += [word.rjust(width) for word, width in zip(line[1:], widths[1:], strict=True)]
        sys.stdout.write("  ".join(words) + "\n")


def main() -> int:
    """Run all, print the table; 1 when an output is not TFLM's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="folder with the four networks")
    folder = parser.parse_args().models
    missing = [row.file for row in ROWS if not (folder / row.file).is_file()]
    if missing:
        sys.exit(f"{folder} lacks {', '.join(missing)} (mlcommons/tiny, trained_models)")
    heads = ("network", "TFLM M4", "HALE M4", "CUBE M4", "TFLM M55", *BOARDS, "arena M4")
    lines: list[tuple[str, ...]] = [heads]
    with tempfile.TemporaryDirectory(prefix="npubench-kernels-") as name:
        for row in ROWS:
            records = [run(folder / row.file, b, row.options, Path(name)) for b in BOARDS]
            known = (row.tflm_m4, row.hale, row.cube, row.tflm_m55)
            lines.append(
                (
                    row.name,
                    *("-" if value is None else f"{value:.3f}" for value in known),
                    *map(cell, records),
                    str(records[0]["memory"]["arena_bytes"]),
                )
            )
        write("Millions of instructions per inference, load to post; arena in bytes", lines)
        parts: list[tuple[str, ...]] = [
            (
                "part", "network", "instructions", "CUBE published", "modelled", "HALE published",
                "modelled", "Plumerai published", "npubench modelled", "less", "error",
            )
        ]  # fmt: skip
        for board in PARTS:
            for row in ROWS:
                record = run(folder / row.file, board, row.options, Path(name))
                if record["golden"]["status"] == "match":
                    parts.append(cycles_line(board, row, record))
                else:
                    parts.append((board, row.name, cell(record), *("-" for _ in parts[0][3:])))
        write("\nMillions of cycles per inference on parts", parts)
    return 1 if any("differs" in line for line in (*lines, *parts)) else 0


if __name__ == "__main__":
    sys.exit(main())
