"""The virtual power model of the emulated boards costs what silicon is known to cost."""

from __future__ import annotations

import pytest

from npubench.boards import board_ids, load_board
from npubench.cycles.images import load_images
from npubench.cycles.weights import load_weights

# MLPerf Tiny v0.5 to v1.3, Cortex-M parts without an accelerator: energy by published cycles.
PUBLISHED_NJ_PER_CYCLE = (0.053, 0.652)
# Instructions of 20 published images on the M4, M33 and M7 against their published cycles.
CYCLES_PER_INSTRUCTION = (0.73, 1.71)
MODELLED = [name for name in board_ids() if load_board(name).power is not None]


@pytest.mark.parametrize("name", MODELLED)
def test_an_instruction_takes_what_published_parts_take(name: str) -> None:
    board = load_board(name)
    assert board.power is not None
    assert board.emulator is not None
    assert board.emulator.icount_shift is not None
    instruction_s = 2**board.emulator.icount_shift * 1e-9
    low = PUBLISHED_NJ_PER_CYCLE[0] * CYCLES_PER_INSTRUCTION[0]
    high = PUBLISHED_NJ_PER_CYCLE[1] * CYCLES_PER_INSTRUCTION[1]
    for current_ua in (*board.power.stage_ua.values(), board.power.wait_ua):
        energy_nj = current_ua * 1e-6 * board.power.supply_mv * 1e-3 * instruction_s * 1e9
        assert low <= energy_nj <= high
    assert board.power.idle_ua < board.power.wait_ua


def test_a_keyword_spotter_on_the_m4_costs_what_was_published() -> None:
    """kws of MLPerf Tiny took 1.4 to 8 mJ on the L4R5; our image retires 9.85 M instructions."""
    power = load_board("qemu-m4").power
    assert power is not None
    energy_mj = 9.85e6 * 128e-9 * power.stage_ua["infer"] * power.supply_mv * 1e-6
    assert 1.4 <= energy_mj <= 8.0


@pytest.mark.parametrize(
    ("name", "part"),
    [("qemu-m4", "STM32L4R5ZI"), ("qemu-m33", "STM32U575ZI"), ("qemu-m7", "STM32H7A3ZI")],
)
def test_an_instruction_takes_the_fitted_energy(name: str, part: str) -> None:
    """Energy a cycle of the part's fit, at the cycles an instruction of the images behind it."""
    board, weights = load_board(name), load_weights()[part]
    assert board.power is not None
    assert board.emulator is not None
    (energy,) = (item for item in weights.energy if item.voltage_mv == board.power.supply_mv)
    rates = [
        image.published_cycles / (image.instructions or 1)
        for image in load_images()
        if image.part == part and image.is_fitted and image.engine == energy.submitter
    ]
    fitted_nj = energy.nj_per_cycle * sum(rates) / len(rates)
    watts = board.power.stage_ua["infer"] * 1e-6 * board.power.supply_mv * 1e-3
    assert watts * 2**board.emulator.icount_shift == pytest.approx(fitted_nj, rel=0.01)


@pytest.mark.parametrize("name", MODELLED)
def test_the_figure_says_where_it_comes_from(name: str) -> None:
    power = load_board(name).power
    assert power is not None
    assert "nJ a cycle" in power.note
    assert "MLPerf Tiny" in power.note
    assert "assumption" in power.note
