"""Devices that foreign firmware expects: the console's UART, running timers.

Registers: reference manuals of the STM32 families (USART, TIM), PSoC 6 TRM (SCB, TCPWM).
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from npubench.emulators.board_model.foreign import Timer, Uart

WORD = 0xFFFFFFFF


class Device(Protocol):
    """A device with registers of its own. ``size_bytes`` from ``base``."""

    base: int
    size_bytes: int
    irq: int

    def read(self, offset: int, now: int) -> int | None:
        """A load of a word; None: as plain memory."""

    def write(self, offset: int, value: int, now: int) -> bool:
        """A store; whether the word is not to be kept as plain memory."""

    def asks(self, now: int) -> bool:
        """Whether it asks for its interrupt."""

    def due(self, now: int) -> int | None:
        """When it will ask next by itself, None when nothing is set up."""


class StUsart:
    """STM32's USART and LPUART: sending takes no time, received bytes wait until they are read.

    ``words`` are the plain registers of the board, shared with it.
    """

    CR1, CR3, ISR, ICR, RDR, TDR = 0x00, 0x08, 0x1C, 0x20, 0x24, 0x28
    READY = 1 << 7 | 1 << 21 | 1 << 22  # TXE, TEACK, REACK
    RXNE, TC = 1 << 5, 1 << 6
    size_bytes = 0x40

    def __init__(self, part: Uart, words: dict[int, int], sent: bytearray) -> None:
        self.base, self.irq = part.base, part.irq
        self.received: deque[int] = deque()
        self.empty_polls = 0
        self._words, self._sent = words, sent
        self._complete = True

    def read(self, offset: int, now: int) -> int | None:
        del now
        if offset == self.ISR:
            self.empty_polls = 0 if self.received else self.empty_polls + 1
            state = self.READY | (self.RXNE if self.received else 0)
            return state | (self.TC if self._complete else 0)
        if offset == self.RDR:
            self.empty_polls = 0
            return self.received.popleft() if self.received else 0
        return None

    def write(self, offset: int, value: int, now: int) -> bool:
        del now
        if offset == self.TDR:
            self.empty_polls = 0
            self._sent.append(value & 0xFF)
            self._complete = True
        elif offset == self.ICR and value & self.TC:
            self._complete = False
        return offset in (self.TDR, self.ICR)

    def asks(self, now: int) -> bool:
        del now
        enabled = self._words.get(self.base + self.CR1, 0)
        if not enabled & 1:
            return False
        return bool(
            (enabled & self.RXNE and self.received)
            or enabled & 1 << 7
            or (enabled & self.TC and self._complete)
        )

    def due(self, now: int) -> int | None:
        del now
        return None


class StTimer:
    """STM32's timer, up-counting on the core's clock divided by its prescaler, with its update and
    four compare flags."""

    CR1, DIER, SR, EGR, CNT, PSC, ARR, CCR1 = 0x00, 0x0C, 0x10, 0x14, 0x24, 0x28, 0x2C, 0x34
    size_bytes = 0x60

    def __init__(self, part: Timer, words: dict[int, int]) -> None:
        self.base, self.irq = part.base, part.irq
        self._words = words
        self._full = (1 << part.bits) - 1
        self._since = self._start = 0
        self._flags = 0
        self._seen = 0
        words.setdefault(self.base + self.ARR, self._full)

    def _word(self, offset: int) -> int:
        return self._words.get(self.base + offset, 0)

    @property
    def _runs(self) -> bool:
        return bool(self._word(self.CR1) & 1)

    def _ticks(self, now: int) -> int:
        """Ticks counted in all, without wrapping."""
        if not self._runs:
            return self._start
        return self._start + (now - self._since) // (self._word(self.PSC) + 1)

    def _period(self) -> int:
        return (self._word(self.ARR) & self._full) + 1

    def _note(self, now: int) -> None:
        """Raise the flags of what happened since the last look."""
        ticks, period = self._ticks(now), self._period()
        if ticks == self._seen:
            return
        if ticks // period != self._seen // period:
            self._flags |= 1
        for channel in range(4):
            compare = self._word(self.CCR1 + 4 * channel)
            if (ticks - compare) // period != (self._seen - compare) // period:
                self._flags |= 2 << channel
        self._seen = ticks

    def read(self, offset: int, now: int) -> int | None:
        if offset == self.CNT:
            return self._ticks(now) % self._period()
        if offset == self.SR:
            self._note(now)
            return self._flags
        return None

    def write(self, offset: int, value: int, now: int) -> bool:
        self._note(now)
        if offset == self.SR:
            self._flags &= value
            return True
        if offset == self.CNT:
            self._restart(value, now)
            return True
        if offset == self.EGR:
            if value & 1:
                self._restart(0, now)
                self._flags |= 1
            self._flags |= value & 0x1E
            return True
        if offset in (self.CR1, self.PSC, self.ARR):
            self._restart(self._ticks(now) % self._period(), now)
        return False

    def _restart(self, ticks: int, now: int) -> None:
        self._start = self._seen = ticks
        self._since = now

    def asks(self, now: int) -> bool:
        enabled = self._word(self.DIER) & 0x1F
        if not enabled:
            return False
        self._note(now)
        return bool(self._flags & enabled)

    def due(self, now: int) -> int | None:
        enabled = self._word(self.DIER) & 0x1F
        if not enabled or not self._runs:
            return None
        period, ticks = self._period(), self._ticks(now)
        targets = [0] if enabled & 1 else []
        targets += [
            self._word(self.CCR1 + 4 * channel) for channel in range(4) if enabled & (2 << channel)
        ]
        wait = min((target - ticks - 1) % period + 1 for target in targets)
        return self._since + (ticks - self._start + wait) * (self._word(self.PSC) + 1)
