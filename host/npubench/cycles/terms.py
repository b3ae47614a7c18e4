"""What a count costs by documents, before anything is fitted, and which terms a fit adds.

Counts are those of emulators/board_model/tally.h. Costs are in cycles per count; ``n`` is the
number of instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType

EXTRAS_FROM = "ldm_words"
"""The first count that is no class: classes come before it and add up to all instructions."""


def instructions(counts: Mapping[str, float]) -> float:
    """All instructions of a tally."""
    total = 0.0
    for name, count in counts.items():
        if name == EXTRAS_FROM:
            break
        total += count
    return total


def count_of(counts: Mapping[str, float], term: str) -> float:
    """One term's count; ``n`` is all instructions, ``issues`` those that do not go together with
    the one before, where a core has two slots and pairs are taken in order."""
    if term == "n":
        return instructions(counts)
    return instructions(counts) - counts["pair_any"] if term == "issues" else float(counts[term])


# Cortex-M4: Technical Reference Manual r0p1, table 3-1: one cycle an instruction, LDM and STM one
# more per word, an access across its size one more, VMLA 3, VDIV and VSQRT 14, SDIV 2 to 12 (7
# taken), a taken branch 1 to 3 more (1 taken). A load that no load or store follows takes one more
# by the manual; memory adds to it, so that this is fitted (load_last).
_M4 = {
    "n": 1.0,
    "ldm_words": 1.0,
    "stm_words": 1.0,
    "double_words": 1.0,
    "vldm_words": 1.0,
    "unaligned": 1.0,
    "taken": 1.0,
    "fp_mac": 2.0,
    "fp_div": 13.0,
    "fp_sqrt": 13.0,
    "div": 6.0,
}
# Cortex-M33: no table is published; one cycle an instruction, further words of multiple transfers
# one each (public measurements). What waits for a load is left to the fit.
_M33 = {
    "n": 1.0,
    "ldm_words": 1.0,
    "ldm": -1.0,
    "stm_words": 1.0,
    "stm": -1.0,
    "double_words": 1.0,
    "ldrd": -1.0,
    "strd": -1.0,
    "fp_div": 13.0,
    "fp_sqrt": 13.0,
    "div": 6.0,
}
# Cortex-M0+: Technical Reference Manual r0p1, table 3-1: loads and stores 2, multiples 1 + N, a
# taken branch 2.
_M0 = {
    "n": 1.0,
    "ldr": 1.0,
    "ldrh": 1.0,
    "ldrb": 1.0,
    "ldr_literal": 1.0,
    "str": 1.0,
    "strh": 1.0,
    "strb": 1.0,
    "ldm_words": 1.0,
    "stm_words": 1.0,
    "taken": 1.0,
}
PRIOR: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {"cortex-m4": _M4, "cortex-m33": _M33, "cortex-m0plus": _M0, "cortex-m7": {}}
)

# What is left to fit, each by its physical reason: what waits for a load, constants that come from
# flash, and fetches that come late. Each can be counted in more than one way, and no document says
# which is the core's; a form takes one way of each, and a part's model is the mean of all forms:
# nothing is chosen by the data. Of the M4 the manual says how loads wait (one more for the last of
# a row), and that a refill takes 1 to 3 by the width and alignment of the target: a 32-bit
# instruction that crosses a word needs two fetches, at a target or elsewhere. The M0+ waits for no
# load, beyond the table. The M7 has no table: its instructions, or its issues where pairs go
# together, take one place, and what waits for a load or for a taken branch the second.
_FLASH = ("data4", "data8", "data16")
_LOADS = ("load_use", "load_use2", "load_group")
_JUMP = ("taken", "fetch8_jump")
WAYS: Mapping[str, Sequence[Sequence[str]]] = MappingProxyType(
    {
        "cortex-m4": (("load_last",), _FLASH, ("taken", "target_split", "wide_split")),
        "cortex-m33": (_LOADS, _FLASH, _JUMP),
        "cortex-m0plus": (_FLASH, _JUMP),
        "cortex-m7": (("n", "issues"), (*_LOADS, "taken"), _FLASH),
    }
)
# Where a manual says how wide a part's flash is read, no wider word is a way; where it says that a
# cache holds constants, its misses are the way. RM0432 (two banks: 64 bits), RM0444 (64 bits);
# PSoC 6 CY8C62x8/A TRM (8 KiB for code and constants, lines of 16 bytes).
FLASH_OF: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "STM32L4R5ZI": ("data4", "data8"),
        "STM32G0B1RE": ("data4", "data8"),
        "CY8C624A": ("miss_u8k",),
    }
)
LINE_WORDS = 4
"""Of 8 bytes, in a line of the Cortex-M7's data cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A weight as documents let one expect it, before any image is seen: cycles per count."""

    mean: float
    deviation: float


def forms(core: str, part: str = "") -> Iterator[tuple[str, ...]]:
    """Every form of a core, or of a part with its own flash: one way of counting each term."""
    ways = [FLASH_OF.get(part, way) if tuple(way) == _FLASH else tuple(way) for way in WAYS[core]]
    return product(*ways)


def expected(core: str, term: str, wait_states: int) -> Expected:
    """What a term's weight should be. A wait for a load: one cycle (manual of the M4). A refill:
    one to three. A second fetch: none to one. A word from flash: half of the wait states, as a read
    ahead may hide them all or none; behind the M7's data cache they are shared by the words of a
    line; a miss takes them all, and one. An instruction of the M7: between a half (all in pairs)
    and one; an issue: one.
    """
    if term == "n":
        return Expected(mean=0.75, deviation=0.15)
    if term == "issues":
        return Expected(mean=1.0, deviation=0.2)
    if term.startswith("load"):
        return Expected(mean=1.0, deviation=0.5)
    if term.startswith("data"):
        share = 1 / LINE_WORDS if core == "cortex-m7" else 0.5
        return Expected(mean=share * wait_states, deviation=share * wait_states)
    if term.startswith("miss"):
        return Expected(mean=wait_states + 1.0, deviation=wait_states + 1.0)
    if term == "wide_split":
        return Expected(mean=0.5, deviation=0.5)
    return Expected(mean=1.0, deviation=1.0)


def prior_cycles(core: str, counts: Mapping[str, float]) -> float:
    """Cycles by documents alone."""
    return sum(cost * count_of(counts, term) for term, cost in PRIOR[core].items())
