"""What Unicorn leaves out of a Cortex-M: system control space, exceptions, SysTick, DWT.

Registers and exception rules: Armv7-M and Armv8-M Architecture Reference Manuals, CMSIS core
headers. Not modelled: MPU, SAU, tail-chaining and lazy stacking as such (their results are), the
Non-secure state.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SCS = 0xE000E000
DWT = 0xE0001000
PAGE = 0x1000
NMI, HARD_FAULT, MEM_FAULT, BUS_FAULT, USAGE_FAULT, SVC, PENDSV, SYSTICK = 2, 3, 4, 5, 6, 11, 14, 15
FIRST_IRQ = 16
CPUID = {
    "cortex-m0plus": 0x410CC601,
    "cortex-m4": 0x410FC241,
    "cortex-m7": 0x411FC272,
    "cortex-m33": 0x410FD214,
}
CCSIDR = {"cortex-m7": 0xF00FE019}
RESET_KEY, RESET_REQUEST = 0x05FA, 1 << 2
LAR_KEY = 0xC5ACCE55

ICSR, VTOR, AIRCR, CCR = 0xD04, 0xD08, 0xD0C, 0xD14
SHPR1, SHCSR, CFSR, HFSR, MMFAR, BFAR = 0xD18, 0xD24, 0xD28, 0xD2C, 0xD34, 0xD38
DEMCR, STIR = 0xDFC, 0xF00
LOOKS = (ICSR, AIRCR, SHPR1, SHPR1 + 4, SHPR1 + 8, SHCSR, STIR)
ENABLE_BIT = {MEM_FAULT: 16, BUS_FAULT: 17, USAGE_FAULT: 18}


@dataclass(slots=True)
class SysTick:
    """The 24-bit down counter, from the time at which it was loaded."""

    control: int = 0
    reload: int = 0
    loaded_at: int = 0
    fired: bool = False

    def value(self, now: int) -> int:
        """The current value; 0 when it does not run."""
        if not self.control & 1 or not self.reload:
            return 0
        return self.reload - (now - self.loaded_at) % (self.reload + 1)

    def due(self) -> int | None:
        """When it next reaches zero, or None when that asks for no exception."""
        if self.control & 3 != 3 or not self.reload:
            return None
        return self.loaded_at + self.reload


@dataclass(slots=True)
class TraceUnit:
    """DWT: whether CYCCNT counts. The M7's unit must be unlocked before it is written.

    ``counter``: what was written to CYCCNT and not yet taken over by the machine.
    """

    locked: bool
    control: int = 0
    enabled: bool = False
    counter: int | None = None

    @property
    def counts(self) -> bool:
        return bool(self.enabled and self.control & 1)

    def write(self, offset: int, value: int) -> None:
        """A store to its registers."""
        if offset == 0xFB0:
            self.locked = self.locked and value != LAR_KEY
        elif not self.locked and offset == 4:
            self.counter = value
        elif not self.locked and offset == 0:
            self.control = value & 0xFFF


@dataclass(slots=True)
class SystemControl:
    """The state behind the system control space of one core, as after reset.

    ``now`` is set by the machine before each access. ``wants_reset`` and ``wants_look``: a reset
    was asked for; something may have become pending.
    """

    core: str
    vectors: int
    now: int = 0
    words: dict[int, int] = field(default_factory=dict)
    pending: set[int] = field(default_factory=set)
    enabled: set[int] = field(default_factory=set)
    active: list[int] = field(default_factory=list)
    systick: SysTick = field(default_factory=SysTick)
    trace: TraceUnit = field(init=False)
    vtor: int = field(init=False)
    debug: int = 0
    wants_reset: bool = False
    wants_look: bool = False

    def __post_init__(self) -> None:
        self.trace = TraceUnit(locked=self.core == "cortex-m7")
        self.vtor = self.vectors

    # --- registers -------------------------------------------------------------------------------

    def read(self, offset: int, size: int) -> int:
        """A load from the system control space."""
        word = self._word(offset & ~3)
        return (word >> (8 * (offset & 3))) & ((1 << (8 * size)) - 1)

    def write(self, offset: int, size: int, value: int) -> None:
        """A store to the system control space."""
        if size < 4:
            shift = 8 * (offset & 3)
            mask = ((1 << (8 * size)) - 1) << shift
            value = (self.words.get(offset & ~3, 0) & ~mask) | ((value << shift) & mask)
        self._store(offset & ~3, value)

    def _word(self, offset: int) -> int:
        match offset:
            case 0x010:
                fired = self.systick.fired
                self.systick.fired = False
                return self.systick.control | (fired << 16)
            case 0x014:
                return self.systick.reload
            case 0x018:
                return self.systick.value(self.now)
            case 0xD00:
                return CPUID[self.core]
            case 0xD04:
                first = min(self.pending & (self.enabled | set(range(FIRST_IRQ))), default=0)
                return (
                    (self.active[-1] if self.active else 0)
                    | first << 12
                    | (SYSTICK in self.pending) << 26
                    | (PENDSV in self.pending) << 28
                )
            case 0xD08:
                return self.vtor
            case 0xD0C:
                return 0xFA050000
            case 0xD80:
                return CCSIDR.get(self.core, 0)
            case 0xDFC:
                return self.debug
        for base, numbers in ((0x100, self.enabled), (0x200, self.pending)):
            for start in (base, base + 0x80):
                if start <= offset < start + 0x40:
                    return _bits(numbers, FIRST_IRQ + (offset - start) * 8)
        return self.words.get(offset, 0)

    def _store(self, offset: int, value: int) -> None:
        self.wants_look = offset < 0x400 or offset in LOOKS
        match offset:
            case 0x010:
                if value & 1 and not self.systick.control & 1:
                    self.systick.loaded_at = self.now
                self.systick.control = value & 7
            case 0x014:
                self.systick.reload = value & 0xFFFFFF
            case 0x018:
                self.systick.loaded_at = self.now
            case 0xD04:
                for bit, number, on in (
                    (28, PENDSV, True), (27, PENDSV, False), (26, SYSTICK, True),
                    (25, SYSTICK, False), (31, NMI, True),
                ):  # fmt: skip
                    if value >> bit & 1:
                        (self.pending.add if on else self.pending.discard)(number)
            case 0xD08:
                self.vtor = value & 0xFFFFFF80
            case 0xD0C:
                if value >> 16 == RESET_KEY and value & RESET_REQUEST:
                    self.wants_reset = True
            case 0xD28 | 0xD2C:
                self.words[offset] = self.words.get(offset, 0) & ~value
            case 0xDFC:
                self.debug = value
                self.trace.enabled = bool(value >> 24 & 1)
            case 0xF00:
                self.pending.add(FIRST_IRQ + (value & 0x1FF))
            case _:
                for start, numbers, on in (
                    (0x100, self.enabled, True), (0x180, self.enabled, False),
                    (0x200, self.pending, True), (0x280, self.pending, False),
                ):  # fmt: skip
                    if start <= offset < start + 0x40:
                        chosen = _numbers(value, FIRST_IRQ + (offset - start) * 8)
                        (numbers.update if on else numbers.difference_update)(chosen)
                        return
                self.words[offset] = value

    # --- exceptions ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Make SysTick pending when it has reached zero."""
        due = self.systick.due()
        if due is not None and self.now >= due:
            period = self.systick.reload + 1
            self.systick.loaded_at += ((self.now - due) // period + 1) * period
            self.systick.fired = True
            self.pending.add(SYSTICK)

    def priority(self, number: int) -> int:
        """An exception's priority; lower is more urgent."""
        if number in (NMI, HARD_FAULT):
            return number - 4
        if number < FIRST_IRQ:
            offset, at = SHPR1 + (number - 4), number - 4
        else:
            offset, at = 0x400 + (number - FIRST_IRQ), number - FIRST_IRQ
        return self.words.get(offset & ~3, 0) >> (8 * (at & 3)) & 0xFF

    def level(self, *, primask: bool, basepri: int) -> int:
        """The priority at which the core runs now."""
        levels = [self.priority(number) for number in self.active]
        if primask:
            levels.append(0)
        if basepri:
            levels.append(basepri)
        return min(levels, default=256)

    def next_exception(self, *, primask: bool, basepri: int) -> int | None:
        """The pending exception that is taken now, or None."""
        level = self.level(primask=primask, basepri=basepri)
        ready = [n for n in self.pending if n < FIRST_IRQ or n in self.enabled]
        best = min(ready, key=lambda n: (self.priority(n), n), default=None)
        return best if best is not None and self.priority(best) < level else None

    def is_masked(self) -> bool:
        """Whether something is pending that only PRIMASK, BASEPRI or FAULTMASK hold back, which
        firmware may clear at any moment; what an active exception holds back waits for its end."""
        if not self.pending:
            return False
        return self.next_exception(primask=False, basepri=0) is not None

    def wakes(self) -> bool:
        """Whether something is pending that ends WFI, whatever PRIMASK says."""
        return any(n < FIRST_IRQ or n in self.enabled for n in self.pending)

    def fault(self, number: int, status: int, address: int | None, *, level: int) -> int:
        """Note a fault in its registers; the number of the exception that it becomes."""
        self.words[CFSR] = self.words.get(CFSR, 0) | status
        if address is not None:
            self.words[BFAR if number == BUS_FAULT else MMFAR] = address
        enabled = self.words.get(SHCSR, 0) >> ENABLE_BIT[number] & 1
        if enabled and self.priority(number) < level:
            return number
        self.words[HFSR] = self.words.get(HFSR, 0) | 1 << 30
        return HARD_FAULT


def _bits(numbers: set[int], first: int) -> int:
    return sum(1 << (n - first) for n in numbers if first <= n < first + 32)


def _numbers(value: int, first: int) -> set[int]:
    return {first + bit for bit in range(32) if value >> bit & 1}
