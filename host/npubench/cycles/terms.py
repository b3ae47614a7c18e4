"""What a count costs by documents, before anything is fitted, and which terms a fit may add.

Counts are those of emulators/board_model/tally.h. Costs are in cycles per count; ``n`` is the
number of instructions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

# Terms with a physical reason: flash words and lines, lines that a cache misses, what waits for a
# load or a multiply, taken branches and their targets. The M7 has no table: its instructions and
# the pairs that it could issue together are fitted too.
CANDIDATES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "cortex-m4": ("load_last", "data8", "target_split"),
        "cortex-m33": ("load_use", "load_use2", "data8", "taken"),
        "cortex-m0plus": ("data4", "data8", "miss_i64", "fetch8_jump", "taken"),
        "cortex-m7": ("n", "load_use", "load_use2", "data8", "taken"),
    }
)  # fmt: skip


def prior_cycles(core: str, counts: Mapping[str, float]) -> float:
    """Cycles by documents alone."""
    return sum(cost * count_of(counts, term) for term, cost in PRIOR[core].items())
