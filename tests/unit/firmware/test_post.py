"""Promise: a detector's boxes on the device are those of the host's own decoder, for any output."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from npubench.core.paths import data_root
from npubench.stats.boxes import cell_boxes

ROWS, COLUMNS, BOXES, CLASSES = 5, 4, 2, 3
CHANNELS = 5 * BOXES + CLASSES
COUNT = ROWS * COLUMNS * CHANNELS
SCALE, ZERO = 1 / 256, -128
LEAST, LIMIT = 0.25, 64
HARNESS_H = """
#pragma once
#include <stdbool.h>
#include <stdint.h>
typedef struct { int32_t index; int32_t milli; } nb_answer;
nb_answer nb_post(const uint8_t *output);
int32_t nb_post_milli(const uint8_t *output, uint32_t i);
"""
MAIN = """
#include <stdio.h>
#include "nb_harness.h"
extern uint8_t nb_output[];
int main(void)
{
    while (fread(nb_output, NB_OUTPUT_BYTES, 1, stdin) == 1) {
        const nb_answer answer = nb_post(nb_output);
        printf("%d %d\\n", answer.index, answer.milli);
    }
    return 0;
}
"""


def decoder(folder: Path) -> Path:
    """The harness's post.c as a host program."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this host")
    (folder / "nb_harness.h").write_text(HARNESS_H)
    (folder / "main.c").write_text(MAIN)
    shutil.copyfile(data_root() / "firmware" / "harness" / "post.c", folder / "post.c")
    values = {
        "NB_OUTPUT_COUNT": f"{COUNT}u", "NB_OUTPUT_BYTES": f"{COUNT}u", "NB_OUT_F32": "0",
        "NB_OUT_U8": "0", "NB_OUT_SCALE_F": f"{SCALE}f", "NB_OUT_ZERO": f"({ZERO})",
        "NB_POST_MSE": "0", "NB_POST_BOXES": f"{BOXES}u", "NB_POST_ROWS": f"{ROWS}u",
        "NB_POST_COLUMNS": f"{COLUMNS}u", "NB_POST_CHANNELS": f"{CHANNELS}u",
    }  # fmt: skip
    flags = ["-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-O1"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover", "-ffp-contract=off"]
    subprocess.run(
        [
            compiler, *flags, *(f"-D{name}={value}" for name, value in values.items()),
            "main.c", "post.c", "-o", "post",
        ],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return folder / "post"


def test_boxes_are_those_of_the_host(tmp_path: Path) -> None:
    """Sparse, dense and overflowing outputs; boxes that lie on each other, and none."""
    random = np.random.RandomState(9)
    outputs = []
    for case in range(60):
        codes = random.randint(-128, 128, size=(ROWS, COLUMNS, CHANNELS))
        if case % 3 == 0:
            codes[..., 4 : 5 * BOXES : 5] = random.randint(-128, 0, size=(ROWS, COLUMNS, BOXES))
        if case % 5 == 1:  # large boxes, which overlap
            codes[..., 2 : 5 * BOXES : 5] = 100
            codes[..., 3 : 5 * BOXES : 5] = 100
        outputs.append(codes.astype(np.int8))
    outputs.append(np.full((ROWS, COLUMNS, CHANNELS), -128, dtype=np.int8))
    outputs.append(np.full((ROWS, COLUMNS, CHANNELS), 127, dtype=np.int8))
    said = subprocess.run(
        [decoder(tmp_path)], input=b"".join(codes.tobytes() for codes in outputs),
        capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    answers = [tuple(map(int, line.split())) for line in said.splitlines()]
    assert len(answers) == len(outputs)
    counts = []
    for codes, (count, milli) in zip(outputs, answers, strict=True):
        real = (codes.astype(np.float32) - ZERO) * np.float32(SCALE)
        boxes = cell_boxes(real, BOXES, least=LEAST)
        counts.append(count)
        assert count == len(boxes)
        assert abs(milli - (1000 * boxes[0][1] if len(boxes) else 0)) <= 1
    assert min(counts) == 0
    assert max(counts) > 5
