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
    """One term's count; ``n`` is all instructions."""
    return instructions(counts) if term == "n" else float(counts[term])


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
# flash, and the refill after a taken branch. Each can be counted in more than one way, and no
# document says which is the core's; a form takes one way of each, and a part's model is the mean of
# all forms: nothing is chosen by the data. Of the M4 the manual says how loads wait: one more for
# the last of a row. The M0+ waits for no load, beyond the table. The M7 has no table, so that its
# instructions (two at once, or not) take the place of the branches, which it predicts.
_FLASH = ("data4", "data8", "data16")
_JUMP = ("taken", "fetch8_jump", "target_split")
WAYS: Mapping[str, Sequence[Sequence[str]]] = MappingProxyType(
    {
        "cortex-m4": (("load_last",), _FLASH, _JUMP),
        "cortex-m33": (("load_use", "load_use2", "load_group"), _FLASH, _JUMP),
        "cortex-m0plus": (_FLASH, _JUMP[:2]),
        "cortex-m7": (("n",), ("load_use", "load_use2", "load_group"), _FLASH),
    }
)
LINE_WORDS = 4
"""Of 8 bytes, in a line of the Cortex-M7's data cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A weight as documents let one expect it, before any image is seen: cycles per count."""

    mean: float
    deviation: float


def forms(core: str) -> Iterator[tuple[str, ...]]:
    """Every form of a core: one way of counting each of its terms."""
    return product(*WAYS[core])


def expected(core: str, term: str, wait_states: int) -> Expected:
    """What a term's weight should be. A wait for a load: one cycle (manual of the M4). A refill:
    one to three. A word from flash: half of the wait states, as a read ahead may hide them all or
    none; behind the M7's data cache they are shared by the words of a line. An instruction of the
    M7: between a half (all in pairs) and one.
    """
    if term == "n":
        return Expected(mean=0.75, deviation=0.15)
    if term.startswith("load"):
        return Expected(mean=1.0, deviation=0.5)
    if term.startswith("data"):
        share = 1 / LINE_WORDS if core == "cortex-m7" else 0.5
        return Expected(mean=share * wait_states, deviation=share * wait_states)
    return Expected(mean=1.0, deviation=1.0)


def prior_cycles(core: str, counts: Mapping[str, float]) -> float:
    """Cycles by documents alone."""
    return sum(cost * count_of(counts, term) for term, cost in PRIOR[core].items())
