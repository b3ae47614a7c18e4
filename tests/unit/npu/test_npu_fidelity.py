"""The page on the timing's fidelity says what the model gives, and the model stays within bounds.

The networks are Arm's and not ours to bring: NPUBENCH_FIDELITY names the folder that holds them.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from support.vela_in_process import CHECKOUT

FOLDER = os.environ.get("NPUBENCH_FIDELITY", "")
BOUND_RATIO = 0.05


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
    for name, row in script.published()["networks"].items():
        assert name in text
        assert f"{row['cycles']:,}" in text


@pytest.mark.skipif(not FOLDER, reason="NPUBENCH_FIDELITY names no folder of Arm's networks")
def test_the_page_is_current_and_within_bounds(script: ModuleType) -> None:
    text = (CHECKOUT / "docs" / "npu-fidelity.md").read_text(encoding="utf-8")
    assert script.page(Path(FOLDER)) == text
    figures = script.published()
    compared = 0
    for row in figures["networks"].values():
        data = script.find(Path(FOLDER), row)
        if data is None:
            continue
        ours = script.modelled(data, figures["system"]["accelerator"])
        for counter in script.COUNTERS:
            assert abs(ours[counter] / row[counter] - 1) < BOUND_RATIO, counter
        compared += 1
    assert compared
