"""A fault record in words: which exception, which of its causes, where.

Bit names are those of the Armv7-M and Armv8-M architecture manuals: CFSR (0xE000ED28) and HFSR
(0xE000ED2C).
"""

from __future__ import annotations

from dataclasses import dataclass

CFSR_BITS: dict[int, str] = {
    0: "IACCVIOL",
    1: "DACCVIOL",
    3: "MUNSTKERR",
    4: "MSTKERR",
    5: "MLSPERR",
    7: "MMARVALID",
    8: "IBUSERR",
    9: "PRECISERR",
    10: "IMPRECISERR",
    11: "UNSTKERR",
    12: "STKERR",
    13: "LSPERR",
    15: "BFARVALID",
    16: "UNDEFINSTR",
    17: "INVSTATE",
    18: "INVPC",
    19: "NOCP",
    20: "STKOF",
    24: "UNALIGNED",
    25: "DIVBYZERO",
}
HFSR_BITS: dict[int, str] = {1: "VECTTBL", 30: "FORCED", 31: "DEBUGEVT"}

MEANING: dict[str, str] = {
    "IACCVIOL": "instruction fetch from a forbidden place",
    "DACCVIOL": "data access to a forbidden place",
    "IBUSERR": "bus error on an instruction fetch",
    "PRECISERR": "bus error on a data access",
    "IMPRECISERR": "bus error on an earlier write",
    "STKERR": "bus error on saving the stack frame: stack overflow?",
    "MSTKERR": "forbidden access on saving the stack frame: stack overflow?",
    "STKOF": "stack overflow",
    "UNDEFINSTR": "undefined instruction",
    "INVSTATE": "jump to an address without the Thumb bit",
    "INVPC": "invalid exception return",
    "NOCP": "the coprocessor or FPU is off",
    "UNALIGNED": "unaligned access",
    "DIVBYZERO": "division by zero",
    "VECTTBL": "bus error on reading the vector table",
}

_ADDRESS_VALID = ("MMARVALID", "BFARVALID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The registers of a fault record. ``kind``: hard, bus, usage, mem or npu."""

    kind: str
    pc: int
    lr: int
    psr: int
    cfsr: int
    hfsr: int
    addr: int

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of the bits that are set in CFSR, then in HFSR."""
        return tuple(
            name
            for value, bits in ((self.cfsr, CFSR_BITS), (self.hfsr, HFSR_BITS))
            for bit, name in bits.items()
            if value >> bit & 1
        )

    @property
    def address(self) -> int | None:
        """The address that was accessed, where the fault is of a kind that has one."""
        valid = any(name in _ADDRESS_VALID for name in self.causes)
        return self.addr if valid or self.kind == "npu" else None

    def describe(self) -> str:
        """One line: the exception, its causes with their meaning, the place."""
        causes = [name for name in self.causes if name not in _ADDRESS_VALID]
        meanings = [MEANING[name] for name in causes if name in MEANING]
        parts = [f"{self.kind} fault at pc {self.pc:#010x} (lr {self.lr:#010x})"]
        if meanings:
            parts.append(", ".join(meanings))
        if causes:
            parts.append("+".join(causes))
        if self.address is not None:
            parts.append(f"address {self.address:#010x}")
        return "; ".join(parts)
