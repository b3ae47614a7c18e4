"""What the modelled NPU computes is what TFLite Micro computes, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.vela_in_process import CHECKOUT, differing

ACCELERATORS = ("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256")
OPS = sorted((CHECKOUT / "tests" / "data" / "ops").glob("*.tflite"))
PAIRS = [path for path in OPS if "all_pairs" in path.stem]
NETWORKS = ("ad", "ic", "kws", "vww")

# What differs, and why: docs/npu.md.
EXCEPTIONS = {"conv_huge_multiplier"}
# Every operator meets one accelerator here, and all four in scripts/npu_matrix.py.
GROUPS = 12


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_operator_that_vela_maps_equals_tflm(group: int, tmp_path: Path) -> None:
    checked = 0
    for number, path in enumerate(OPS):
        if number % GROUPS != group or path in PAIRS:
            continue
        accelerator = ACCELERATORS[number // GROUPS % len(ACCELERATORS)]
        wrong = differing(path, tmp_path, accelerator=accelerator)
        if wrong is None:
            continue
        if path.stem in EXCEPTIONS:
            assert wrong > 0, f"{path.stem} is exact now: take it off the list of exceptions"
        else:
            assert wrong == 0, f"{path.stem} on {accelerator}: {wrong} bytes differ"
        checked += 1
    assert checked > 15


@pytest.mark.parametrize("path", PAIRS, ids=[path.stem for path in PAIRS])
def test_all_pairs_of_int8_values_equal_tflm(path: Path, tmp_path: Path) -> None:
    for accelerator in ACCELERATORS:
        assert differing(path, tmp_path, accelerator=accelerator, seeds=1) == 0, accelerator


@pytest.mark.parametrize("mode", ["Shared_Sram", "Sram_Only", "Dedicated_Sram"])
@pytest.mark.parametrize("name", NETWORKS)
def test_whole_networks_equal_tflm_in_every_memory_mode(
    name: str, mode: str, tmp_path: Path
) -> None:
    path = CHECKOUT / "models" / name / f"{name}.tflite"
    accelerators = ACCELERATORS if mode == "Shared_Sram" else ACCELERATORS[2:3]
    for accelerator in accelerators:
        wrong = differing(path, tmp_path, accelerator=accelerator, mode=mode, seeds=1)
        assert wrong == 0, accelerator


@pytest.mark.parametrize(
    "name", ["ad01_int8", "kws_ref_model", "pretrainedResnet_quant", "vww_96_int8"]
)
def test_the_reference_networks_of_mlperf_tiny_equal_tflm(
    name: str, shared_models: Path, tmp_path: Path
) -> None:
    path = shared_models / f"{name}.tflite"
    assert differing(path, tmp_path, accelerator="ethos-u55-128", seeds=1) == 0
