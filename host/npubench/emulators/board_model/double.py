"""Double-precision instructions of a Cortex-M7, which Unicorn's M7 does not know.

Encodings: Armv7-M Architecture Reference Manual, chapter A7.7. IEEE 754 doubles are the host's;
rounding to nearest, as the core does unless its FPSCR is changed.
"""

from __future__ import annotations

import math
import struct
from typing import Any

VFP_DOUBLE = 0xB00


class DoublePrecision:
    """Plays what can be played; the registers D0 to D15 are pairs of the engine's S registers."""

    def __init__(self, engine: Any, registers: Any) -> None:
        self._uc, self._r = engine, registers

    def _raw(self, number: int) -> int:
        low = self._uc.reg_read(self._r.UC_ARM_REG_S0 + 2 * number)
        return int(self._uc.reg_read(self._r.UC_ARM_REG_S0 + 2 * number + 1) << 32 | low)

    def _get(self, number: int) -> float:
        return float(struct.unpack("<d", self._raw(number).to_bytes(8, "little"))[0])

    def _put_raw(self, number: int, value: int) -> None:
        self._uc.reg_write(self._r.UC_ARM_REG_S0 + 2 * number, value & 0xFFFFFFFF)
        self._uc.reg_write(self._r.UC_ARM_REG_S0 + 2 * number + 1, value >> 32)

    def _put(self, number: int, value: float) -> None:
        self._put_raw(number, int.from_bytes(struct.pack("<d", value), "little"))

    def _single(self, number: int) -> float:
        word = self._uc.reg_read(self._r.UC_ARM_REG_S0 + number)
        return float(struct.unpack("<f", int(word).to_bytes(4, "little"))[0])

    def _put_word(self, number: int, word: int) -> None:
        self._uc.reg_write(self._r.UC_ARM_REG_S0 + number, word & 0xFFFFFFFF)

    def play(self, pc: int) -> int | None:
        """Play the instruction at ``pc``; the address after it, or None when it is none of ours."""
        code = bytes(self._uc.mem_read(pc, 4))
        a, b = struct.unpack("<HH", code)
        if a & 0xFFBF == 0xEEB7 and b & 0xFD0 == 0xAC0:  # VCVT.F64.F32
            self._put(b >> 12, self._single((b & 15) << 1 | (b >> 5 & 1)))
            return pc + 4
        if a & 0xFF00 != 0xEE00 or b & 0xF00 != VFP_DOUBLE or b & 0x10:
            return None
        vd, vn, vm = b >> 12, a & 15, b & 15
        what, negated = (a >> 5 & 4) | (a >> 4 & 3), bool(b & 0x40)
        match what:
            case 0 | 1:
                product = self._get(vn) * self._get(vm)
                held = -self._get(vd) if what == 1 else self._get(vd)
                self._put(vd, held - product if negated != (what == 1) else held + product)
            case 2:
                product = self._get(vn) * self._get(vm)
                self._put(vd, -product if negated else product)
            case 3:
                right = -self._get(vm) if negated else self._get(vm)
                self._put(vd, self._get(vn) + right)
            case 4:
                self._put(vd, _divide(self._get(vn), self._get(vm)))
            case 7:
                if not self._other(a, b):
                    return None
            case _:
                return None
        return pc + 4

    def _other(self, a: int, b: int) -> bool:
        vd, vm, which, bits = b >> 12, b & 15, a & 15, b >> 6 & 3
        sd, sm = vd << 1 | (a >> 6 & 1), vm << 1 | (b >> 5 & 1)
        if not bits & 1:  # VMOV immediate
            byte = (a & 15) << 4 | (b & 15)
            exponent = (0x3FC if byte & 0x40 else 0x400) | (byte >> 4 & 3)
            self._put_raw(vd, (byte >> 7) << 63 | exponent << 52 | (byte & 15) << 48)
        elif which == 0:
            raw = self._raw(vm)
            self._put_raw(vd, raw & ~(1 << 63) if bits == 3 else raw)
        elif which == 1:
            value = self._get(vm)
            self._put(
                vd,
                math.sqrt(value) if bits == 3 and value >= 0 else math.nan if bits == 3 else -value,
            )
        elif which in (4, 5):
            self._compare(self._get(vd), 0.0 if which == 5 else self._get(vm))
        elif which == 7:
            value = self._get(vm)
            self._put_word(sd, _to_single(value))
        elif which == 8:
            word = self._uc.reg_read(self._r.UC_ARM_REG_S0 + sm)
            self._put(vd, float(word - (1 << 32) if bits == 3 and word >> 31 else word))
        elif which in (12, 13):
            low, high = (0, 0xFFFFFFFF) if which == 12 else (-(1 << 31), (1 << 31) - 1)
            value = self._get(vm)
            if math.isnan(value):
                number = 0
            elif math.isinf(value):
                number = high if value > 0 else low
            else:
                number = max(low, min(high, math.trunc(value) if bits == 3 else round(value)))
            self._put_word(sd, number)
        else:
            return False
        return True

    def _compare(self, left: float, right: float) -> None:
        if math.isnan(left) or math.isnan(right):
            flags = 0b0011
        else:
            flags = 0b0110 if left == right else 0b1000 if left < right else 0b0010
        status = self._uc.reg_read(self._r.UC_ARM_REG_FPSCR) & 0x0FFFFFFF
        self._uc.reg_write(self._r.UC_ARM_REG_FPSCR, status | flags << 28)


def _divide(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def _to_single(value: float) -> int:
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        packed = struct.pack("<f", math.copysign(math.inf, value))
    return int.from_bytes(packed, "little")
