"""Cycles from the layers' registers are those of ADI's published formula; the page on times and
energies says what the data in the repository give, and the constants are those of its fits."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from npubench.npu.max7800x import timing
from npubench.npu.max7800x.program import Kind, LayerProgram, Target
from support.vela_in_process import CHECKOUT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "max7800x_time", CHECKOUT / "scripts" / "max7800x_time.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for annotations
    spec.loader.exec_module(module)
    return module


def layer(kind: Kind, pooled: tuple[int, int], outputs: int, **more: Any) -> LayerProgram:
    """A layer of one pass on the first quadrant, without padding."""
    passes = int(more.get("passes", 1))
    usual: dict[str, Any] = {
        "index": 0, "kernel": (3, 3), "width": 0, "window": (1, 1), "dilation": (1, 1),
        "stride": 1, "pad": (0, 0), "pools": "none", "operands": 1, "eltwise": "add",
        "pools_first": False, "passes": 1, "pixel_words": 0, "planar": False,
        "processors": (0, 1, 2), "read_base": 0, "weight_bits": 8, "first_mask": 0, "mask_sad": 0,
        "mask_count": outputs * passes, "slots": 1, "timeslots": 1, "shift": 0,
        "activation": "none", "wide": False, "biases": {}, "broadcasts": False,
        "targets": {0: Target(instance=0, word=0)}, "output_pixel_words": 0,
        "output_pass_words": 0, "streams": False,
    }  # fmt: skip
    return LayerProgram(kind=kind, pooled=pooled, **(usual | more))


# The values of the tool's own tests (ai8x-synthesis, tests of izer/latency.py).
VECTORS = {
    "pooled": (layer("conv2d", (10, 10), 16, window=(2, 2), pad=(2, 2)), 3_049),
    "wide": (layer("conv2d", (32, 32), 64, pad=(1, 1)), 67_981),
    "two passes": (layer("conv2d", (8, 8), 16, pad=(1, 1), passes=2), 2_485),
    "two passes, no border": (layer("conv2d", (8, 8), 16, passes=2), 1_437),
    "one channel": (layer("conv2d", (28, 28), 8, pad=(1, 1)), 8_189),
    "transposed": (layer("transposed", (7, 9), 64, pad=(1, 1)), 16_837),
}


@pytest.mark.parametrize("name", list(VECTORS))
def test_the_formula_is_the_published_one(name: str) -> None:
    one, cycles = VECTORS[name]
    found = timing.formula_cycles(one, prereads=True)
    assert found + timing.STARTUP_CYCLES == cycles
    more = replace(one, mask_count=one.mask_count + one.passes)
    assert timing.formula_cycles(more, prereads=True) > found


def test_the_pipeline_costs_by_output_pixel_and_a_stream_is_a_range() -> None:
    one = layer("conv2d", (8, 8), 4, processors=(0, 17, 18))
    plain = timing.network_work([one], pipelined=False, prereads=False)
    piped = timing.network_work([one], pipelined=True, prereads=False)
    assert piped.cycles - plain.cycles == round(timing.PIPELINE_CYCLES * 36)
    assert plain.quadrant_cycles == 2 * plain.layers[0]
    streams = timing.network_work([replace(one, streams=True)], pipelined=False, prereads=False)
    assert (streams.cycles, streams.streams, plain.streams) == (plain.cycles, True, False)
    assert streams.high == pytest.approx(1.5 * plain.high, rel=0.01)
    empty = layer("conv2d", (0, 0), 4)
    assert timing.network_work([empty, one], pipelined=False, prereads=False) == plain


def test_the_page_is_what_the_data_give(script: ModuleType) -> None:
    text = (CHECKOUT / "docs" / "max7800x-time.md").read_text(encoding="utf-8")
    assert script.page() == text, "run .venv/bin/python scripts/max7800x_time.py"
    for row in script.published()["absent"]:
        assert row["reason"] in text


def test_the_constants_are_those_of_the_fits_and_the_bounds_hold_what_was_left_out(
    script: ModuleType,
) -> None:
    points = script.points()
    table = script.fitted_on(points)
    assert len(table) == 14
    assert round(script.pipeline_fit(table), 1) == timing.PIPELINE_CYCLES
    assert max(map(abs, script.held_out(table))) < timing.PIPELINED.high
    others = [one for one in points if one not in table]
    assert len(others) == 12
    for one in others:
        bounds = timing.PIPELINED if one.row["pipelined"] else timing.PLAIN
        printed = one.half_us / one.us
        assert abs(one.error(timing.PIPELINE_CYCLES)) < bounds.high + printed, one.row


def test_a_published_stream_is_above_the_low_end(script: ModuleType) -> None:
    """Streams are fed by a processor, so that nothing bounds them from above but the feeding."""
    for row in script.published()["streams"]:
        work = timing.network_work(
            script.layers_of(row["part"], row["network"]),
            pipelined=row["part"] == "MAX78002",
            prereads=row["part"] == "MAX78000",
        )
        assert work.streams
        assert row["us"] * row["mhz"] > work.low
