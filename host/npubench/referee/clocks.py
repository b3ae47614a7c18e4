"""The core's clock as an image itself set it up, from the registers that it wrote.

Sources: reference manuals RM0432 (L4R5), RM0455 (H7A3), RM0385 (F746), RM0456 (U575), RM0444
(G0B1), chapters RCC; PSoC 6 CY8C62x8/A (PLL of system resources). Crystals: the boards' user
manuals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

Registers = Mapping[str, int]
MSI_HZ = (
    100_000, 200_000, 400_000, 800_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 16_000_000,
    24_000_000, 32_000_000, 48_000_000,
)  # fmt: skip

MSIS_HZ = MappingProxyType(
    {0: 48_000_000, 1: 24_000_000, 2: 16_000_000, 3: 12_000_000, 4: 4_000_000}
)


def _l4r5(r: Registers) -> float | None:
    pll = r["rcc_pllcfgr"]
    source = {1: MSI_HZ[min(r["rcc_cr"] >> 4 & 15, 11)], 2: 16_000_000}.get(pll & 3)
    if source is None or r["rcc_cfgr"] & 3 != 3:
        return None
    return source / ((pll >> 4 & 15) + 1) * (pll >> 8 & 127) / (2 * ((pll >> 25 & 3) + 1))


def _h7a3(r: Registers) -> float | None:
    source = {0: 64_000_000, 2: 8_000_000}.get(r["rcc_pllckselr"] & 3)
    if source is None or r["rcc_cfgr"] & 7 != 3:
        return None
    divider = r["rcc_pll1divr"]
    return (
        source / max(r["rcc_pllckselr"] >> 4 & 63, 1)
        * ((divider & 0x1FF) + 1) / ((divider >> 9 & 127) + 1)
    )  # fmt: skip


def _f746(r: Registers) -> float | None:
    pll = r["rcc_pllcfgr"]
    if r["rcc_cfgr"] & 3 != 2:
        return None
    source = 25_000_000 if pll >> 22 & 1 else 16_000_000
    return source / max(pll & 63, 1) * (pll >> 6 & 0x1FF) / (2 * ((pll >> 16 & 3) + 1))


def _g0b1(r: Registers) -> float | None:
    pll = r["rcc_pllcfgr"]
    if pll & 3 != 2 or r["rcc_cfgr"] & 7 != 2:
        return None
    return 16_000_000 / ((pll >> 4 & 7) + 1) * (pll >> 8 & 127) / ((pll >> 29 & 7) + 1)


def _u575(r: Registers) -> float | None:
    pll, divider = r["rcc_pll1cfgr"], r["rcc_pll1divr"]
    msis = MSIS_HZ.get(r["rcc_icscr1"] >> 28, None) if r["rcc_icscr1"] >> 23 & 1 else 4_000_000
    source = {1: msis, 2: 16_000_000}.get(pll & 3)
    if source is None or r["rcc_cfgr1"] & 3 != 3:
        return None
    return source / ((pll >> 8 & 15) + 1) * ((divider & 0x1FF) + 1) / ((divider >> 24 & 127) + 1)


def _cy8c624a(r: Registers) -> float | None:
    pll = r["clk_pll_config0"]
    if r["clk_root_select0"] & 15 != 1 or r["clk_path_select1"] & 7 or not pll >> 31:
        return None
    made = 8_000_000 * (pll & 127) / max(pll >> 8 & 31, 1) / max(pll >> 16 & 31, 1)
    return made / (1 << (r["clk_root_select0"] >> 4 & 3)) / ((r["cm4_clock_ctl"] >> 8 & 255) + 1)


CLOCKS: Mapping[str, Callable[[Registers], float | None]] = MappingProxyType(
    {
        "STM32L4R5": _l4r5,
        "STM32H7A3": _h7a3,
        "STM32F746": _f746,
        "STM32G0B1": _g0b1,
        "STM32U575": _u575,
        "CY8C624A": _cy8c624a,
    }
)


def core_hz(part: str, registers: Registers) -> float | None:
    """The core's clock in Hz, None where the registers do not tell it."""
    clock = next((found for name, found in CLOCKS.items() if part.startswith(name)), None)
    if clock is None:
        return None
    try:
        return clock(registers)
    except KeyError:
        return None
