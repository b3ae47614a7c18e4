"""Bounds of a core's cycles from counted classes of instructions, by public rules of its issue.

No weight is fitted and none is another core's. The low end lets everything issue as early as the
pipeline can; the high end makes every result be waited for that may be, every taken branch be
predicted wrongly. Memory that makes the core wait is outside, as are barriers, gathers (up to four
cycles more) and narrowing vector moves (one more), which the classes do not tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from npubench.cycles.terms import EXTRAS_FROM, instructions

Bound = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRules:
    """Cycles of an instruction of a class, low and high. ``usual``: of every class that is not
    named; ``extra_low``, ``extra_high``: cycles for a count that is no class."""

    core: str
    source: str
    usual: Bound
    classes: Mapping[str, Bound]
    extra_low: Mapping[str, float] = field(default_factory=dict)
    extra_high: Mapping[str, float] = field(default_factory=dict)


_FP_M55 = {"fp_add": (1.0, 15.0), "fp_mul": (1.0, 21.0), "fp_mac": (1.0, 36.0),
           "fp_div": (1.0, 30.0), "fp_sqrt": (1.0, 30.0)}  # fmt: skip

# Cortex-M55, by LLVM's scheduling model (llvm/lib/Target/ARM/ARMScheduleM55.td): in order, one
# instruction a cycle, but two of 16 bits together where one is a move, add of a constant, extension
# or branch; loads, multiplies and shifted operands are there two cycles later; a vector
# instruction takes two beats, of which one overlaps with another pipeline's; a branch that was
# predicted wrongly costs three. A loop's end is free where the core knows it; a division takes two
# or more (high: a bit a cycle).
_M55 = IssueRules(
    core="cortex-m55",
    source="LLVM's scheduling model of the Cortex-M55",
    usual=(1.0, 1.0),
    classes=MappingProxyType(
        {
            "alu": (1.0, 2.0),
            "compare": (1.0, 2.0),
            "bitfield": (1.0, 2.0),
            "saturate": (1.0, 2.0),
            "simd": (1.0, 2.0),
            "extend16": (1.0, 2.0),
            "extend16_rotated": (1.0, 2.0),
            "div": (2.0, 34.0),
            "loop": (0.0, 1.0),
            "ldm": (0.0, 1.0),
            "stm": (0.0, 1.0),
            "ldrd": (0.0, 1.0),
            "strd": (0.0, 1.0),
            "vldm": (0.0, 1.0),
            "vstm": (0.0, 1.0),
            "call": (1.0, 2.0),
            "branch_register": (1.0, 2.0),
            "branch_table": (1.0, 2.0),
            "system": (1.0, 4.0),
            "fp_convert": (1.0, 2.0),
            "fp_move": (1.0, 2.0),
            "vldr": (1.0, 2.0),
            "vstr": (1.0, 2.0),
            "mve": (1.0, 2.0),
            "mve_load": (1.0, 2.0),
            "mve_store": (1.0, 2.0),
            "other": (1.0, 2.0),
            **_FP_M55,
        }
    ),
    extra_low=MappingProxyType(
        {
            "pair_narrow": -1.0,
            "ldm_words": 0.5,
            "stm_words": 0.5,
            "double_words": 0.5,
            "vldm_words": 0.5,
        }
    ),
    extra_high=MappingProxyType(
        {
            "ldm_words": 1.0,
            "stm_words": 1.0,
            "double_words": 1.0,
            "vldm_words": 1.0,
            "load_use": 1.0,
            "mul_use": 1.0,
            "unaligned": 1.0,
            "taken": 3.0,
        }
    ),
)
# Cortex-M85, by ARMScheduleM85.td beside it: two instructions of most kinds a cycle; a load's
# result is there two cycles later, for an address three; a vector load or store holds both halves
# of its port for two cycles; a division takes seven; a forward branch that was predicted wrongly
# costs seven.
_M85 = IssueRules(
    core="cortex-m85",
    source="LLVM's scheduling model of the Cortex-M85",
    usual=(0.5, 1.0),
    classes=MappingProxyType(
        {
            "compare": (0.5, 2.0),
            "div": (0.5, 7.0),
            "loop": (0.0, 1.0),
            "system": (1.0, 4.0),
            "fp_add": (0.5, 6.0),
            "fp_mul": (0.5, 8.0),
            "fp_mac": (0.5, 14.0),
            "fp_div": (0.5, 29.0),
            "fp_sqrt": (0.5, 29.0),
            "fp_convert": (0.5, 2.0),
            "mve": (0.5, 2.0),
            "mve_load": (0.5, 2.0),
            "mve_store": (0.5, 2.0),
            "other": (0.5, 3.0),
        }
    ),
    extra_high=MappingProxyType(
        {
            "ldm_words": 1.0,
            "stm_words": 1.0,
            "double_words": 1.0,
            "vldm_words": 1.0,
            "load_use": 2.0,
            "load_use2": 1.0,
            "mul_use": 1.0,
            "unaligned": 1.0,
            "taken": 7.0,
        }
    ),
)
# Cortex-M4, by its Technical Reference Manual (r0p1, table 3-1): in order, one instruction a cycle;
# a load or store takes two where it stands alone and one in a row, several registers one more each;
# a taken branch one to three more; a division 2 to 12, VMLA 3, VDIV and VSQRT 14; a floating-point
# result that is used at once one more.
_M4 = IssueRules(
    core="cortex-m4",
    source="the Cortex-M4's Technical Reference Manual",
    usual=(1.0, 1.0),
    classes=MappingProxyType(
        {
            **dict.fromkeys(
                ("ldr", "ldrh", "ldrb", "ldr_literal", "str", "strh", "strb", "vldr", "vstr"),
                (1.0, 2.0),
            ),
            **dict.fromkeys(("fp_add", "fp_mul", "fp_convert", "fp_move"), (1.0, 2.0)),
            "it": (0.0, 1.0),
            "hint": (0.0, 1.0),
            "div": (2.0, 12.0),
            "fp_mac": (3.0, 4.0),
            "fp_div": (14.0, 15.0),
            "fp_sqrt": (14.0, 15.0),
            "system": (1.0, 4.0),
            "other": (1.0, 4.0),
        }
    ),
    extra_low=MappingProxyType(
        {"ldm_words": 1.0, "stm_words": 1.0, "double_words": 1.0, "vldm_words": 1.0, "taken": 1.0}
    ),
    extra_high=MappingProxyType(
        {
            "ldm_words": 1.0,
            "stm_words": 1.0,
            "double_words": 1.0,
            "vldm_words": 1.0,
            "unaligned": 2.0,
            "taken": 3.0,
        }
    ),
)
RULES: Mapping[str, IssueRules] = MappingProxyType({rule.core: rule for rule in (_M4, _M55, _M85)})


def issue_bounds(rules: IssueRules, counts: Mapping[str, float]) -> Bound:
    """Cycles of a tally, at least and at most, where memory never makes the core wait."""
    low = high = 0.0
    for name, count in counts.items():
        if name == EXTRAS_FROM:
            break
        each = rules.classes.get(name, rules.usual)
        low += each[0] * count
        high += each[1] * count
    low += sum(cost * counts.get(name, 0) for name, cost in rules.extra_low.items())
    high += sum(cost * counts.get(name, 0) for name, cost in rules.extra_high.items())
    return min(low, high), high


def cycles_an_instruction(rules: IssueRules, counts: Mapping[str, float]) -> Bound:
    """The same for each instruction."""
    count = instructions(counts)
    low, high = issue_bounds(rules, counts)
    return (low / count, high / count) if count else (0.0, 0.0)
