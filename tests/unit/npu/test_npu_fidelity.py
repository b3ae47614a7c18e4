"""The page on the timing's fidelity says what the model gives, and the model stays within bounds.

The networks are others' and not ours to bring: NPUBENCH_FIDELITY names the folder that holds them.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from support.vela_in_process import CHECKOUT

FOLDER = os.environ.get("NPUBENCH_FIDELITY", "")
CYCLES_RATIO = 0.055
BEATS_RATIO = 0.02
NEAR_RATIO = 0.10
"""Of counts of another stream of the same network."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "npu_fidelity", CHECKOUT / "scripts" / "npu_fidelity.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_names_every_published_figure(script: ModuleType) -> None:
    text = (CHECKOUT / "docs" / "npu-fidelity.md").read_text(encoding="utf-8")
    figures = script.published()
    assert len(figures["counts"]) > 20
    for row in figures["counts"]:
        assert row["network"] in figures["networks"]
        for counter in script.COUNTERS:
            assert f"{row[counter]:,}" in text
    for row in figures["absent"]:
        assert row["reason"] in text


def test_the_page_claims_what_its_tables_show() -> None:
    """No count without a network at hand: the ratios on the page are within the bounds."""
    text = (CHECKOUT / "docs" / "npu-fidelity.md").read_text(encoding="utf-8")
    rows = [
        line.split(" | ") for line in text.splitlines() if " | U55-" in line or " | U65-" in line
    ]
    ratios = {row[0] + row[1]: float(row[4]) for row in rows if "mobilenet" not in row[0]}
    assert len(ratios) > 20
    assert all(abs(ratio - 1) < CYCLES_RATIO for ratio in ratios.values())
    held = [ratio for name, ratio in ratios.items() if "held out" in name]
    assert all(abs(ratio - 1) < 0.05 for ratio in held)


@pytest.mark.skipif(not FOLDER, reason="NPUBENCH_FIDELITY names no folder of compiled networks")
def test_the_page_is_current_and_within_bounds(script: ModuleType) -> None:
    text = (CHECKOUT / "docs" / "npu-fidelity.md").read_text(encoding="utf-8")
    assert script.page(Path(FOLDER)) == text
    compared = script.ratios(Path(FOLDER), script.published()["counts"])
    assert len(compared) == len(script.published()["counts"])
    for row, ours in compared:
        if row["stream"] == "near":
            assert abs(ours["cycles"] / row["cycles"] - 1) < NEAR_RATIO, row["accelerator"]
            continue
        for counter in script.COUNTERS:
            bound = CYCLES_RATIO if counter == "cycles" else BEATS_RATIO
            assert abs(ours[counter] / row[counter] - 1) < bound, (row["network"], counter)
