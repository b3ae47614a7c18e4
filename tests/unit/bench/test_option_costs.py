"""What an option of Vela's costs is told before anything is built."""

from __future__ import annotations

import importlib.util

import pytest

from npubench import api
from npubench.boards import load_board
from npubench.compiler.backends.ethos_u.options import EthosUOptions
from npubench.compiler.backends.ethos_u.variants import memory_modes, variants
from npubench.core.errors import ConfigError, UsageError


def test_one_option_is_changed_at_a_time() -> None:
    board = load_board("qemu-m55-u55")
    found = dict(variants(board, EthosUOptions(), 40_000))
    assert found["optimise"] == "Size"
    assert found["core"] == "legacy"
    assert found["arena_cache"] == "10000"
    modes = [value for name, value in variants(board, EthosUOptions(), 1) if name == "memory_mode"]
    assert modes == ["Sram_Only", "Dedicated_Sram"]
    other = dict(variants(board, EthosUOptions(optimise="Size", core="legacy"), 40_000))
    assert (other["optimise"], other["core"]) == ("Performance", "default")


def test_a_file_that_is_no_configuration_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a configuration"):
        memory_modes("no section")


def test_costs_need_a_board_and_a_compiler_with_options() -> None:
    with pytest.raises(UsageError, match="need a board"):
        api.analyze("digits", costs=True)
    with pytest.raises(UsageError, match="backend cpu has no options"):
        api.analyze("digits", board="qemu-m55", costs=True)


@pytest.mark.skipif(importlib.util.find_spec("ethosu") is None, reason="needs Vela")
def test_size_takes_no_more_memory_and_every_way_has_figures_or_a_reason() -> None:
    found = api.analyze("kws", board="qemu-m55-u55", costs=True)
    first, *others = found.costs
    assert first.changed == ""
    assert first.npu_cycles
    size = next(cost for cost in others if cost.changed == "ethos-u.optimise=Size")
    assert size.ram_bytes is not None
    assert first.ram_bytes is not None
    assert size.ram_bytes <= first.ram_bytes
    for cost in others:
        assert cost.reason or (cost.npu_cycles and cost.constants_bytes)
